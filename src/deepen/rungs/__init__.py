"""The rungs of the ladder, from shallow to deep: one file a rung, each with a value `RUNG` (deepen.problem.rung)."""
