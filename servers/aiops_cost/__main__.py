"""`python -m aiops_cost`."""

from aiops_cost.server import serve

serve()
