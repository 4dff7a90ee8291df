"""Fakes: real classes that fulfil the ports."""
