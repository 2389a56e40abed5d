"""The data doctor: a file for each kind of check, with `find(splits) -> list[Problem]`; `doctor` runs them all."""
