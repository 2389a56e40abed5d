"""How an update learns: a file each."""
