"""The simulated world on loopback that the ordinary clients talk to: a Kubernetes API and AWS APIs."""
