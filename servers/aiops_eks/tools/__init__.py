"""What a model may call: one module per noun, no I/O of its own, no policy, no error handling."""
