"""From what a person wrote to a problem: recipe, rows, splits, labels, run folder. Start with `prepare.prepare`."""
