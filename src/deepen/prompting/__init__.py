"""A pretrained model is asked: in a gap, in words, or with examples shown; nothing is trained before."""
