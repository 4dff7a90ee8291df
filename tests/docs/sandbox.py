"""Where a page's shell blocks run: a checkout's files, a home, a lab, and nothing else of this machine.

The blocks of a page share a folder, as the terminals of one reader do; what a block starts and leaves running
(a lab, a server over HTTP) runs until the page's end.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT
from tests.docs.blocks import Block
from tests.docs.programs.ours import LOGS, SEEN, stop
from tests.docs.warm import Stand

COPIED = (".ci", "deploy", "sops", "mcp.json.example", "README.md", "Makefile", "pyproject.toml")
LINKED = ("docs", "servers", "shared")
BLOCK_S = 240.0
KEPT = ("LANG", "LC_ALL", "TMPDIR", "CI", "KUBEBUILDER_ASSETS")


@dataclass(frozen=True)
class Ran:
    """How a block ended and what it said."""

    code: int
    said: str


@dataclass(frozen=True)
class Sandbox:
    """One page's folder and environment."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, block: Block) -> Ran:
        """Bash, which stops at the first line that fails."""
        with (self.folder / "said").open("w+b") as said:
            try:
                code = subprocess.run(
                    ["/bin/bash", "-eo", "pipefail", "-c", block.text],
                    cwd=self.folder / "checkout",
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=BLOCK_S,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = -1
            said.seek(0)
            return Ran(code, said.read().decode("utf-8", "replace")[-3_000:])


def _checkout(folder: Path) -> None:
    """What a reader's checkout has, after `make setup`."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(folder.parent / "bin")


@contextmanager
def sandbox(folder: Path, stand: Stand, lab: Mapping[str, str]) -> Iterator[Sandbox]:
    """A new one; at its end everything that still runs is stopped, by TERM as by a reader's Ctrl-C."""
    for name in ("checkout", "home", "logs"):
        (folder / name).mkdir(parents=True)
    stand.link(folder / "bin")
    _checkout(folder / "checkout")
    environment = {
        **inherited(*KEPT),
        **lab,
        "HOME": str(folder / "home"),
        "CLAUDE_CONFIG_DIR": str(folder / "home"),
        "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "AIOPS": str(folder / "checkout"),
        "TOKEN": "stands-for-a-token",
        LOGS: str(folder / "logs"),
        SEEN: str(Path(stand.address).parent),
    }
    try:
        yield Sandbox(folder, environment)
    finally:
        for log in (folder / "logs").glob("*.log"):
            stop(log)
