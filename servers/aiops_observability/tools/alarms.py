"""The alarm tool: what fires, what belongs together, and what is noise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, BeforeValidator, Field

from aiops_observability.models.alarms import AlarmAsk, AlarmList, AskedState, Source
from aiops_observability.ports import Alarms
from aiops_shared.params import READS, Cluster, Cursor, Limit, Since, to_list

_SAME = {"firing": "ALARM", "active": "ALARM", "alarm": "ALARM", "ok": "OK", "no_data": "INSUFFICIENT_DATA"}
_EVERYTHING = {"", "all", "*", "auto"}


def _state(value: object) -> object:
    return (
        _SAME.get(value.lower(), value.upper() if value.lower() != "all" else "all")
        if isinstance(value, str)
        else value
    )


def _sources(value: object) -> object:
    if value is None or (isinstance(value, str) and value.lower() in _EVERYTHING):
        return ()
    return to_list(value)


AnyState = Annotated[AskedState, BeforeValidator(_state)]
Sources = Annotated[
    list[Source],
    BeforeValidator(_sources),
    AfterValidator(lambda found: list(dict.fromkeys(found))),
    Field(max_length=3, description="Absent: all"),
]


@dataclass(frozen=True)
class AlarmTools:
    """Tools about alarms."""

    alarms: Callable[[], Alarms]

    async def list_alarms(
        self,
        state: AnyState = "ALARM",
        source: Sources = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        group: Annotated[bool, Field(description="false: one row each")] = True,
        history: Since = None,
        cluster: Cluster = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> AlarmList:
        """List alarms of CloudWatch, Alertmanager and GuardDuty, grouped into incidents with what they share;
        names flapping, duplicate and stale ones. `history`: past firings.
        """
        ask = AlarmAsk(
            cluster=cluster,
            state=state,
            sources=tuple(source),
            group=group,
            history=history or "",
            limit=limit,
            cursor=cursor or "",
        )
        return await self.alarms().list(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.list_alarms, annotations=READS, tags={"read"})]
