"""A finished model as a file that runs anywhere. Start with `export.py`."""
