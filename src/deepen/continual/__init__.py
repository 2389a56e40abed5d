"""A run brought up to date with new rows: what it gains, what it forgets, and whether it may be promoted."""
