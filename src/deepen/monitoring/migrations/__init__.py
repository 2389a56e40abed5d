"""The tables of the log, from one release to the next; Alembic runs what lies in `versions/`."""
