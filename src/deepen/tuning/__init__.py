"""Which numbers may change: one file a method, each a function on an encoder."""
