"""The rungs of the ladder, from shallow to deep: one file a rung.

Every file has `ORDER` (its place on the ladder), `ALWAYS` (whether it is cheap enough to run without asking), a class
`RungSettings`, and the functions `climb(work, settings, below)`, `forecast(work, settings)` (seconds, or None where it
can't be told) and `load(folder, task, labels)`.
"""
