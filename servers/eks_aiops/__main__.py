"""The console script, and `python -m eks_aiops`.

A server is started by a client that waits: `eks-aiops eks` goes straight to it, without loading the command
line's parser.
"""

import gc
import sys
from typing import Any


def main() -> None:
    """Serve at once, or parse the command line."""
    if sys.argv[1:] in (["eks"], ["observability"], ["cost"], ["sop"]):
        gc.disable()  # until all is loaded: aiops_shared.app.starting
        loaded: dict[str, Any] = sys.modules
        loaded["httpx._main"] = None  # its command line: httpx does without
        from eks_aiops.serving import serve

        sys.exit(serve(sys.argv[1]))
    from eks_aiops.cli import run

    run()


if __name__ == "__main__":
    main()
