"""What the tools answer: frozen, typed, documented."""
