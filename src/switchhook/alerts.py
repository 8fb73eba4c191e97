"""When to tell people, and when not to: rules over figures, and the states of alerts."""
