"""Which line of a dying container's log says why, and what it blames.

Log text decides only through the patterns in here (threat T7): it can make a rule choose between causes
that the cluster's own state leaves open, and it is quoted; it never becomes an instruction or a next step.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

_FATAL = re.compile(
    r"level=\"?(?:fatal|panic|critical)|\"level\":\s*\"(?:fatal|panic|critical)\""
    r"|\b(?:FATAL|CRITICAL|PANIC)\b|^(?:panic|fatal error|fatal):",
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"level=\"?err|\"level\":\s*\"err|\b(?:ERROR|SEVERE)\b|^(?:error|E\d{4}\s)"
    r"|\b[A-Z]\w*(?:Error|Exception)\b|^Caused by:|\bfailed\b|\bcannot\b",
    re.IGNORECASE,
)
_FRAME = re.compile(r"^\s+(?:at |File \")|^goroutine \d+|^\s*\.\.\. \d+ more|^\t")


class Blame(StrEnum):
    """What a log line blames; the value is what the rules and the docs call it."""

    DEPENDENCY = "dependency"
    PERMISSION = "permission"
    READ_ONLY = "read-only file system"
    PORT = "port in use"
    DISK = "no space left"
    CERTIFICATE = "certificate"
    ARCHITECTURE = "wrong architecture"
    ARGUMENTS = "arguments"
    SETTING = "setting"


# More telling first: "cannot open config: permission denied" is about the permission.
_WORDS: dict[Blame, tuple[str, ...]] = {
    Blame.ARCHITECTURE: (r"exec format error",),
    Blame.READ_ONLY: (r"read-only file ?system", r"\bEROFS\b"),
    Blame.DISK: (r"no space left on device", r"\bENOSPC\b", r"disk quota exceeded"),
    Blame.PORT: (
        r"address already in use",
        r"\bEADDRINUSE\b",
        r"port \d+ (?:is )?already (?:in use|allocated)",
    ),
    Blame.CERTIFICATE: (
        r"certificate (?:has expired|is not yet valid)",
        r"\bCERT_HAS_EXPIRED\b",
        r"CertificateExpired",
    ),
    Blame.PERMISSION: (
        r"permission denied",
        r"\bEACCES\b",
        r"operation not permitted",
        r"\bEPERM\b",
        r"AccessDeniedException",
    ),
    Blame.DEPENDENCY: (
        r"connection refused|\bECONNREFUSED\b|connection timed out|no route to host|dial tcp|i/o timeout",
        r"no such host|\bENOTFOUND\b|getaddrinfo|name or service not known|UnknownHostException",
        r"temporary failure in name resolution|server misbehaving|\bETIMEDOUT\b",
        r"could not (?:connect|translate host name)",
    ),
    Blame.ARGUMENTS: (
        r"unknown (?:shorthand )?flag|flag provided but not defined|unrecognized (?:option|argument)",
        r"invalid (?:option|argument)s?\b|unknown (?:option|command)\b|^usage:",
    ),
    Blame.SETTING: (
        r"(?:required|missing|mandatory|undefined|unset)\b.{0,60}\b(?:setting|variable|env\w*|config\w*|key)",
        r"(?:setting|variable|env\w*|config\w*)\b.{0,80}\b(?:required|missing|empty|unset|undefined)",
        r"(?:setting|variable|env\w*|config\w*)\b.{0,80}\b(?:must be set|not (?:set|found|defined))",
        r"KeyError: '[A-Z][A-Z0-9_]+'",
        r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+ (?:is )?(?:required|missing|empty|not set|undefined)",
    ),
}
_PATTERNS = {blame: re.compile("|".join(words), re.IGNORECASE) for blame, words in _WORDS.items()}
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b")


def telling_line(lines: Sequence[str]) -> str:
    """The line that most likely says why the run ended: the last fatal one, else the last error.

    Empty when the log ends without an error: nothing then blames the program.
    """
    own = [line for line in lines if line.strip() and not _FRAME.search(line)]
    for pattern in (_FATAL, _ERROR):
        found = [line for line in own if pattern.search(line)]
        if found:
            return found[-1]
    return ""


def blamed(line: str) -> Blame | None:
    """What the line blames, by pattern."""
    return next((blame for blame, pattern in _PATTERNS.items() if pattern.search(line)), None)


def names(line: str, name: str) -> bool:
    """Whether the line holds exactly this object name: `a` is not named by `a-v2`."""
    return bool(re.search(rf"(?<![A-Za-z0-9.-]){re.escape(name)}(?![A-Za-z0-9]|[.-][A-Za-z0-9])", line))


def variables(line: str) -> tuple[str, ...]:
    """Names of environment variables in the line."""
    return tuple(dict.fromkeys(_VARIABLE.findall(line)))
