"""How text that somebody else wrote is shown: one line, escaped, short, in quotes (threat T7).

Called wherever a rule puts a log line, an event or a message into a finding. The text was redacted when it
was gathered, so cutting it here cannot split a secret out of the redactor's sight.
"""

import re
import unicodedata

LONGEST = 200
_NAME = re.compile(r"[^A-Za-z0-9_.:/@-]")


def escaped(text: str) -> str:
    """Control, format and line-breaking characters as visible escapes."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}:
        return char
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\u{ord(char):04x}")


def quoted(text: str) -> str:
    """The text as a quotation of at most 200 characters."""
    shown = escaped(text.strip())
    return f'"{shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"}"'


def plain_name(text: str) -> str:
    """A name found inside a text: anything that no Kubernetes name or image may hold is dropped."""
    return _NAME.sub("", text)[:253]
