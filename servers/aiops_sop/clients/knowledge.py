"""Knowledge files: what a team knows of its own troubles, as YAML (docs/knowledge.md, B24).

Fulfils `ports.Lore`. Only plain `*.yaml` files directly in the shipped folder and in AIOPS_SOP_KNOWLEDGE_DIRS
are read; they are data: an entry can name a SOP and can make a decision stricter, and nothing else. A file
that breaks the form is left out, and said (`problems`).
"""

import logging
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.kube.manifests import load_with_nodes
from aiops_shared.settings import Settings
from aiops_sop.analysis.knowing import PLACES, about
from aiops_sop.clients.library import shipped
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Knowledge

MOST_BYTES: Final = 256 * 1024
MOST_FILES, MOST_ENTRIES, MOST_TEXT = 200, 500, 2_000
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
_KEYS: Final = frozenset(Knowledge.model_fields) - {"source"}
_Stamp = tuple[int, int]
_log = logging.getLogger("aiops.knowledge")


@dataclass
class KnowledgeFiles:
    """The entries of all files of one process. Files are read again when they changed."""

    settings: Settings
    _read: dict[Path, tuple[_Stamp, tuple[Knowledge, ...], str]] = field(default_factory=dict)

    def every(self) -> tuple[Knowledge, ...]:
        """All that are loaded; of equal ids the operator's own."""
        entries: dict[str, Knowledge] = {}
        for path in self._files():
            for one in self._entries(path):
                entries[one.id] = one
        return tuple(entries.values())

    def about(self, event: Event, cause: str = "") -> tuple[Knowledge, ...]:
        """Those whose pattern fits an event and the cause that was found."""
        return about(self.every(), event, cause)

    def problems(self) -> Mapping[str, str]:
        """File -> why it is left out."""
        self.every()
        return {path.name: says for path, (_, _, says) in self._read.items() if says}

    def _files(self) -> Iterator[Path]:
        for place in (shipped() / "knowledge", *map(Path, self.settings.sop.knowledge_dirs)):
            found = sorted(place.glob("*.yaml"))[:MOST_FILES] if place.is_dir() else []
            yield from (path for path in found if stat.S_ISREG(path.lstat().st_mode))

    def _entries(self, path: Path) -> tuple[Knowledge, ...]:
        about_it = path.lstat()
        stamp = (about_it.st_mtime_ns, about_it.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            try:
                if about_it.st_size > MOST_BYTES:
                    raise InvalidInputError(path.name, f"is larger than {MOST_BYTES} bytes")
                known = (stamp, entries_of(path.read_text("utf-8", "replace"), path.name), "")
            except AiopsError as error:
                _log.warning("knowledge left out: %s", error)
                known = (stamp, (), str(error))
            self._read[path] = known
        return known[1]


def entries_of(text: str, source: str) -> tuple[Knowledge, ...]:
    """The entries of one file: documents, or a list under `entries`. Raises InvalidInputError with the id."""
    documents, broken = load_with_nodes(text)
    if broken:
        raise InvalidInputError(source, "is no YAML of mappings", "see docs/knowledge.md")
    raw: list[Any] = []
    for _, document in documents:
        raw += document["entries"] if isinstance(document.get("entries"), list) else [document]
    if len(raw) > MOST_ENTRIES:
        raise InvalidInputError(source, f"has more than {MOST_ENTRIES} entries")
    found = tuple(_entry(one, source) for one in raw)
    if len({one.id for one in found}) < len(found):
        raise InvalidInputError(source, "names one id twice")
    return found


def _entry(raw: Any, source: str) -> Knowledge:
    name = raw.get("id") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(name, str) or not _ID.fullmatch(name):
        raise InvalidInputError(source, "an entry has no id of lower case words", "as payment-oom")
    if more := sorted(set(map(str, raw)) - _KEYS):
        raise InvalidInputError(
            f"{source} {name}", f"unknown key {more[0][:40]}", f"known: {', '.join(sorted(_KEYS))}"
        )
    if len(str(raw)) > MOST_TEXT * 4:
        raise InvalidInputError(f"{source} {name}", "is too long", "keep it to what decides")
    try:
        one = Knowledge.model_validate({**raw, "source": source})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"{source} {name}", f"{where}: {first['msg']}") from error
    if wrong := sorted(set(one.where) - set(PLACES)):
        raise InvalidInputError(f"{source} {name}", f"where.{wrong[0][:40]}", f"known: {', '.join(PLACES)}")
    if codes := [code for code in one.causes if not _CODE.fullmatch(code)]:
        raise InvalidInputError(
            f"{source} {name}", f"{codes[0][:40]} is no finding code", "see docs/causes.md"
        )
    return one
