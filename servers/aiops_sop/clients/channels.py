"""How each channel is spoken to: Slack-compatible webhook, PagerDuty Events v2, SNS, e-mail by SES.

Called by `telling`. A channel either takes a message or raises: `Again` for what may work later (429, 5xx, a
broken connection), `UpstreamError` for what will not. Limits: Slack "Incoming webhooks" (text), PagerDuty
"Send an event" (summary 1,024, dedup_key 255), SNS Publish (256 KB, subject 100 ASCII), SES SendEmail.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx

from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import (
    NotConfiguredError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.http.answers import broken, deadline
from aiops_shared.http.client import is_loopback, make_client
from aiops_shared.results.wording import cut

TIMEOUT_S: Final = 10.0
SLACK_CHARS, PAGERDUTY_SUMMARY, SNS_BYTES, SUBJECT_CHARS, MAIL_CHARS = 3_500, 1_024, 200_000, 100, 20_000
LONGEST_PAUSE_S: Final = 30.0
_PAGERDUTY_SEVERITY: Final = {"critical": "critical", "high": "error", "medium": "warning", "info": "info"}


class AgainError(Exception):
    """It did not take it now. `error`: what it is in the end; `after_s`: what it asks to be waited."""

    def __init__(self, thing: str, reason: str, after_s: float = 0.0) -> None:
        super().__init__(thing, reason)
        self.error = UpstreamError(thing, reason)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Message:
    """A notice, redacted and escaped, as channels say it."""

    id: str
    title: str
    text: str
    severity: str = "info"
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """Title, text and facts as plain text."""
        lines = [self.title, "", self.text, "", *(f"{name}: {value}" for name, value in self.facts.items())]
        return "\n".join(lines).strip()


class Channel(Protocol):
    """One way to people."""

    @property
    def name(self) -> str:
        """slack, pagerduty, sns, email."""
        ...

    async def say(self, message: Message) -> None:
        """Raises AgainError, UpstreamError, NotConfiguredError."""
        ...


@dataclass(frozen=True)
class Slack:
    """An incoming webhook. It cannot tell a repeated message."""

    url_file: Path
    name: str = "slack"

    async def say(self, message: Message) -> None:
        """Post it as text; `&<>` escaped, so that foreign text mentions nobody and makes no link."""
        text = cut(message.whole, SLACK_CHARS)
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        await _post("Slack webhook", _secret(self.url_file), {"text": escaped})


@dataclass(frozen=True)
class PagerDuty:
    """Events API v2. The same dedup_key is the same incident there."""

    key_file: Path
    url: str
    name: str = "pagerduty"

    async def say(self, message: Message) -> None:
        """Trigger."""
        body = {
            "routing_key": _secret(self.key_file),
            "event_action": "trigger",
            "dedup_key": message.id[:255],
            "client": "eks-aiops",
            "payload": {
                "summary": cut(message.title, PAGERDUTY_SUMMARY),
                "source": message.facts.get("cluster") or "eks-aiops",
                "severity": _PAGERDUTY_SEVERITY.get(message.severity, "error"),
                "custom_details": {"text": cut(message.text, SLACK_CHARS), **message.facts},
            },
        }
        await _post("PagerDuty", self.url, body)


@dataclass(frozen=True)
class Sns:
    """A topic; a FIFO topic drops a repeated message by itself."""

    aws: AwsClients
    topic: str
    name: str = "sns"

    async def say(self, message: Message) -> None:
        """Publish."""
        more: dict[str, Any] = {}
        if self.topic.endswith(".fifo"):
            unique = re.sub(r"[^A-Za-z0-9_-]", "-", message.id)[:128]
            more = {"MessageGroupId": "eks-aiops", "MessageDeduplicationId": unique}
        else:
            more = {"Subject": _subject(message.title)}
        target = AwsTarget(region=self.topic.split(":")[3] if self.topic.count(":") >= 5 else "")
        text = message.whole.encode()[:SNS_BYTES].decode("utf-8", "ignore")
        await _aws(self.aws, target, "sns", "publish", TopicArn=self.topic, Message=text, **more)


@dataclass(frozen=True)
class Mail:
    """E-mail by SES, API v2, in the region of the default chain."""

    aws: AwsClients
    sender: str
    recipients: tuple[str, ...]
    name: str = "email"

    async def say(self, message: Message) -> None:
        """Send one mail to all."""
        content = {
            "Subject": {"Data": _subject(message.title)},
            "Body": {"Text": {"Data": cut(message.whole, MAIL_CHARS), "Charset": "UTF-8"}},
        }
        await _aws(
            self.aws,
            AwsTarget(),
            "sesv2",
            "send_email",
            FromEmailAddress=self.sender,
            Destination={"ToAddresses": list(self.recipients)},
            Content={"Simple": content},
        )


async def _aws(aws: AwsClients, target: AwsTarget, service: str, operation: str, **parameters: Any) -> None:
    try:
        await aws.call(target, service, operation, **parameters)
    except (ThrottledError, UnreachableError, UpstreamTimeoutError) as error:
        raise AgainError(error.thing, error.reason) from error


async def _post(thing: str, url: str, body: Mapping[str, Any]) -> None:
    """POST JSON. The URL may hold a secret: it is in no error."""
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    plain = is_loopback(parts.hostname or "")
    client = make_client(base, timeout_s=TIMEOUT_S, upstream="notify", plain_http=plain)
    with deadline(thing, TIMEOUT_S):
        async with client:
            try:
                response = await client.post(path or "/", json=dict(body))
            except httpx.TransportError as error:
                problem = broken(thing, error)
                raise AgainError(thing, problem.reason) from None
            _check(thing, response)


def _check(thing: str, response: httpx.Response) -> None:
    status = response.status_code
    if status in {200, 201, 202, 204}:
        return
    if status == 429 or status >= 500:
        raise AgainError(thing, f"answered HTTP {status}", _after_s(response.headers.get("retry-after", "")))
    raise UpstreamError(thing, f"answered HTTP {status}", "check its URL or key file")


def _after_s(text: str) -> float:
    return min(float(text), LONGEST_PAUSE_S) if re.fullmatch(r"[0-9]{1,6}", text.strip()) else 0.0


def _subject(title: str) -> str:
    """One line of printable ASCII of at most 100 characters (SNS), starting with a letter or digit."""
    plain = " ".join("".join(char if " " <= char <= "~" else " " for char in title).split())
    return cut(plain, SUBJECT_CHARS - 2).replace("…", "...")[:SUBJECT_CHARS] or "eks-aiops"


def _secret(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise NotConfiguredError(f"notify: {path.name}", f"cannot be read ({error.strerror})") from error
    if not text:
        raise NotConfiguredError(f"notify: {path.name}", "is empty")
    return text
