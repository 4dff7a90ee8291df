"""Promises held on a real Kubernetes control plane: `control_plane.py` starts it, `conftest.py` lends it."""
