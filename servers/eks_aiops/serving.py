"""Starts a server for the command line; what stops it is one line on stderr and exit code 1."""

import sys
from importlib import import_module

from aiops_shared.errors import AiopsError


def serve(server: str) -> int:
    """Serve one of the four over stdio until the client closes it; only its own modules are loaded."""
    try:
        import_module(f"aiops_{server}.server").serve()
    except AiopsError as error:
        sys.stderr.write(error.wire() + "\n")
        return 1
    return 0
