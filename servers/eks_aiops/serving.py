"""Starts a server for the command line; what stops it is one line on stderr and exit code 1."""

import sys

from aiops_eks.server import serve
from aiops_shared.errors import AiopsError


def serve_eks() -> int:
    """Serve the eks server over stdio until the client closes it."""
    try:
        serve()
    except AiopsError as error:
        sys.stderr.write(error.wire() + "\n")
        return 1
    return 0
