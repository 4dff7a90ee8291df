"""Differences between the simulator and a real server that stand for now: one page each, read by the tests.

A page says what differs, both answers (as JSON, which the tests expect), why it stays, and what it risks.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "differences"
SECTIONS = ("Real answer", "Simulator's answer", "Reason", "Risk for the product")
_FENCE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)


@dataclass(frozen=True)
class Known:
    """One listed difference."""

    name: str
    title: str
    sections: dict[str, str]

    def of(self, server: str) -> Any:
        """What a server answers. Raises ValueError where the page has no JSON there."""
        section = SECTIONS[0] if server == "real" else SECTIONS[1]
        found = _FENCE.search(self.sections.get(section, ""))
        if found is None:
            raise ValueError(f"differences/{self.name}.md: no JSON under {section!r}")
        return json.loads(found[1])


@cache
def known_difference(name: str) -> Known:
    """The page of a difference. Raises FileNotFoundError."""
    title, *rest = re.split(r"^## ", (FOLDER / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in rest}
    return Known(name, title.strip(), sections)


def listed() -> list[str]:
    """Every difference there is a page for."""
    return sorted(page.stem for page in FOLDER.glob("*.md"))
