"""Versions of runs, kept where a team can reach them. Start with `versions.py`."""
