"""A copy of the tree in which controls are taken away, so that the tree itself is never touched."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiops_shared.settings import child_environment
from proofs.mutation import ROOT, Edit

_BORROWED = (".cache", ".venv")  # what setup made; not copied, since no mutation is in there
_OLDER_S = 1000.0  # a mutated file's time differs from the kept bytecode's, so that it is compiled anew


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One copy of the tree and the means to run tests in it."""

    home: Path

    @classmethod
    def of_tree(cls, home: Path) -> "Sandbox":
        """Copy what git knows or would add, as it is now, and borrow the rest."""
        for name in _tracked():
            if (ROOT / name).is_file():
                (home / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, home / name, follow_symlinks=False)
        for name in _BORROWED:
            if (ROOT / name).exists():
                (home / name).symlink_to(ROOT / name)
        _git(home, "init", "--quiet")
        _git(home, "add", "--all")
        return cls(home)

    @contextmanager
    def mutated(self, edits: Sequence[Edit]) -> Iterator[None]:
        """The tree with the edits made; afterwards as before, times included."""
        kept: dict[Path, tuple[bytes, os.stat_result]] = {}
        try:
            for edit in edits:
                path = self.home / edit.file
                kept.setdefault(path, (path.read_bytes(), path.stat()))
                path.write_text(edit.applied(path.read_text(encoding="utf-8")), encoding="utf-8")
                os.utime(path, (kept[path][1].st_atime, kept[path][1].st_mtime - _OLDER_S))
            yield
        finally:
            for path, (content, was) in kept.items():
                path.write_bytes(content)
                os.utime(path, (was.st_atime, was.st_mtime))

    def play(self, tests: Sequence[str], *, keep_bytecode: bool, limit_s: float) -> list[dict[str, Any]]:
        """Run tests here; the witness's lines, with the run's end as the last one."""
        report = self.home / ".proofs-report"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "proofs.witness"]
        command += ["--proofs-report", str(report), "--timeout", "240", *tests]
        try:
            done = subprocess.run(
                command,
                cwd=self.home,
                env=self._environment(keep_bytecode),
                capture_output=True,
                text=True,
                timeout=limit_s,
            )
            ended = {"exit": done.returncode, "said": done.stdout[-3000:] + done.stderr[-1000:]}
        except subprocess.TimeoutExpired:
            ended = {"exit": -1, "said": f"no end within {limit_s:.0f} s"}
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
        return [*map(json.loads, lines), ended]

    def _environment(self, keep_bytecode: bool) -> Mapping[str, str]:
        """The copy's rooms stand before those of the editable install, for child processes too."""
        rooms = os.pathsep.join(str(self.home / room) for room in ("", "shared", "servers"))
        kept = {} if keep_bytecode else {"PYTHONDONTWRITEBYTECODE": "1"}
        return {**child_environment(), "PYTHONPATH": rooms, **kept}


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name]


def _git(home: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=home, check=True, capture_output=True)
