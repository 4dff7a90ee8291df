"""What a secret looks like in text: named rules, each with its own idea of what only looks like one.

Used by `redacting` alone. Formats are public ones: AWS key ids (IAM User Guide, "IAM identifiers"), JWT
(RFC 7519), PEM (RFC 7468), URL user information (RFC 3986, 3.2.1), HTTP authentication (RFC 9110, 11).
Every quantifier is bounded or meets a character that it cannot match, so that hostile text costs no more.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

MASK: Final = re.compile(r"\[redacted:[a-z-]+\]")

_WORD: Final = (
    r"passwords?|passwd|passphrase|passwort|pwd|(?<=[_-])pass|secret|credentials?"
    # cursors are called tokens too: nextToken, page_token
    r"|(?<!next)(?<!next[_-])(?<!page)(?<!page[_-])(?<!continue)(?<!continue[_-])(?<!sync)(?<!sync[_-])"
    r"(?<!continuation)(?<!continuation[_-])(?<!num[_-])(?<!max[_-])(?<!min[_-])tokens?"
    r"|(?:api|access|secret|private|account|signing|encryption|master|license|ssh|deploy)[_.-]?key"
    r"|client-key-data"
)
NAME: Final = re.compile(rf"(?i)[\w./-]{{0,128}}?(?:{_WORD})(?:[_-]?\d{{1,3}})?")
# checksum/secret is a hash of one; an ExternalSecret is an object.
_NAMES_NO_SECRET: Final = re.compile(r"(?i)checksum|digest|(?:external|sealed|push)secret$")
_MASK_FIRST: Final = re.compile(r"(\[redacted:[a-z-]+\])[,;)\]}\\]*")
# Lower case, and searched as plain text: a clean line costs some 40 substring searches and no expression.
_HINTS: Final = (
    *("passw", "passphrase", "pwd", "_pass", "-pass", "secret", "token", "credential", "key", "auth"),
    *("bearer", "basic", "cookie", "-----begin", "ls0tls1crudjti", "h4si", "sdrzsu", "akia", "asia", "eyj"),
    *("iqoj", "fwog", "fqog", "aqod", "x-amz-", "sig=", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat"),
    *(
        "glpat-",
        "xox",
        "xapp-",
        "hooks.slack",
        "aiza",
        "ya29.",
        "gocspx",
        "k_live",
        "k_test",
        "whsec_",
        "sg.",
    ),
    *("npm_", "pypi-", "glsa_", "glc_", "sk-", "hvs.", "dop_v1"),
    *("hf_", "dckr_", "8q~", "k8s-aws-v1", "identified", "requirepass", "curl"),
)


def hinted(text: str) -> bool:
    """Whether any rule could have something to do; cheap."""
    lower = text.lower()
    if "://" in lower and "@" in lower:
        return True
    for hint in _HINTS:  # noqa: SIM110  # any() over a generator takes twice as long, for every string sent
        if hint in lower:
            return True
    return False


# What the structure of a tree gives away beside names and texts: types of Secrets, fields that are dropped.
_PLACES: Final = ("opaque", "kubernetes.io/", "helm.sh/", "managedfields")
# The letters beyond ASCII that an expression without regard to case takes for i, s and k (`re.IGNORECASE`).
_FOLDED: Final = re.compile("[\u0130\u0131\u017f\u212a]")


def hinted_throughout(text: str) -> bool:
    """Whether a tree, given as its JSON text, could hold anything to redact by name, by place or by a rule.

    No hint holds a character that JSON escapes, so what is a hint in one of its strings is one in the text.
    """
    lower = text.lower()
    return hinted(text) or _FOLDED.search(text) is not None or any(place in lower for place in _PLACES)


def is_secret_name(name: str) -> bool:
    """Whether a key, variable or flag of this name holds a secret: `DB_PASSWORD` yes, `secretName` no."""
    return NAME.fullmatch(name) is not None and _NAMES_NO_SECRET.search(name) is None


def mask(rule: str, counts: Counter[str] | None = None) -> str:
    """What stands in place of a secret; counts it."""
    if counts is not None:
        counts[rule] += 1
    return f"[redacted:{rule}]"


_EMPTY: Final = frozenset(
    {"", "null", "none", "nil", "true", "false", "undefined", "~", "{}", "[]", "|", ">"}
)
_HARMLESS: Final = re.compile(
    r"\[redacted:[a-z-]+\]"  # masked already
    r"|[$%]\([\w .:/-]*\)?|\$\{[\w .:/-]*\}?|\{\{[^{}]*\}\}|<[^<>]*>"  # a reference to a value kept elsewhere
    r"|arn:aws[\w:/.*-]*"
    r"|/(?:var|run|etc|mnt|home|tmp|opt|usr|secrets|app|root)(?:/[\w./-]*)?"  # a path
    r"|[*x.\-]{3,}|[*]+",
    re.I,
)
_PROSE: Final = frozenset(
    {
        *("a", "an", "the", "is", "was", "are", "has", "have", "not", "no", "must", "may", "can", "cannot"),
        *("should", "will", "for", "from", "in", "of", "on", "to", "by", "and", "or", "with", "required"),
        *("invalid", "missing", "expired", "incorrect", "wrong", "empty", "failed", "failure", "changed"),
        *("updated", "rotated", "denied", "unknown", "error", "rejected", "refused", "found", "revoked"),
        *("mismatch", "rotation", "expiry", "refreshed", "created", "deleted", "unset"),
    }
)


def harmless(value: str) -> bool:
    """Whether a value under a secret's name is none: empty, masked, a reference, an ARN, a path."""
    return value.strip().lower() in _EMPTY or _HARMLESS.fullmatch(value.strip()) is not None


