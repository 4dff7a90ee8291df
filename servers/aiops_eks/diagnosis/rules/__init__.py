"""One module per family of causes; `registry.py` puts them in their order."""
