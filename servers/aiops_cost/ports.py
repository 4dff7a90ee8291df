"""What the tools need and the clients fulfil. No code."""
