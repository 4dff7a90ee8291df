"""Configuration from measured facts: pure functions, facts -> files whose every number has its reason."""
