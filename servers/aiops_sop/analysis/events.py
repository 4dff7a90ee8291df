"""Turns what senders send into `Event`s, and says when two of them are about the same trouble.

Pure. Called by the intake with parsed JSON; the shapes stand in `event_shapes`. Names are taken only when
they are names: everything else of a sender is foreign text, cut and kept apart (T7).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from aiops_shared.errors import InvalidInputError
from aiops_shared.results.wording import quotable
from aiops_sop.analysis.event_shapes import alerts_of, shaped
from aiops_sop.models.events import Event

Json = Any
Obj = Mapping[str, Any]


def normalised(sent: Json) -> tuple[Event, ...]:
    """The events in what was sent; Alertmanager sends several at once.

    Raises InvalidInputError for what is no JSON object, or has no event in it.
    """
    body = _unwrapped(sent)
    if isinstance(body.get("alerts"), list):
        return alerts_of(body)
    return (shaped(body),)


def fingerprint(event: Event) -> str:
    """What two events share that are about the same trouble, whenever they came and however often.

    Of a pod its owner counts, not its own name. A resolved event has the fingerprint of its firing one.
    """
    own = "" if event.object_kind == "Pod" else f"{event.object_kind}/{event.name}"
    about = (
        _trouble(event),
        event.cluster,
        event.namespace,
        event.workload or own,
        event.node if event.object_kind in {"", "Node"} else "",
        "" if event.name or event.workload or event.node else event.service,
        event.addon,
    )
    return hashlib.sha256("\x00".join(about).encode()).hexdigest()[:32]


def words_of(event: Event) -> str:
    """What full-text search finds an event's incident by."""
    words = (event.kind, event.reason, event.cluster, event.namespace, event.object_kind, event.name)
    more = (event.workload, event.node, event.service, event.addon, event.alarm, event.metric, event.cause)
    return " ".join(dict.fromkeys(word for word in (*words, *more, event.message[:300]) if word))


def titled(event: Event) -> str:
    """The event in our own words, without foreign text."""
    reason = quotable(event.reason, event.kind) if event.reason else event.kind
    place = event.place()
    where = f" of {place}" if place else ""
    inside = f" in {event.cluster}" if event.cluster and event.cluster not in place else ""
    return f"{reason}{where}{inside}"[:300]


def _trouble(event: Event) -> str:
    reason = "Degraded" if event.kind == "AddonHealth" and event.reason == "Restored" else event.reason
    return f"{event.kind}/{reason}"


def _unwrapped(sent: Json, depth: int = 0) -> Obj:
    """Out of SNS, SQS and text: an object. Three wrappings are enough for anybody."""
    if isinstance(sent, str) and depth < 4:
        try:
            sent = json.loads(sent)
        except (ValueError, RecursionError):
            raise InvalidInputError("event", "is no JSON object", "send the event as JSON") from None
    if isinstance(sent, Mapping) and depth < 4 and _is_sns(sent):
        if sent.get("Type") == "SubscriptionConfirmation":
            raise InvalidInputError(
                "event",
                "is an SNS subscription to be confirmed; URLs in events are never followed",
                "confirm the subscription in the SNS console, or send through an EventBridge API destination",
            )
        return _unwrapped(sent.get("Message"), depth + 1)
    if not isinstance(sent, Mapping) or not sent:
        raise InvalidInputError("event", "is no JSON object", "send the event as a JSON object")
    return sent


def _is_sns(sent: Obj) -> bool:
    return "TopicArn" in sent and ("Message" in sent or sent.get("Type") == "SubscriptionConfirmation")
