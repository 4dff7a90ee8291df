"""What the parsers start from: texts of the repository, and the inputs that once broke something.

`fuzz/corpus/TARGET.json` is a list of texts that stays; shipped SOPs, pages and test inputs are read where
they stand, so the corpus grows with them. Called by `fuzz.parsers.running` and by `tests/fuzz`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.attacking import COMMON, ROWS

ROOT: Final = Path(__file__).resolve().parents[2]
KEPT: Final = ROOT / "fuzz" / "corpus"
_FENCE: Final = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_LONGEST: Final = 16_000


def seeds(target: str) -> list[bytes]:
    """Every input to begin with, each once."""
    own = (
        json.loads((KEPT / f"{target}.json").read_text("utf-8")) if (KEPT / f"{target}.json").exists() else []
    )
    found = [*own, *_GROWN.get(target, _texts)()]
    return list(dict.fromkeys(one.encode("utf-8", "replace")[:_LONGEST] for one in found if one))


def _sops() -> Iterator[str]:
    for file in sorted((ROOT / "sops").rglob("*.sop.md"))[:12]:
        yield file.read_text("utf-8")


def _expressions() -> Iterator[str]:
    """What shipped SOPs compute."""
    for text in _sops():
        yield from (one.strip() for one in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL)[:8])
        yield from (f"{{{{ {one.strip()} }}}}" for one in re.findall(r"^if: (.+)$", text, re.MULTILINE)[:4])


def _fenced(*languages: str) -> Iterator[str]:
    """Blocks of the pages in these languages."""
    for file in sorted((ROOT / "docs").glob("*.md")):
        for language, text in _FENCE.findall(file.read_text("utf-8")):
            if language in languages:
                yield text


def _policies() -> Iterator[str]:
    for file in sorted((ROOT / "shared/aiops_shared/guardrails/policies").glob("*.cedar")):
        yield file.read_text("utf-8")
    yield from _fenced("cedar")


def _yaml() -> Iterator[str]:
    yield from _fenced("yaml", "yml")


def _json() -> Iterator[str]:
    yield from _fenced("json")


def _texts() -> Iterator[str]:
    yield from ROWS.values()
    yield from COMMON.values()


_GROWN: Final = {
    "sop": _sops,
    "cel": _expressions,
    "rules": _yaml,
    "manifest": _yaml,
    "scan": _yaml,
    "collector": _yaml,
    "knowledge": _yaml,
    "policy": _policies,
    "events": _json,
    "bearer": _json,
}
