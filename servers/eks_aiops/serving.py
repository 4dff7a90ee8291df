"""Starts a server for the command line; what stops it is one line on stderr and exit code 1."""

import sys
from collections.abc import Callable

from aiops_shared.errors import AiopsError


def serve_eks() -> int:
    """Serve the eks server over stdio until the client closes it."""
    from aiops_eks.server import serve

    return _served(serve)


def serve_observability() -> int:
    """Serve the observability server over stdio until the client closes it."""
    from aiops_observability.server import serve

    return _served(serve)


def _served(serve: Callable[[], None]) -> int:
    try:
        serve()
    except AiopsError as error:
        sys.stderr.write(error.wire() + "\n")
        return 1
    return 0
