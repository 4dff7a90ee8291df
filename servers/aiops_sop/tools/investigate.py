"""The tool that finds the cause over all servers."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from aiops_shared.app.views import drawn_on
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyNamespace, Clusters, Detail, shown
from aiops_sop.models.investigations import Investigation, Question
from aiops_sop.models.pages import STORY_PAGE
from aiops_sop.ports import Investigations

LONGEST, LONGEST_EVENT = 500, 20_000


def _event(value: object) -> object:
    """An event as an object, or as JSON text."""
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value[:LONGEST_EVENT])
        except (ValueError, RecursionError):
            raise InvalidInputError("event", "is no JSON", "give the event as it came") from None
    if not isinstance(value, dict) or len(json.dumps(value, default=str)) > LONGEST_EVENT:
        raise InvalidInputError("event", f"is no JSON object of at most {LONGEST_EVENT} characters")
    return value


def _plain(value: str) -> str:
    if len(value) > LONGEST or not value.isprintable():
        raise InvalidInputError(
            "text", f"{shown(value)} is no printable text of at most {LONGEST} characters"
        )
    return value


Words = Annotated[str, BeforeValidator(lambda value: value or ""), AfterValidator(_plain)]
Event = Annotated[dict[str, Any], BeforeValidator(_event), WithJsonSchema({"type": "object"})]


@dataclass(frozen=True)
class InvestigateTools:
    """The tool about causes over all sources."""

    investigations: Investigations

    async def investigate(
        self,
        symptom: Annotated[Words, Field(description="What is wrong, as: 504 on checkout")] = "",
        alarm: Annotated[Words, Field(description="Name of one that fires")] = "",
        event: Event = {},  # noqa: B006  # fastmcp copies defaults
        service: Annotated[Words, Field(description="As in its traces")] = "",
        namespace: AnyNamespace = None,
        window: Annotated[Words, Field(description="-1h, or FROM/TO")] = "-1h",
        cluster: Clusters = None,
        detail: Detail = "summary",
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> Investigation:
        """Find out why users meet errors (504s, timeouts) or slowness, intermittent too: the root
        cause over cluster, changes, metrics, traces, logs, alarms and cost at once; ranked
        hypotheses, causal chain, who is innocent, what to do. For Kubernetes alone use eks'
        diagnose.
        """
        question = Question(
            symptom=symptom,
            alarm=alarm,
            event=event,
            service=service,
            namespace=namespace or "",
            window=window or "-1h",
            cluster=cluster,
            full=detail == "full",
            chart=chart,
        )
        return await self.investigations.investigate(question)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(STORY_PAGE)
        return [FunctionTool.from_function(self.investigate, annotations=READS, tags={"read"}, meta=page)]
