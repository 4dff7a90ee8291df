"""What `kubectl get` prints: one printer per kind, answered as a Table by the list endpoints."""
