"""Ways to make a model smaller or faster: one file a way, with a value `WAY` (deepen.compression.way)."""
