"""One log line, read whatever its form: JSON, logfmt, or plain text with a level in it.

Called by the readers of logs before anything is counted or mined: what is mined is the message, what is
counted are the fields. A JSON line of Fluent Bit (`log`, `log_processed`, `kubernetes`) is read through its
wrapping. Pure; the text is somebody else's, so every search is bounded.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

LONGEST = 8_000
GRAVE = ("fatal", "error")
LEVELS = ("fatal", "error", "warn", "info", "debug")
_NAMED = {
    "critical": "fatal", "crit": "fatal", "panic": "fatal", "emerg": "fatal", "alert": "fatal",
    "fatal": "fatal", "error": "error", "err": "error", "severe": "error", "exception": "error",
    "warn": "warn", "warning": "warn",
    "info": "info", "information": "info", "notice": "info",
    "debug": "debug", "trace": "debug", "verbose": "debug",
    "i": "info", "w": "warn", "e": "error", "f": "fatal",
}  # fmt: skip
# What a fact is called, most usual name first; a part of a path after the last dot counts.
NAMES: Mapping[str, tuple[str, ...]] = {
    "level": ("level", "severity", "lvl", "loglevel", "log_level", "severity_text", "levelname"),
    "service": (
        "service",
        "service_name",
        "service.name",
        "app",
        "application",
        "component",
        "container_name",
    ),
    "route": ("route", "http_route", "http.route", "path", "uri", "endpoint", "url", "request_uri"),
    "method": ("method", "http_method", "http.method", "verb"),
    "status": ("status", "status_code", "http_status", "http.status_code", "statusCode", "code"),
    "message": ("msg", "message", "log", "body", "text"),
    "user": ("customer_id", "customerId", "user_id", "userId", "customer", "user", "account_id", "tenant_id"),
    "pod": ("pod", "pod_name", "k8s.pod.name"),
}
INSIDE = ("log_processed", "kubernetes", "labels", "fields", "attributes", "data", "http")
_LOGFMT = re.compile(r'([A-Za-z_][\w.-]{0,63})=(?:"((?:[^"\\]|\\.){0,2000})"|([^\s"]{0,500}))')
_LEVEL_WORD = re.compile(
    r"\b(FATAL|CRITICAL|PANIC|panic|ERROR|Error|SEVERE|WARN(?:ING)?|INFO|DEBUG|TRACE|error|fatal|warn(?:ing)?)\b"
)
_KLOG = re.compile(r"^([IWEF])\d{4} \d\d:\d\d:\d\d")
_RAISED = re.compile(
    r"Traceback \(most recent call last\)|Exception in thread|^[\w.]{1,80}(?:Error|Exception)\b"
)
_TROUBLE = re.compile(
    r"(?i)\b(?:error|exception|fail(?:ed|ure|ing)?|timed? ?out|timeout|refused|denied|unavailable|panic|fatal"
    r"|oom|killed|unreachable|deadlock|exhausted|cannot|unable|reset by peer|broken pipe|no space left)\b"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says of itself; absent facts are empty."""

    message: str
    level: str = ""
    service: str = ""
    route: str = ""
    status: int = 0
    user: str = ""
    pod: str = ""
    form: str = "plain"
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        """Whether it tells of a failure: by its level, else by its status, else by its words."""
        if self.level:
            return self.level in GRAVE
        return self.status >= 500 if self.status else bool(_RAISED.search(self.message[:400]))

    @property
    def is_trouble(self) -> bool:
        """Whether its level or its words tell of trouble: what makes a new template worth a word."""
        return self.level in (*GRAVE, "warn") or bool(_TROUBLE.search(self.message[:LONGEST]))


def level_named(word: str) -> str:
    """One of LEVELS, or empty."""
    return _NAMED.get(word.strip().lower(), "")


def read(text: str) -> Line:
    """The facts of one line. Never raises: what cannot be read is a message."""
    text = text[:LONGEST]
    stripped = text.lstrip()
    if stripped.startswith("{"):
        try:
            found = orjson.loads(stripped)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            return _of_fields(flat(found), text, "json")
    pairs = {match[1]: match[2] or match[3] or "" for match in _LOGFMT.finditer(text)}
    if _names_level(pairs) and len(pairs) >= 2:
        return _of_fields(pairs, text, "logfmt")
    return Line(text, _level_in(text))


def _names_level(pairs: Mapping[str, Any]) -> bool:
    return any(name in pairs for name in NAMES["level"])


def flat(value: Mapping[str, Any], path: str = "", depth: int = 0) -> dict[str, Any]:
    """Nested fields under their paths, as Logs Insights names them."""
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(each, dict) and depth < 4:
            found |= flat(each, name, depth + 1)
        else:
            found[name] = each
    return found


def path_of(fact: str, paths: Iterable[str]) -> str:
    """Which field holds a fact, or empty: an exact name first, then the end of a path, in order of NAMES."""
    known = list(paths)
    for name in NAMES[fact]:
        if name in known:
            return name
        inner = next((path for path in known if _ends(path, name)), "")
        if inner:
            return inner
    return ""


def _ends(path: str, name: str) -> bool:
    head, _, last = path.rpartition(".")
    return last == name and head.split(".")[0] in INSIDE


def _of_fields(fields: Mapping[str, Any], text: str, form: str) -> Line:
    def said(fact: str) -> str:
        path = path_of(fact, fields)
        value = fields.get(path)
        return "" if value is None or isinstance(value, dict | list) else str(value)

    inner = said("message")
    if form == "json" and inner.lstrip()[:1] == "{" and "log_processed" not in " ".join(fields):
        wrapped = read(inner)  # Fluent Bit without Merge_Log: the line stands inside as text
        if wrapped.form == "json":
            return wrapped
    route, method = said("route"), said("method")
    return Line(
        message=inner or text,
        level=level_named(said("level")) or _level_in(inner or text),
        service=said("service"),
        route=f"{method} {route}" if method and route and " " not in route else route,
        status=_status(said("status")),
        user=said("user"),
        pod=said("pod"),
        form=form,
        fields=fields,
    )


def _status(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) == 3 else 0


def _level_in(text: str) -> str:
    head = text[:300]
    found = _KLOG.match(head) or _LEVEL_WORD.search(head)
    if found:
        return level_named(found[1])
    return "error" if _RAISED.search(head) else ""


_NUMBER = re.compile(r"\b([A-Za-z][\w.-]{0,40})\s?[=:]\s?(-?\d{1,15}(?:\.\d{1,6})?)(?:ms|s|%|[kKMG]i?B?)?\b")


def numbers(text: str) -> Iterator[tuple[str, float]]:
    """The numbers that a message names: `total=20, waiting: 57`."""
    for name, value in _NUMBER.findall(text[:LONGEST]):
        yield name.lower(), float(value)
