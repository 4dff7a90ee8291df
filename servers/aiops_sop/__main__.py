"""`python -m aiops_sop`."""

from aiops_sop.server import serve

serve()
