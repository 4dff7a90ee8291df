"""Twelve planted secrets and everything that may be asked: not one of them gets out in any form (T6)."""
