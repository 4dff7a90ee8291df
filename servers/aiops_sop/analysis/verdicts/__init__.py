"""Verdicts on releases: pure functions, numbers before and after -> promote, hold or roll back."""
