"""Kubernetes: one cluster's API, the clusters that may be named, and their credentials.

`clusters.ClusterDirectory` opens a `api.KubeApi`; servers wire the first and code against their own ports.
Importing this package loads no HTTP, JSON or AWS library (decision D31): opening a cluster does.
"""
