"""`python -m aiops_observability`."""

from aiops_observability.server import serve

serve()
