"""What a client may call; one module per noun."""
