"""The lab's telemetry backends that speak HTTP of their own: one loopback server, one path for each.

`/prometheus`, `/amp/workspaces/<id>`, `/alertmanager`, `/jaeger`, `/tempo`, `/opensearch`, `/datadog`: each
a room of this package with a `<room>_app(observatory)` that gives a Starlette application; `app.ROOMS` lists
them.
"""
