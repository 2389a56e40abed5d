"""Scores with their intervals, calibration, and the comparison of two models. Start with `classification.py`."""
