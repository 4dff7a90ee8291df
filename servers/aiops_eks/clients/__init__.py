"""Readers and hands: they speak to a cluster through `ports.Kube` and return our own models."""
