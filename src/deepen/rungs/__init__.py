"""The rungs of the ladder, from shallow to deep: one file a rung.

Every file has `ORDER` (its place on the ladder), `ALWAYS` (whether it is cheap enough to run without asking), `STARTS`
(whether a rung above may start from its model), `PUPIL` (whether it learns from rows that another rung has labelled),
`FEW` (whether it is made for few labels), `DEEP` (whether it reads rows in the deeper form that a task may have), a
class `RungSettings`, and the functions `suits(work)` (whether a climb takes it where `--rungs` names none),
`climb(work, settings, below)`, `forecast(work, settings)` (seconds, or None where it can't be told) and `load(folder,
task, labels)`.
"""
