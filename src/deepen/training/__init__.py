"""One loop and what it is handed: optimizer, checkpoints, processes; it knows no task. Start with `loop.fit`."""
