"""Worlds of the lab, recorded and laid into a real API server."""
