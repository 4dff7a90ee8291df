"""Which line of a dying container's log says why, and what it blames.

Log text decides only through the patterns in here (threat T7): it can make a rule choose between causes
that the cluster's own state leaves open, and it is quoted; it never becomes an instruction or a next step.
"""

import re
from collections.abc import Iterator, Sequence
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
_CALM = re.compile(
    r"level=\"?(?:info|debug|trace)|\"level\":\s*\"(?:info|debug|trace)|\b(?:INFO|DEBUG|TRACE)\b"
)
_USAGE = re.compile(r"^(?:incorrect )?usage(?: of \S+)?:(?!\s*\d)", re.IGNORECASE)
_HELP = re.compile(r"^(?:global |available )?(?:flags|options|commands|arguments):", re.IGNORECASE)
_OPTION = re.compile(r"^\s+(?:--?[A-Za-z]|\[-)")
# Says only that it ends: what it says of the why stands before it.
_ONLY_ENDS = re.compile(
    r"giving up|exiting|shutting down|program will exit|abort(?:ed|ing)|terminating"
    r"|could not create the java virtual machine|a fatal exception has occurred|application run failed"
    r"|exited? with (?:exit )?(?:code|status)|command failed with|lifecycle script|ELIFECYCLE",
    re.IGNORECASE,
)


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
        r"connection refused|\bECONNREFUSED\b|connect(?:ion)? timed out|no route to host|dial tcp",
        r"i/o timeout",
        r"no such host|\bENOTFOUND\b|getaddrinfo|name or service not known|UnknownHostException",
        r"temporary failure in name resolution|server misbehaving|\bETIMEDOUT\b",
        r"could not (?:connect|translate host name)",
    ),
    Blame.ARGUMENTS: (
        # Go: flag, pflag and cobra, kingpin
        r"unknown (?:shorthand |long |short )?flag\b|flag provided but not defined|flag needs an argument",
        r"required flag\(s\)|unknown command \S+ for |invalid argument \S+ for ",
        r"invalid value .{0,80} for (?:flag|'-)",
        r"accepts (?:at most |at least |between )?\d+ .{0,20}arg\(s\), received",
        # getopt of GNU, busybox and BSD, perl, ruby, nginx
        r"unrecogni[sz]ed (?:VM )?(?:option|argument|subcommand|command or argument)s?\b",
        r"(?:invalid|illegal|bad|unknown|no such) options?(?:: | -- | ['\"`-])",
        r"option (?:'\S+' )?requires an argument",
        # argparse, click, clap, commander, yargs
        r"the following (?:required )?arguments (?:are required|were not provided)",
        r"argument \S+: (?:invalid|expected|not allowed)|unexpected (?:extra )?argument",
        r"(?:missing|no such) option\b|no such command '|found argument '|unknown arguments?: ",
        r"required option '|command line arguments?: ",
        r"^(?:incorrect )?usage(?: of \S+)?:",
    ),
    Blame.SETTING: (
        r"(?:required|missing|mandatory|undefined|unset)\b.{0,60}\b(?:setting|variable|env\w*|config\w*|key)",
        r"(?:setting|variable|env\w*|config\w*)\b.{0,80}\b(?:required|missing|empty|unset|undefined)",
        r"(?:setting|variable|env\w*|config\w*)\b.{0,80}\b(?:must be set|not (?:set|found|defined))",
        r"KeyError: '[A-Z][A-Z0-9_]+'",
        r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+ (?:is )?(?:required|missing|empty|not set|undefined|unset)",
        r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+ must (?:be (?:set|given|provided)|not be empty)",
    ),
}
_PATTERNS = {blame: re.compile("|".join(words), re.IGNORECASE) for blame, words in _WORDS.items()}
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b")


def telling_line(lines: Sequence[str]) -> str:
    """The line that most likely says why the run ended.

    The last fatal one, else the last error, else the last that blames something without a level (`unknown
    flag: --x`). One that only says the end gives way to the one before. Empty when the log ends without a
    complaint: nothing then blames the program.
    """
    own = list(_own(lines))
    for pattern in (_FATAL, _ERROR):
        found = [line for line in own if pattern.search(line)]
        if found:
            return _why(found, own)
    return _bare(own)


def _own(lines: Sequence[str]) -> Iterator[str]:
    """Lines that say something: no frames of a trace, no help text under a usage line."""
    helping = False
    for line in lines:
        usage = bool(_USAGE.search(line))
        helping = usage or bool(_HELP.search(line)) or (helping and not line[:1].strip())
        idle = not line.strip() or _FRAME.search(line) or _OPTION.search(line)
        if usage or not (helping or idle):
            yield line


def _why(found: Sequence[str], own: Sequence[str]) -> str:
    """The last of the found; when it only says the end, the last complaint before it."""
    last = found[-1]
    if not _only_ends(last):
        return last
    before = own[: len(own) - 1 - own[::-1].index(last)]
    complaints = [line for line in before if _ERROR.search(line) and not _only_ends(line)]
    return complaints[-1] if complaints else _bare(before) or last


def _only_ends(line: str) -> bool:
    return bool(_ONLY_ENDS.search(line)) and blamed(line) is None


def _bare(own: Sequence[str]) -> str:
    """The last line without a calm level that blames something, a usage text only when nothing else does."""
    found = [line for line in own if not _CALM.search(line) and blamed(line) is not None]
    return next((line for line in reversed(found) if not _USAGE.search(line)), found[-1] if found else "")


def blamed(line: str) -> Blame | None:
    """What the line blames, by pattern."""
    return next((blame for blame, pattern in _PATTERNS.items() if pattern.search(line)), None)


def names(line: str, name: str) -> bool:
    """Whether the line holds exactly this object name: `a` is not named by `a-v2`."""
    return bool(re.search(rf"(?<![A-Za-z0-9.-]){re.escape(name)}(?![A-Za-z0-9]|[.-][A-Za-z0-9])", line))


def variables(line: str) -> tuple[str, ...]:
    """Names of environment variables in the line."""
    return tuple(dict.fromkeys(_VARIABLE.findall(line)))
