"""Run tools: start a procedure, see how it stands, steer it. They approve nothing: only a person does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ResourceError
from fastmcp.tools import Tool
from mcp_types import InputRequiredResult
from pydantic import BeforeValidator, Field

from aiops_shared.app.asking import answered, ask_and_wait, can_ask, is_modern, question
from aiops_shared.app.boundary import clean, escape_tree
from aiops_shared.app.scoping import missing
from aiops_shared.app.views import drawn_on
from aiops_shared.auth.scopes import EXECUTE
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.params import READS, WRITES, Detail
from aiops_sop.models.pages import STORY_PAGE
from aiops_sop.models.runs import Mode, RunStatus
from aiops_sop.ports import PersonSaid, RunAnswers, RunControl, RunWish


def _mapping(given: object) -> object:
    """An object, or the JSON text that some clients send for one."""
    if not isinstance(given, str):
        return given
    import json

    try:
        return json.loads(given or "{}")
    except (ValueError, RecursionError):
        raise InvalidInputError("params", "is no JSON object", 'give {"cluster": "prod", …}') from None


SopName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,127}$", description="Id, from find_sops")]
Params = Annotated[
    dict[str, Any] | None, BeforeValidator(_mapping), Field(description="The SOP's parameters by name")
]
RunId = Annotated[str, Field(pattern=r"^run_[A-Za-z0-9_-]{20}$", description="From start_run")]
Key = Annotated[
    str | None,
    Field(pattern=r"^[A-Za-z0-9._:-]{8,80}$", description="Same key, same run: safe to send again"),
]
Steer = Literal["cancel", "resume", "undo"]


def serve_runs(server: FastMCP, runs: RunControl, who: Callable[[], Caller]) -> None:
    """`run://{run_id}`: a run whole, behind the same door as the tools."""

    @server.resource("run://{run_id}", mime_type="application/json", description="A run of a SOP, whole")
    async def run(run_id: str) -> dict[str, Any]:
        try:
            found = await runs.shown(run_id[:64], who(), full=True)
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error
        shown: dict[str, Any] = escape_tree(redact_tree(found.model_dump(mode="json")))
        return shown


@dataclass(frozen=True)
class RunTools:
    """Tools about runs."""

    runs: RunControl
    who: Callable[[], Caller]
    answers: RunAnswers

    async def start_run(
        self, sop: SopName, params: Params = None, mode: Mode = "supervised", idempotency_key: Key = None
    ) -> RunStatus:
        """Start (run) a SOP or runbook: plan = plan everything, execute nothing; supervised = a person
        approves each change; auto = policy decides. Poll get_run; it advances while a sop server or
        `eks-aiops worker` lives.
        """
        caller = self.who()
        if mode != "plan" and EXECUTE not in caller.scopes:
            raise missing(f"start_run in mode {mode}", EXECUTE)
        wish = RunWish(
            sop=sop,
            params=params or {},
            mode=mode,
            caller=caller,
            # Who lets policy decide has agreed to the procedure; who is asked at each change, to each change.
            pattern="spec" if mode == "auto" else "prompt",
            idempotency_key=idempotency_key or "",
        )
        return await self.runs.start(wish)

    async def get_run(self, run_id: RunId, detail: Detail = "summary") -> RunStatus:
        """Get one SOP run (runbook): state, which step it is at, evidence, verdicts, what it waits for and
        the exact command that gives it, audit with chain check. detail=full adds what each step was given and
        answered.
        """
        return await self.runs.shown(run_id, self.who(), full=detail == "full")

    async def control_run(
        self, run_id: RunId, action: Steer, context: Context
    ) -> RunStatus | InputRequiredResult:
        """Steer a SOP run: stop (cancel) it, resume one that waits or stopped at a failed step, undo what it
        changed.

        It cannot approve: resume asks the person where your client can; waiting.how says how else.
        """
        caller = self.who()
        if action == "resume" and can_ask(context):
            asked = await self._asked(run_id, caller, context)
            if asked is not None:
                return asked
        return await self.runs.control(run_id, action, caller)

    async def _asked(
        self, run_id: str, caller: Caller, context: Context
    ) -> RunStatus | InputRequiredResult | None:
        """Put to the person what the run waits for. None: there is nothing, or they gave it."""
        run = await self.runs.status(run_id, caller)
        wanted = await self.answers.question(run, caller) if run.waiting else None
        if wanted is None:
            return None
        if is_modern(context):
            said = answered(context)
            if said is None:
                return question(wanted.text, wanted.nonce)
        else:
            said = await ask_and_wait(context, wanted.text, wanted.nonce)
        if said.outcome == "unavailable":
            return run
        word: PersonSaid = "yes" if said.outcome == "accepted" else "no" if said.said_no else "nothing"
        await self.answers.take(wanted, caller, word, said.state)
        return run if word == "nothing" else None

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        page = drawn_on(STORY_PAGE)
        return [
            Tool.from_function(self.start_run, annotations=WRITES, tags={"write", "plans"}, meta=page),
            Tool.from_function(self.get_run, annotations=READS, tags={"read"}, meta=page),
            Tool.from_function(self.control_run, annotations=WRITES, tags={"write"}, meta=page),
        ]
