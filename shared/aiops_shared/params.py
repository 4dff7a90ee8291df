"""The parameters that tools share: one word, one description, one check each.

Called by every tool module. A value of the wrong form is refused here with InvalidInputError, before any
request goes out; an empty text counts as "not given", since clients send it so. Descriptions are short on
purpose: each is repeated in the schema of every tool that takes it.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from mcp_types import ToolAnnotations
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube import names
from aiops_shared.kube.choosing import Where, is_glob

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
# A plan is stored, so planning twice leaves two plans; nothing outside our own store changes.
PLANS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
)
# Writes our own store and nothing else (D6); what is said twice is kept twice.
RECORDS = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)

# A cluster: its name, account/region/name, an ARN, or a kubeconfig context.
_CLUSTER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:@/-]{0,250}[A-Za-z0-9])?")
_CLUSTER_GLOB = re.compile(r"[A-Za-z0-9*?][A-Za-z0-9_.:@/*?\[\]!-]{0,250}")
MOST_WORDS = 50
_RELATIVE = re.compile(r"[-+]?(\d{1,6})\s*(s|m|h|d|w)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_OLDEST = timedelta(days=3660)


def _given(check: Callable[[str], str]) -> AfterValidator:
    """The check of `aiops_shared.kube.names`, for values that may be absent."""
    return AfterValidator(lambda value: value if value is None else check(value))


def _cluster(value: str) -> str:
    if ".." in value or not _CLUSTER.fullmatch(value):
        raise InvalidInputError(
            "cluster", f"{shown(value)} is no cluster", "give a name, account/region/name or an ARN"
        )
    return value


def _cluster_words(value: object) -> object:
    """What a client sent for one or more clusters: a text, a list, JSON text or a comma list."""
    if isinstance(value, str) and not value.isprintable() and not value.lstrip().startswith("["):
        raise InvalidInputError("cluster", f"{shown(value)} is no cluster", "give names or globs")
    words = to_list(value)
    if not isinstance(words, list | tuple):
        return value
    if len(words) > MOST_WORDS:
        raise InvalidInputError("cluster", f"takes at most {MOST_WORDS} words", "use a glob, as prod-*")
    return tuple(words) or None


def _where(value: Where) -> Where:
    """One name as it is; a glob or several words as a tuple, each once."""
    words = (value,) if isinstance(value, str) else tuple(dict.fromkeys(value or ()))
    for word in words:
        if is_glob(word):
            _glob(word)
        else:
            _cluster(word)
    if len(words) == 1 and not is_glob(words[0]):
        return words[0]
    return words or None


def _glob(value: str) -> None:
    if ".." in value or "//" in value or not _CLUSTER_GLOB.fullmatch(value):
        raise InvalidInputError("cluster", f"{shown(value)} is no glob", "as prod-* or 111122223333/*/*")


def _name(value: str) -> str:
    # Only RBAC's names have a colon; the kind's own rule is applied again where the URL is made.
    return names.object_name("role" if ":" in value else "pod", value)


def _reason(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,127}", value):
        raise InvalidInputError(
            "reason", f"{shown(value)} is no event reason", "one CamelCase word, as BackOff"
        )
    return value


_PRINCIPAL = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:(?:root|[A-Za-z-]+/[\w+=,.@/-]{1,200})|"
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
)


def _principal(value: str) -> str:
    if not _PRINCIPAL.fullmatch(value) or ".." in value:
        raise InvalidInputError(
            "principal",
            f"{shown(value)} is no principal",
            "give an IAM ARN (arn:aws:iam::111122223333:role/x) or namespace/serviceaccount",
        )
    return value


def _workload(value: str) -> str:
    kind, slash, name = value.partition("/")
    if not slash:
        raise InvalidInputError(
            "workload", f"{shown(value)} is no workload", "give kind/name, as deployment/api"
        )
    return f"{names.kind_word(kind)}/{_name(name)}"


def shown(value: str, at_most: int = 60) -> str:
    """A refused value as it may be repeated: quoted, escaped, short."""
    text = json.dumps(value[:at_most])
    return text if len(value) <= at_most else f"{text}…"


def _blank_is_absent(value: object) -> object:
    return None if isinstance(value, str) and not value else value


def _all_is_absent(value: object) -> object:
    return None if isinstance(value, str) and value in {"", "*", "all"} else value


def _plain(what: str, at_most: int) -> Callable[[str | None], str | None]:
    def check(value: str | None) -> str | None:
        if value is None or (len(value) <= at_most and value.isprintable()):
            return value
        raise InvalidInputError(what, f"takes printable text of at most {at_most} characters")

    return check


def _a_time(value: str | None) -> str | None:
    if value is not None and not _RELATIVE.fullmatch(value):
        _rfc3339(value)
    return value


def _rfc3339(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the year 9999 west of Greenwich ends in the year 10000
        raise InvalidInputError(
            "time", f"{shown(text)} is no time", "give -30m, -1h, -2d or RFC 3339 (2026-11-22T03:00:00Z)"
        ) from None


def since_to_datetime(text: str, now: datetime) -> datetime:
    """The moment that `-1h`, `2d` or an RFC 3339 time means at `now`, UTC.

    Raises InvalidInputError when it is no time, lies in the future, or more than ten years back.
    """
    relative = _RELATIVE.fullmatch(text)
    if relative:
        back = timedelta(seconds=int(relative[1]) * _UNIT_S[relative[2]])
        moment = now - min(back, _OLDEST * 2)
    else:
        moment = _rfc3339(text)
    if moment > now + timedelta(seconds=60):
        raise InvalidInputError(
            "time", f"{shown(text)} lies in the future", f"now is {now:%Y-%m-%dT%H:%M:%SZ}"
        )
    if moment < now - _OLDEST:
        raise InvalidInputError("time", f"{shown(text)} is more than ten years back")
    return moment


def to_list(value: object) -> object:
    """A list from a list, JSON text or a comma list: many clients turn lists into text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidInputError("list", "starts like JSON but does not parse") from None
    return [part.strip() for part in text.split(",") if part.strip()]


