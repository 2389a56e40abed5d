"""Cells read as what is to be learned: labels, lists of labels, scores, tags, spans and answers."""
