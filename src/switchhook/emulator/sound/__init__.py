"""Sound: voices, speech, recordings, the clock of frames."""
