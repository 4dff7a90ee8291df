"""Diagrams by mermaid itself: its one file from npm, kept in `.cache/` at the version named here.

`make docs` puts the file into the site, so that a reader's browser asks no other host; without npm the
theme's own address is used. Tests let chromium draw every diagram with it.
"""

import fcntl
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from aiops_shared.settings import inherited
from tests.clients.packages import REGISTRIES
from tests.contracts.repository import ROOT

VERSION: Final = "11.17.2"
FILE: Final = ROOT / ".cache" / f"mermaid-{VERSION}" / "mermaid.min.js"
_INSIDE: Final = "package/dist/mermaid.min.js"


def script() -> Path | None:
    """The file; fetched by the first who asks. None where npm is not, or gives nothing."""
    npm = shutil.which("npm")
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with (FILE.parent / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not FILE.exists() and npm is not None:
            _fetch(npm)
    return FILE if FILE.exists() else None


def _fetch(npm: str) -> None:
    """One tarball, of which one file is kept. npm checks it against the registry's hash."""
    command = [npm, "pack", "--silent", "--ignore-scripts", f"mermaid@{VERSION}"]
    done = subprocess.run(
        command, cwd=FILE.parent, env=inherited(*REGISTRIES), capture_output=True, text=True, check=False
    )
    for packed in FILE.parent.glob("*.tgz"):
        with tarfile.open(packed) as archive:
            found = archive.extractfile(_INSIDE)
            if done.returncode == 0 and found is not None:
                FILE.write_bytes(found.read())
        packed.unlink()
