"""The tool that takes events: what POST /events is for machines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastmcp.tools import Tool
from pydantic import BeforeValidator, Field, WithJsonSchema

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails import Caller
from aiops_shared.params import WRITES
from aiops_sop.models.events import EventAnswer
from aiops_sop.ports import EventDoor

LONGEST = 1_000_000


def _sent(value: object) -> object:
    """An object, or its JSON text; its form is looked at where all events are."""
    if isinstance(value, str):
        if len(value) > LONGEST:
            raise InvalidInputError("event", f"exceeds {LONGEST} characters", "send less of it")
        return {"Message": value, "TopicArn": ""}
    if not isinstance(value, dict):
        raise InvalidInputError("event", "is no JSON object", "send the event as a JSON object")
    return value


Sent = Annotated[
    dict[str, Any],
    BeforeValidator(_sent),
    WithJsonSchema({"type": "object", "description": "As it came, or {reason, cluster, namespace, name, …}"}),
    Field(),
]


@dataclass(frozen=True)
class EventTools:
    """The tool about events."""

    door: EventDoor
    who: Callable[[], Caller]

    async def submit_event(self, event: Sent) -> EventAnswer:
        """Hand over an event or alarm (EventBridge, CloudWatch, GuardDuty, Alertmanager, Kubernetes, raw
        JSON): incident, cause, SOP, then a run or an escalation, as policy allows. To only look use
        investigate.
        """
        return await self.door.handle(event, self.who())

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.submit_event, annotations=WRITES, tags={"write"})]
