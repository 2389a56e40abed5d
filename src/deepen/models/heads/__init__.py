"""Heads: what a network adds on top of an encoder. Start with `network.py`."""
