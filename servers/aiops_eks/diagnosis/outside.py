"""What outside the cluster a text blames: a host, and what is wrong with it.

Called by `several.py`: two clusters that blame the same host for the same reason suffer from one fault. Texts
are of registries, resolvers and TLS libraries (Go's net, crypto/x509); what is taken out of them is a host
name, a moment, and one of the words below, so nothing that somebody wrote gets into a sentence of ours.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_URL = re.compile(r"https?://([A-Za-z0-9][A-Za-z0-9.-]{1,252}[A-Za-z0-9])(?::\d{1,5})?[/\"' ]")
_LOOKUP = re.compile(r"\blookup ([A-Za-z0-9][A-Za-z0-9.-]{1,252}[A-Za-z0-9])\.?(?: on |:)")
_DIAL = re.compile(r"\bdial tcp:? ([A-Za-z][A-Za-z0-9.-]{1,252}):\d{1,5}\b")
_IMAGE = re.compile(r"(?:image|reference) \\?\"([a-z0-9][a-z0-9.-]{1,252}\.[a-z]{2,24})(?::\d{1,5})?/")
_UNTIL = re.compile(r"\bis after (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_WITHIN = (".svc", ".local", ".internal", ".cluster")
# In the order in which they are asked. Texts: Go crypto/x509 verify.go, net; registries' answers.
_REASONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (said, re.compile(words, re.IGNORECASE))
    for said, words in (
        ("its certificate has expired", r"certificate has expired"),
        (
            "its certificate is of an unknown authority",
            r"signed by unknown authority|unable to get local issuer",
        ),
        ("its certificate is for another name", r"certificate is (?:valid for|not valid for any names)"),
        ("its certificate is not accepted", r"\bx509\b|certificate verify failed"),
        ("its name does not resolve", r"no such host|server misbehaving|name resolution|ENOTFOUND|NXDOMAIN"),
        ("it limits requests", r"toomanyrequests|429 Too Many|rate limit"),
        ("it refuses connections", r"connection refused|ECONNREFUSED"),
        (
            "it does not answer in time",
            r"i/o timeout|timed out|ETIMEDOUT|deadline exceeded|TLS handshake timeout",
        ),
        ("it is broken itself", r"\b50[0234] (?:Internal|Bad Gateway|Service Unavailable|Gateway)"),
    )
)


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that no cluster holds, and what is wrong with it; `until` is when a certificate ended."""

    host: str
    reason: str
    until: str = ""

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}{f' ({self.until})' if self.until else ''}"


def blamed(texts: Iterable[str]) -> Outside | None:
    """What the first telling text blames outside the cluster; None where none names a host and a reason."""
    for text in texts:
        host, reason = _host(text), _reason(text)
        if host and reason:
            until = _UNTIL.search(text)
            return Outside(host, reason, until[1] if until else "")
    return None


def telling(texts: Iterable[str]) -> str:
    """The part of the first telling text that says what is wrong, to be quoted."""
    for text in texts:
        found = [match.start() for _, pattern in _REASONS if (match := pattern.search(text))]
        if found and _host(text):
            before = text.rfind(": ", 0, min(found))
            return text[before + 2 if before >= 0 else min(found) :]
    return ""


def _host(text: str) -> str:
    for pattern in (_URL, _LOOKUP, _DIAL, _IMAGE):
        for found in pattern.finditer(text):
            host = found[1].lower().rstrip(".")
            if "." in host and not host.endswith(_WITHIN) and not host.replace(".", "").isdigit():
                return host
    return ""


def _reason(text: str) -> str:
    return next((said for said, pattern in _REASONS if pattern.search(text)), "")
