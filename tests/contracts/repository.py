"""What the contract tests read of the checkout itself."""

import ast
import gc
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (
    *(
        "shared/aiops_shared",
        "servers/aiops_eks",
        "servers/aiops_observability",
        "servers/aiops_cost",
        "servers/aiops_sop",
        "servers/eks_aiops",
    ),
    "servers/aiops_lab",
)
SUITE = PRODUCT[:-1]  # what runs at a user's; the lab is a world of its own


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git tracks and that is there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    paths = (ROOT / name for name in listed.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every tracked text file."""
    for path in tracked():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@cache
def parsed(rooms: tuple[str, ...]) -> tuple[tuple[Path, ast.Module], ...]:
    """Every module of these packages with its syntax tree.

    Millions of nodes that all stay: a collector that looks them over again and again takes longer than the
    parser.
    """
    files = (path for room in rooms for path in sorted((ROOT / room).rglob("*.py")))
    gc.disable()
    try:
        return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in files)
    finally:
        gc.freeze()
        gc.enable()
