"""The SOPs that are loaded: shipped ones, and those of the operator's directories (T8, T13).

Fulfils `ports.Library`. Only plain files named `<id>.sop.md` that stand directly in one of those directories
are read; a link, a folder, another name or a huge file is not. A file that does not parse is listed as broken
and never executed. Files are looked at again at each call and parsed again only when they changed.
"""

import os
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiops_shared.errors import AiopsError, NotConfiguredError, SopInvalidError, SopNotFoundError
from aiops_shared.kube.nearest import nearest

if TYPE_CHECKING:
    from aiops_shared.settings import Settings
    from aiops_sop.models.documents import Sop

SUFFIX: Final = ".sop.md"
MOST_FILES: Final = 500
MOST_BYTES: Final = 256 * 1024
_HINT: Final = "AIOPS_SOP_DIRS names directories with *.sop.md files (docs/sop-format.md)"
_Stamp = tuple[int, int, int]


def shipped() -> Path:
    """The folder of the shipped SOPs: inside the wheel, or at the repository's root."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "sops"
    return inside if inside.is_dir() else package.parents[1] / "sops"


@dataclass(frozen=True)
class _File:
    stamp: _Stamp
    sop: "Sop | None"
    problem: AiopsError | None


@dataclass
class SopLibrary:
    """All SOPs of one process. Building it reads nothing."""

    settings: "Settings"
    _files: dict[Path, _File] = field(default_factory=dict)
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def every(self) -> "tuple[Sop, ...]":
        """All that may run, by id."""
        sops, _ = self._read()
        return tuple(sops[name] for name in sorted(sops))

    def broken(self) -> Mapping[str, str]:
        """Name -> why it may not run, of the others."""
        _, problems = self._read()
        return {name: str(problem) for name, problem in sorted(problems.items())}

    def get(self, name: str) -> "Sop":
        """One. Raises SopNotFoundError with the nearest ids, SopInvalidError for a broken one."""
        sops, problems = self._read()
        if name in sops:
            return sops[name]
        if name in problems:
            raise problems[name]
        shown = "".join(char if char.isprintable() else "?" for char in name)[:60]
        near = nearest(name[:60], sorted(sops))
        hint = f"nearest: {', '.join(near)}" if near else "find_sops lists them"
        raise SopNotFoundError(f"SOP {shown}", "there is none of that name", hint)

    def replaced(self, name: str) -> str:
        """The directory whose file stands for the shipped SOP of this id; "" for none. After a read."""
        home, file = shipped(), f"{name}{SUFFIX}"
        own = [path for path in self._files if path.name == file and path.parent != home]
        return str(own[-1].parent) if own and (home / file) in self._files else ""

    def _read(self) -> "tuple[dict[str, Sop], dict[str, AiopsError]]":
        from aiops_sop.documents.cycles import broken_runs

        sops: dict[str, Sop] = {}
        problems: dict[str, AiopsError] = {}
        with self._reading:
            seen: dict[Path, _File] = {}
            for place in self._places():
                for path, stamp in _candidates(place):
                    known = self._files.get(path)
                    seen[path] = known if known and known.stamp == stamp else _loaded(path, stamp)
                    name = path.name.removesuffix(SUFFIX)
                    sops.pop(name, None)  # an operator's own stands for the shipped one, also when broken
                    problems.pop(name, None)
                    if (sop := seen[path].sop) is not None:
                        sops[name] = sop
                    elif (problem := seen[path].problem) is not None:
                        problems[name] = problem
            self._files = seen
        for name, says in broken_runs(sops).items():
            problems[name] = SopInvalidError(f"{name}{SUFFIX}:1", says, "correct what it runs")
        return {name: sop for name, sop in sops.items() if name not in problems}, problems

    def _places(self) -> Iterator[Path]:
        if (home := shipped()).is_dir():
            yield home
        for text in self.settings.sop.dirs:
            place = Path(text)
            if not place.is_dir():
                raise NotConfiguredError("SOPs", "AIOPS_SOP_DIRS names what is no directory", _HINT)
            yield place


def _candidates(place: Path) -> Iterator[tuple[Path, _Stamp]]:
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError as problem:
        raise NotConfiguredError("SOPs", "a directory of AIOPS_SOP_DIRS cannot be read", _HINT) from problem
    found = [entry for entry in entries if entry.name.endswith(SUFFIX)]
    if len(found) > MOST_FILES:
        raise NotConfiguredError("SOPs", f"a directory holds more than {MOST_FILES} SOPs", _HINT)
    for entry in found:
        try:
            about = entry.stat(follow_symlinks=False)
        except OSError:  # it went away between two looks
            continue
        if stat.S_ISREG(about.st_mode):
            yield Path(entry.path), (about.st_mtime_ns, about.st_size, about.st_ino)


def _loaded(path: Path, stamp: _Stamp) -> _File:
    from aiops_sop.documents.parsing import parse

    try:
        return _File(stamp, parse(_text(path), path.name), None)
    except AiopsError as problem:
        return _File(stamp, None, problem)


def _text(path: Path) -> str:
    try:
        # not followed even if it became a link since it was looked at
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SopInvalidError(f"{path.name}:1", f"is longer than {MOST_BYTES} bytes", "split it")
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SopInvalidError(f"{path.name}:1", "is no UTF-8 text", "write it as UTF-8") from None
    except OSError as problem:
        reason = f"cannot be read ({type(problem).__name__})"
        raise SopInvalidError(f"{path.name}:1", reason, "check the file") from None
