"""The console script, and `python -m eks_aiops`.

`eks-aiops eks` (and its sisters) is started by a client that waits: it goes straight to the server, without loading the command
line's parser.
"""

import sys


def main() -> None:
    """Serve at once, or parse the command line."""
    if sys.argv[1:] == ["eks"]:
        from eks_aiops.serving import serve_eks

        sys.exit(serve_eks())
    if sys.argv[1:] == ["observability"]:
        from eks_aiops.serving import serve_observability

        sys.exit(serve_observability())
    from eks_aiops.cli import run

    run()


if __name__ == "__main__":
    main()
