"""What the tools are asked and answer, and money. Loaded at start: no numpy, no SDK."""
