"""The network as the emulator meets it, its errors too."""
