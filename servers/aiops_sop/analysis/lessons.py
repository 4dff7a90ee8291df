"""What a confirmed outcome asks a SOP to become: a diff of its text, proposed and never written. Pure."""

import difflib
import re
from typing import Final

from aiops_sop.models.documents import Sop
from aiops_sop.models.incidents import Statistic

_CAUSES: Final = re.compile(r"^causes:\s*\[(.*)\]\s*$", re.MULTILINE)
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,63}")


def proposed_change(sop: Sop, cause: str, *, effective: bool, tried: Statistic) -> str:
    """A unified diff of the SOP's file; "" when nothing is to be learned from this outcome.

    What helped for a cause that the file does not name: the cause is added. What did not help for a cause
    that it names, more often than it did: the cause is taken out. What did not help otherwise: a line under
    Troubleshooting says so.
    """
    if not _CODE.fullmatch(cause):
        return ""
    named = cause in sop.causes
    if effective:
        after = sop.text if named else _with_causes(sop.text, (*sop.causes, cause))
    elif named and tried.helped * 2 < tried.tried and tried.tried > 1:
        after = _with_causes(sop.text, tuple(one for one in sop.causes if one != cause))
    else:
        after = _with_remark(sop.text, cause)
    if after == sop.text:
        return ""
    lines = difflib.unified_diff(
        sop.text.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{sop.source}",
        f"b/{sop.source}",
        n=2,
    )
    return "".join(lines)[:6_000]


def _with_causes(text: str, causes: tuple[str, ...]) -> str:
    line = f"causes: [{', '.join(causes)}]"
    if _CAUSES.search(text):
        return _CAUSES.sub(lambda _: line, text, count=1)
    head, mark, rest = text.partition("\ntarget:")
    return f"{head}\n{line}{mark}{rest}" if mark else text


def _with_remark(text: str, cause: str) -> str:
    remark = f"\n### It did not help\nThe cause was `{cause}`: check for it before the first change.\n"
    return text if f"The cause was `{cause}`" in text else f"{text.rstrip()}\n{_section(text)}{remark}"


def _section(text: str) -> str:
    return "" if re.search(r"^## Troubleshooting", text, re.MULTILINE) else "\n## Troubleshooting\n"