@dataclass(frozen=True)
class Rule:
    """One named rule. `secret` says which part of a match is secret, or None for a look-alike."""

    name: str
    source: str
    secret: Callable[[re.Match[str]], tuple[int, int] | None]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled with the first text that is redacted, not with the server's start (D31)."""
        return re.compile(self.source)

    def applied(self, text: str, counts: Counter[str] | None) -> str:
        """The text with every secret of this rule masked."""

        parts: list[str] = []
        kept = position = 0
        while match := self.pattern.search(text, position):
            span = self.secret(match)
            if span is None:  # a look-alike, but its value may hold a real one
                position = match.start("value") if "value" in self.pattern.groupindex else match.end()
                continue
            clean = MASK.fullmatch(text, *span) is not None
            parts += [text[kept : span[0]], text[slice(*span)] if clean else mask(self.name, counts)]
            kept = position = span[1]
        return "".join([*parts, text[kept:]])


def _whole(match: re.Match[str]) -> tuple[int, int] | None:
    return match.span()


def _value(match: re.Match[str]) -> tuple[int, int] | None:
    return match.span("value")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def _user_and_password(match: re.Match[str]) -> tuple[int, int] | None:
    """Base64 of `user:password`, as Basic authentication and Docker's `auth` have it."""
    found = _decoded(match["value"])
    return match.span("value") if b":" in found and found.isascii() else None


def _encoded_private_key(match: re.Match[str]) -> tuple[int, int] | None:
    return match.span() if b"PRIVATE KEY" in _decoded(match.group()[:120].rstrip("=")[:116]) else None


def _near_key_id(match: re.Match[str]) -> tuple[int, int] | None:
    """40 characters of base64 beside an AWS key id; a git commit there is hexadecimal."""
    return None if re.fullmatch(r"[0-9a-f]{40}", match["value"]) else match.span("value")


