"""The command line: one file a verb; each parses, calls the function of the same name in `deepen.api`, and prints."""
