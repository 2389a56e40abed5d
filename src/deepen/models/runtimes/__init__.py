"""What runs a network besides torch: an exported file in ONNX Runtime. Start with `onnx.py`."""