def _inner(match: re.Match[str]) -> tuple[int, int]:
    """The value without its quotes and, when bare, without closing punctuation."""
    start, end = match.span("value")
    text = match["value"]
    quote = re.match(r"\\{0,3}[\"']", text)
    if quote:
        closing = len(quote.group()) if text.endswith(quote.group()) and len(text) > len(quote.group()) else 0
        return start + len(quote.group()), end - closing
    if text[0] in "|>" and "\n" in text:
        return start, end - (len(text) - len(text.rstrip("\n")))
    masked = _MASK_FIRST.fullmatch(text)
    return start, start + (len(masked[1]) if masked else len(text.rstrip(",;)]}\\")) or len(text))


_PREFIX: Final = re.compile(r"[\w./-]{0,64}$")
_IN_ARN: Final = re.compile(r"arn:aws[\w:/.-]*:$")  # …:secret:shop/db-a1B2c3 names a secret
_STANDS_ALONE: Final = re.compile(r"(?:^|[\n{,\[;?&])[ \t\-]*(?:\\{0,3}[\"'])?$")
_GENERAL: Final = frozenset({"secret", "token", "credential", "credentials"})


def _assigned(match: re.Match[str]) -> tuple[int, int] | None:
    """The value of an assignment to a secret's name, unless name or value say that it is none."""
    before = match.string[max(0, match.start() - 80) : match.start()]
    found = _PREFIX.search(before)
    prefix = found.group() if found else ""
    name = f"{prefix}{match['word']}"
    span = _inner(match)
    value = match.string[slice(*span)]
    if _NAMES_NO_SECRET.search(name) or _IN_ARN.search(before):
        return None
    if harmless(value) or _is_prose(match, name, value):
        return None
    if name.lower() in _GENERAL and not _STANDS_ALONE.search(before[: len(before) - len(prefix)]):
        return span if _looks_random(value, match["value"]) else None
    return span


def _in_secret(match: re.Match[str]) -> tuple[int, int] | None:
    """The data block, when the text around says that the object is a Secret."""
    text = match.string
    near = text[max(0, match.start() - 4096) : match.end() + 4096]
    said = re.search(r"kind\\?[\"']?\s*:\s*\\?[\"']?Secret\b", near) is not None
    return match.span("value") if said else None


def _element(match: re.Match[str]) -> tuple[int, int] | None:
    return None if harmless(match["value"]) else match.span("value")


def _of_curl(match: re.Match[str]) -> tuple[int, int] | None:
    """`-u name:password`, when curl stands before it on the line."""
    before = match.string[max(0, match.start() - 512) : match.start()].rpartition("\n")[2]
    return match.span("value") if re.search(r"\bcurl\b", before) else None


def _unless_harmless(match: re.Match[str]) -> tuple[int, int] | None:
    value = match.string[slice(*_inner(match))]
    return None if harmless(value) or value.lower().rstrip(".!") in _PROSE else _inner(match)


def _is_prose(match: re.Match[str], name: str, value: str) -> bool:
    lower = name.lower()
    if lower.endswith("pwd") and re.fullmatch(r"/[\w./-]*", value):
        return True  # PWD=/app is the working directory
    quoted = match["value"][0] in "\"'\\"
    if "pass" not in lower and "pwd" not in lower and value.isdigit() and len(value) <= 9:
        return True  # token=128 counts
    return not quoted and "=" not in match["sep"] and value.lower().rstrip(".!") in _PROSE


def _looks_random(value: str, raw: str) -> bool:
    """In running text: `secret: default/web-tls` names an object, `token=9f3aQ…` is one."""
    if re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", value):
        return False
    if len(value) < 6:
        return False
    has_digit = any(char.isdigit() for char in value)
    return has_digit or len(value) >= 20 or (raw[0] in "\"'\\" and not value.islower())


