"""What was answered, when and to whom, kept without the answer waiting for a database. Start with `journal.py`."""
