"""`python -m aiops_eks`."""

from aiops_eks.server import serve

serve()
