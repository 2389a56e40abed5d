"""Heads: what a network adds on top of an encoder, one file each with a value `HEAD`. What they are: `network.Head`."""
