"""How single values are taken out of what a sender sent: a name only when it is one, everything bounded.

Pure; used by `analysis.events`.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiops_shared.guardrails.redacting import redact
from aiops_sop.models.events import Event

Json = Any
Obj = Mapping[str, Any]
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:@/+-]{0,250}[A-Za-z0-9])?")
_REASON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/!%+ -]{0,199}")
_CAUSE = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
MOST_LABELS: Final = 40
_MESSAGE, _LABEL = 1024, 256
_RAW_CHARS, _RAW_DEPTH, _RAW_ITEMS = 8_000, 8, 40


def made(whole: Obj, **words: Any) -> Event:
    """An event of these words; `whole` is what it was read from."""
    given = {key: value for key, value in words.items() if value not in ("", None)}
    if "at" not in given and (moment := time_in(whole.get("time"))):
        given["at"] = moment
    given["message"] = str(given.get("message", ""))[:_MESSAGE]
    return Event.model_validate({**given, "raw": bounded(whole)})


def bounded(whole: Obj) -> Json:
    """What was sent, cut in depth, width and length, so that it can be kept."""
    kept = _cut(whole, _RAW_DEPTH)
    text = json.dumps(kept, ensure_ascii=False)
    return kept if len(text) <= _RAW_CHARS else {"cut": text[:_RAW_CHARS]}


def _cut(value: Json, depth: int) -> Json:
    if isinstance(value, str):
        return value[:_MESSAGE]
    if isinstance(value, bool | int | float) or value is None:
        return value if not isinstance(value, float) or value == value else None  # NaN is no JSON
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {str(key)[:128]: _cut(item, depth - 1) for key, item in list(value.items())[:_RAW_ITEMS]}
    if isinstance(value, list | tuple):
        return [_cut(item, depth - 1) for item in value[:_RAW_ITEMS]]
    return str(value)[:128]


def cluster_in(body: Obj, detail: Obj) -> str:
    """The cluster that a body or its ARNs name."""
    told = name_in(first(detail, "cluster", "clusterName", "cluster-name", "cluster_name"))
    return told or arn_parts(body, "cluster")[1]


def arn_parts(body: Obj, kind: str) -> tuple[str, str, str]:
    """(kind, cluster, rest) of the first EKS ARN of that kind in `resources`."""
    resources = body.get("resources")
    for one in resources if isinstance(resources, list) else []:
        found = re.fullmatch(
            rf"arn:aws[a-z-]*:eks:[a-z0-9-]*:[0-9]*:{kind}/([^/]+)(?:/([^/]+).*)?", worded(one)
        )
        if found:
            return kind, name_in(found[1]), name_in(found[2] or "")
    return "", "", ""


def labels_in(sent: Obj) -> dict[str, str]:
    """The first labels, cut."""
    kept = list(sent.items())[:MOST_LABELS]
    return {worded(key)[:128]: worded(value)[:_LABEL] for key, value in kept}


def first(body: Obj, *names: str) -> Json:
    """The first of these that is there."""
    return next((body[name] for name in names if body.get(name) not in (None, "")), None)


def mapping(value: Json) -> Obj:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def worded(value: Json) -> str:
    """The value as text; "" for what is none."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def _matching(pattern: re.Pattern[str]) -> Callable[[Json], str]:
    def taken(value: Json) -> str:
        text = worded(value).strip()[:300]
        # A name is kept, searched and said as it is: what is a secret is none (T6).
        return text if pattern.fullmatch(text) and ".." not in text and redact(text) == text else ""

    return taken


name_in, reason_in, cause_in, kind_in = (_matching(one) for one in (_NAME, _REASON, _CAUSE, _KIND))


def count_in(value: Json) -> int:
    """How often, at least once."""
    return (
        min(max(1, int(value)), 1_000_000_000)
        if isinstance(value, int) and not isinstance(value, bool)
        else 1
    )


def time_in(value: Json) -> datetime | None:
    """The moment, or None for what is no time of these centuries."""
    if not isinstance(value, str) or not value or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 2000 < found.year < 2200 else None