_NAMESPACE_FORM = _given(names.namespace)
_KIND_FORM = _given(names.kind_word)
_NAME_FORM = _given(_name)
_CONTAINER_FORM = _given(names.container)
_WORKLOAD_FORM = _given(_workload)
_CLUSTER_FORM = _given(_cluster)
_SELECTOR_FORM = _given(names.selector)
_OPTIONAL = BeforeValidator(_blank_is_absent)

Cluster = Annotated[
    str | None,
    _OPTIONAL,
    _CLUSTER_FORM,
    Field(description="Name, account/region/name or ARN; needless when one is configured"),
]
# For bills: they are an account's first.
AnyCluster = Annotated[str | None, _OPTIONAL, _CLUSTER_FORM, Field(description="Absent: the account")]
_SEVERAL = "Name, account/region/name or ARN; several: comma list or glob (prod-*)"
# For reads: one cluster or several. The schema says text, which every client can send; lists are taken too.
Clusters = Annotated[
    Where,
    BeforeValidator(_cluster_words),
    AfterValidator(_where),
    WithJsonSchema({"type": "string", "description": _SEVERAL}),
    Field(description=_SEVERAL),
]
Namespace = Annotated[str, _NAMESPACE_FORM, Field(description="Namespace")]
AnyNamespace = Annotated[
    str | None,
    BeforeValidator(_all_is_absent),
    _NAMESPACE_FORM,
    Field(description="Namespace; absent: all"),
]
KindName = Annotated[str, _KIND_FORM, Field(description="Kind, plural, short name or plural.group; CRDs too")]
AnyKind = Annotated[str | None, _OPTIONAL, _KIND_FORM, Field(description="Kind of the object")]
ObjectName = Annotated[str, _NAME_FORM, Field(description="Name")]
AnyName = Annotated[str | None, _OPTIONAL, _NAME_FORM, Field(description="Name of the object")]
PodName = Annotated[str | None, _OPTIONAL, _NAME_FORM, Field(description="Pod name")]
Workload = Annotated[
    str | None, _OPTIONAL, _WORKLOAD_FORM, Field(description="kind/name, e.g. deployment/api")
]
Principal = Annotated[
    str | None, _OPTIONAL, _given(_principal), Field(description="IAM ARN or namespace/serviceaccount")
]
Container = Annotated[
    str | None, _OPTIONAL, _CONTAINER_FORM, Field(description="Container; absent: the one in trouble")
]
Selector = Annotated[str | None, _OPTIONAL, _SELECTOR_FORM, Field(description="Label selector, e.g. app=api")]
Since = Annotated[
    str | None, _OPTIONAL, AfterValidator(_a_time), Field(description="From: -30m, -1h, -2d or RFC 3339")
]
SinceHour = Annotated[
    str,
    BeforeValidator(lambda value: "-1h" if value is None or value == "" else value),
    AfterValidator(_a_time),
    Field(description="From: -30m, -1h, -2d or RFC 3339"),
]
Until = Annotated[str | None, _OPTIONAL, AfterValidator(_a_time), Field(description="To, as since")]
Limit = Annotated[int, Field(ge=1, le=500, description="Rows")]
Reason = Annotated[str | None, _OPTIONAL, _given(_reason), Field(description="Event reason, e.g. BackOff")]
Tail = Annotated[int, Field(ge=1, le=5000, description="Newest lines")]
Grep = Annotated[
    str | None,
    _OPTIONAL,
    AfterValidator(_plain("grep", 200)),
    Field(description="Literal or simple pattern, any case"),
]
Cursor = Annotated[
    str | None,
    _OPTIONAL,
    AfterValidator(_plain("cursor", 400)),
    Field(description="next_cursor of the last page"),
]
Detail = Annotated[Literal["summary", "full"], Field(description="full: widened, up to the hard cap")]
StrList = Annotated[list[str], BeforeValidator(to_list)]
