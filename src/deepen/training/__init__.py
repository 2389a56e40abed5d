"""One loop, what it is handed, and the cache below it. Start with `loop.fit`."""
