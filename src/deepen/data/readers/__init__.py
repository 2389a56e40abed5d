"""Files and objects opened as rows of cells: one file a format, and what tells them apart. Start with `opening.py`."""
