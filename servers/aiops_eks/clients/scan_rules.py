"""Reads the organisation's scan rules from the operator's directory, and again when a file changed.

Called by `tools/manifests.py` in its worker thread. Raises NotConfiguredError when the directory cannot be
read or a rule in it is broken: a scan without a rule that somebody relies on would be a false pass.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiops_shared.errors import NotConfiguredError

if TYPE_CHECKING:
    from aiops_eks.diagnosis.scanning.organisation import RuleBook

MOST_BYTES: Final = 256 * 1024
_ENDINGS: Final = {".yaml", ".yml"}
_HINT: Final = "AIOPS_SCAN_RULES_DIR names a directory of rule files (docs/scanning.md)"
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass
class RuleFiles:
    """The rules of one directory; none without a directory."""

    dir: Path | None = None
    _read: dict[_Stamp, "RuleBook"] = field(default_factory=dict)

    def book(self) -> "RuleBook":
        """The compiled rules in force now."""
        from aiops_eks.diagnosis.scanning.organisation import NO_RULES, compile_rules

        if self.dir is None:
            return NO_RULES
        files = self._files(self.dir)
        try:
            stamp = tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
            if stamp not in self._read:
                texts = {file.name: self._text(file) for file in files}
                self._read = {stamp: compile_rules(texts)}
            return self._read[stamp]
        except (OSError, UnicodeDecodeError) as problem:
            reason = f"cannot be read ({type(problem).__name__})"
            raise NotConfiguredError("scan rules", reason, _HINT) from problem

    def _files(self, where: Path) -> list[Path]:
        try:
            files = sorted(file for file in where.iterdir() if file.suffix in _ENDINGS and file.is_file())
        except OSError as problem:
            raise NotConfiguredError("scan rules", "the directory cannot be read", _HINT) from problem
        if not files:
            raise NotConfiguredError("scan rules", "the directory holds no rule file", _HINT)
        return files

    def _text(self, file: Path) -> str:
        if file.stat().st_size > MOST_BYTES:
            raise NotConfiguredError(
                f"scan rules, {file.name}", f"is longer than {MOST_BYTES} bytes", "split it"
            )
        return file.read_text(encoding="utf-8")
