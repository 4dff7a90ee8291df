"""Interprets a pinned document step by step over ports; knows no SDK, no database and no MCP."""
