"""Models that read the surface: words, places and overlaps; no pretrained network."""