_QUOTE = r"(?:\\{0,3}[\"'])?"
_NEXT_PARAMETER = r"(?![&;,]\s*[\w.-]{1,64}=)"
_CLOSING_QUOTE = r"[\"'](?:[\s,;:)\]}&]|\Z)"
_VALUE = (
    r"(?P<value>\\{1,3}\"[^\"\n]{0,4096}?\\{1,3}\"|\"(?:[^\"\\\n]|\\.){0,8192}\"|'(?:[^'\\\n]|\\.){0,8192}'"
    r"|[|>][+-]?[ \t]*\n(?:[ \t]+[^\n]*(?:\n|\Z))+"  # a YAML block
    r"|\[\s*\\{0,3}[\"'][^\[\]]{1,4096}\]"  # a list of texts: "passwords": ["a", "b"]
    # bare; `{`, `[` and `<` open structure or a placeholder, except where a mask or an `=` stands before
    rf"|(?:[\"'](?=[^\s\"'])|{_NEXT_PARAMETER}[^\s\"'{{<\[]|(?<==)[{{\[]|\[redacted:|(?<==)<(?=[^<>\s]*(?:\s|\Z)))"
    rf"(?:{_NEXT_PARAMETER}(?!{_CLOSING_QUOTE})\S)*)"
)


def _rule(
    name: str, pattern: str, secret: Callable[[re.Match[str]], tuple[int, int] | None] = _value
) -> Rule:
    return Rule(name, pattern, secret)


_VENDORS = (
    r"gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,255}|xapp-\d-[A-Za-z0-9-]{10,255}"
    r"|(?<=hooks\.slack\.com/services/)T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,64}"
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,512}|GOCSPX-[A-Za-z0-9_-]{20,64}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9+/=]{24,128}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}|npm_[A-Za-z0-9]{36}|pypi-AgEI[A-Za-z0-9_-]{40,512}"
    r"|glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/=]{40,512}|hvs\.[A-Za-z0-9_-]{20,512}"
    r"|sk-(?:ant-|proj-)?(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_]{20,255}[A-Za-z0-9_-]*|dop_v1_[a-f0-9]{64}"
    r"|hf_[A-Za-z0-9]{30,64}|dckr_pat_[A-Za-z0-9_-]{20,64}|[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,37}"
)

