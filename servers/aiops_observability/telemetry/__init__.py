"""Collector configurations: pure functions over YAML."""
