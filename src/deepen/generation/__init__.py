"""Answers that are text: how a network is asked for one, how it is decoded, and what a right answer costs it."""
