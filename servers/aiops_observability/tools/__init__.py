"""What a client sees: one module for each group of tools, no logic."""
