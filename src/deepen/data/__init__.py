"""From files to rows, splits and tokens. Start with `load.load_table`."""
