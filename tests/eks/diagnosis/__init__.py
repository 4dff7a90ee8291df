"""Tests of diagnosis: worlds as plain facts, manifests, and the lab."""
