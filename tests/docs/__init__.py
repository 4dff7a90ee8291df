"""The documentation: its site, its snippets, its transcripts."""