RULES: Final = (
    _rule(
        "private-key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.)*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        _whole,
    ),
    _rule("private-key", r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,16384}={0,2}", _encoded_private_key),
    _rule(
        "secret-data",
        r"(?m)^(?P<indent>[ \t]*)(?:data|stringData):[ \t]*"
        r"(?P<value>\n(?P=indent)[ \t]+[^\n]*(?:\n(?P=indent)[ \t]+[^\n]*)*)",
        _in_secret,
    ),
    _rule(
        "secret-data",
        r"\"(?:data|stringData)\"\s*:\s*\{(?P<value>[^{}]{1,65536})\}",
        _in_secret,
    ),
    _rule(  # a Helm release as it is stored: gzip in base64, and once more in base64 as the Secret has it
        "secret-data",
        r"(?<![A-Za-z0-9+/])(?:H4sI|SDRzSU)[A-Za-z0-9+/]{60,}={0,2}",
        _whole,
    ),
    _rule("jwt", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,8192}(?:\.[A-Za-z0-9_-]{2,16384}){1,4}\.?", _whole),
    _rule(
        "aws-secret",
        r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])[^\n]{1,120}?"
        r"(?<![A-Za-z0-9/+])(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _near_key_id,
    ),
    _rule(
        "aws-secret",
        r"(?<![A-Za-z0-9/+])(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
        r"(?=[^\n]{1,60}?(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9]))",
        _near_key_id,
    ),
    _rule("aws-key-id", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", _whole),
    _rule(
        "session-token",
        r"(?<![A-Za-z0-9/+])(?:IQoJ|FwoG|FQoG|AQoD)[A-Za-z0-9/+%]{60,8192}={0,2}|k8s-aws-v1\.[A-Za-z0-9_-]{16,4096}"
        r"|(?<=X-Amz-Signature=)[0-9a-f]{32,128}|(?<=X-Amz-Security-Token=)[^&\s\"']{16,8192}"
        r"|(?<=[?&]sig=)[A-Za-z0-9%+/=]{30,128}",
        _whole,
    ),
    _rule("vendor-token", rf"(?<![A-Za-z0-9])(?:{_VENDORS})", _whole),
    _rule(
        "url-password",
        r"://[^\s:/@\"'<>]{0,256}:(?P<value>[^\s/\"'<>]{1,512})@(?=[\w.\[$-])",
    ),
    _rule(
        "url-password",
        r"(?i)(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|clickhouse)(?:\+\w{1,20})?"
        r"://[^\s:/@\"'<>]{0,256}:(?P<value>[^\s\"'<>]{1,512})@(?=[\w.\[$-])",
    ),
    _rule(
        "authorization",
        rf"(?i)authorization{_QUOTE}\s*[:=]\s*{_QUOTE}(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)"
        r"[ \t]+(?P<value>[^\s\"'\\]{4,8192}(?:,[ \t]*[^\s\"'\\]{1,2048}){0,8})",
    ),
    _rule(
        "authorization",
        r"(?i)\bbearer[ \t]+(?P<value>(?=[A-Za-z0-9._~+/=-]*\d)[A-Za-z0-9._~+/=-]{16,8192})",
    ),
    _rule("authorization", r"\b[Bb]asic[ \t]+(?P<value>[A-Za-z0-9+/]{8,1024}={0,2})", _user_and_password),
    _rule(
        "authorization", r"\"auth\\?\"\s*:\s*\\?\"(?P<value>[A-Za-z0-9+/]{8,1024}={0,2})", _user_and_password
    ),
    _rule("cookie", r"(?i)\b(?:set-)?cookie:[ \t]*(?P<value>[^\s=;]{1,128}=[^\n\"]{1,4096})"),
    _rule(
        "env-pair",
        rf"(?i)\bname{_QUOTE}[ \t]*:[ \t]*{_QUOTE}[\w./-]{{0,128}}?(?:{_WORD})(?:[_-]?\d{{1,3}})?{_QUOTE}"
        r"\s*+,?\s*+"  # possessive: a long run of blanks could be split in countless ways
        rf"{_QUOTE}value{_QUOTE}[ \t]*:[ \t]*{_VALUE}",
        _unless_harmless,
    ),
    _rule(
        "assignment", rf"(?i)<(?P<tag>[\w.:-]{{0,64}}?(?:{_WORD}))>(?P<value>[^<>\n]{{1,4096}})</", _element
    ),
    _rule(  # SQL, redis.conf
        "assignment",
        r"(?i)\b(?:(?:identified[ \t]+by|password)[ \t]+(?=['\"])|(?:requirepass|masterauth)[ \t]+)"
        r"(?P<value>'[^'\n]{1,1024}'|\"[^\"\n]{1,1024}\"|[^\s'\"]{1,1024})",
        _inner,
    ),
    _rule(
        "assignment",
        r"(?<=[ \t])(?:-u|--user)[ \t]{1,8}[^\s:]{1,128}:(?P<value>\S{1,1024})",
        _of_curl,
    ),
    _rule(
        "assignment",  # --password hunter2, also as items of a list in JSON and YAML
        rf"(?i)(?<![\w-])--?[\w-]{{0,64}}?(?:{_WORD})(?:[ \t]+|{_QUOTE}\s*+,\s*+(?=\\{{0,3}}[\"'])"
        rf"|{_QUOTE}[ \t]*\n[ \t]*-[ \t]+)(?=[^\s-])(?!\\{{0,3}}[\"']-){_VALUE}",
        _unless_harmless,
    ),
    _rule(
        "assignment",
        rf"(?i)(?P<word>{_WORD})(?:[_-]?\d{{1,3}})?{_QUOTE}"
        rf"(?P<sep>[ \t]*(?:=>|:=|[:=])[ \t]*){_VALUE}",
        _assigned,
    ),
)
