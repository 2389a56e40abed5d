"""Fine-tuning methods, which say what may change: one file a method, with a value `METHOD` (deepen.models.adapters)."""
