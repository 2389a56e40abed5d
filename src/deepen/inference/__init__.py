"""A finished model: it predicts, explains, shares an encoder with others, and chains. Start with `model.load_model`."""
