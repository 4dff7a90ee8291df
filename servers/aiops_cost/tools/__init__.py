"""What a client sees: one module for each tool."""
