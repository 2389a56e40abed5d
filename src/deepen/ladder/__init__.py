"""The climb and nothing else: which rung runs, what it gains, what it leaves. Start with `climb.climb`."""
