"""Runs behind HTTP: one front process and the model processes behind it. Start with `server.serve`."""
