"""Pretrained networks: finding, reading, cutting, heading and saving them. Start with `load.load_pretrained`."""
