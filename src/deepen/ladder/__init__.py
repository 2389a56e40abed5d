"""The climb: from a recipe and data to a run folder with an evaluated model. Start with `climb.climb`."""
