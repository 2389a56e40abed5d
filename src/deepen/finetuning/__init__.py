"""Depth times method on cached layers: an encoder is trained, and read as a model. Start with `finetune.py`."""
