"""The Kubernetes API simulator: a store of objects and the HTTP API in front of it.

`aiops_lab.world` plays controllers on the `Store`; `aiops_lab.run` starts the app.
"""
