"""The lock as data: what a release is made of, with versions and hashes, on every platform.

Called by `sbom` and `dependency_audit`, in a checkout. The lock is what `uv pip compile` writes
(pip's requirements format, one pinned name an entry, its hashes on continued lines).
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / ".ci" / "requirements.lock"
_ENTRY: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[^\s;\\]+)"
    r"(?:\s*;\s*(?P<marker>[^\\\n]+?))?(?P<rest>(?:\s*\\\n\s+--hash=\S+)*)\s*$",
    re.MULTILINE,
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """One entry. `marker`: where it is installed ("": everywhere); `hashes`: sha256 of each file of it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def purl(self) -> str:
        """Its package URL (purl-spec, type pypi)."""
        return f"pkg:pypi/{self.name}@{self.version}"


def normal(name: str) -> str:
    """A project's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(text: str) -> tuple[Locked, ...]:
    """Every entry, in the lock's order. Raises ValueError for a lock with a line that is none."""
    found = tuple(
        Locked(normal(one["name"]), one["version"], one["marker"] or "", tuple(_HASH.findall(one["rest"])))
        for one in _ENTRY.finditer(text)
    )
    left = [line for line in _ENTRY.sub("", text).splitlines() if line.strip() and not line.startswith("#")]
    if left:
        raise ValueError(f"the lock has a line that pins nothing: {left[0][:80]!r}")
    return found
