"""Where the lab and the real control plane do not say the same: `differences.md`, held to the letter.

Under a step's name stand the lines that differ, masked: `-` what the real one says, `+` what the lab says.
A step that is not listed must not differ, and a listed one must differ exactly so.
"""

import difflib
import re
from pathlib import Path

LISTED = Path(__file__).parent / "differences.md"
_BLOCK = re.compile(r"^### (\S+)\n+```diff\n(.*?)```\n", re.M | re.S)
_REASON = re.compile(r"^## .+\n\n[^\s#].{20,}", re.M)


def difference(real: str, lab: str) -> str:
    """The lines that only one of them says."""
    lines = difflib.unified_diff(real.splitlines(), lab.splitlines(), n=0, lineterm="")
    return "".join(f"{line}\n" for line in lines if not line.startswith(("---", "+++", "@@")))


def listed() -> dict[str, str]:
    """The difference of each listed step. Raises ValueError for a section without a reason."""
    text = LISTED.read_text(encoding="utf-8")
    for section in re.split(r"^(?=## )", text, flags=re.M)[1:]:
        if not _REASON.match(section):
            raise ValueError(f"no reason given: {section[:60]}")
    return dict(_BLOCK.findall(text))
