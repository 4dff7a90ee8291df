"""Proof that each control carries weight: it is taken away, and the test that holds it must turn red."""
