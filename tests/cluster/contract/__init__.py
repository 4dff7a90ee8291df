"""Promises of the Kubernetes API, each held by the simulator and by a real kube-apiserver alike."""
