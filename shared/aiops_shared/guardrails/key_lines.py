"""Private keys that stretch over log lines: line by line, no redactor could see them (T6).

Readers of logs call it on the lines of one source in their order, before anything is searched, counted or
cut. A window of lines may begin or end inside of a key, so that its first or its last line is missing: what
comes before a lone end is taken for the key, and a run as long as a line of PEM (RFC 7468: 64), OpenSSH (70)
or MIME (76) is one by itself.
"""

import re
from collections.abc import Iterable
from typing import Final

MASK: Final = "[redacted:private-key]"
KEY_PART: Final = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY")
_RUN: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{64,76}(?![A-Za-z0-9+/=])")
_LENGTHS: Final = frozenset({64, 70, 76})


def without_keys(texts: Iterable[str]) -> list[str]:
    """The lines with every part of a private key taken out, as many as were given."""
    kept: list[str] = []
    inside, since = False, 0  # `since`: where lines begin that no known key ended before
    for text in texts:
        begins, ends = bool(_BEGIN.search(text)), bool(_END.search(text))
        if ends and not (inside or begins):
            kept[since:] = [KEY_PART.sub(MASK, each) for each in kept[since:]]
        kept.append(MASK if inside or begins or ends else without_key_lines(text))
        inside = (inside or begins) and not ends
        since = len(kept) if ends else since
    return kept


def without_key_lines(text: str) -> str:
    """A text without runs that are one line of a key; a digest of that length has letters of one case."""
    return _RUN.sub(_masked, text)


def _masked(match: re.Match[str]) -> str:
    run = match.group()
    mixed = any(c.islower() for c in run) and any(c.isupper() for c in run) and any(c.isdigit() for c in run)
    return MASK if mixed and len(run) in _LENGTHS else run
