"""Runs, evidence and people that a test decides about, behind the sop server's ports."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiops_shared.auth.behalf import Behalf
from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.guardrails import Caller
from aiops_sop.models.documents import Param, Sop
from aiops_sop.models.events import Event
from aiops_sop.models.runs import RunStatus, StepView
from aiops_sop.ports import RunWish

Obj = dict[str, Any]


class FakeRuns:
    """Keeps every wish; the same key is the same run. `refuses`: raised instead."""

    def __init__(self) -> None:
        self.wishes: list[RunWish] = []
        self.runs: dict[str, RunStatus] = {}
        self.refuses: AiopsError | None = None

    async def start(self, wish: RunWish) -> RunStatus:
        if self.refuses is not None:
            raise self.refuses
        self.wishes.append(wish)
        if wish.idempotency_key not in self.runs:
            self.runs[wish.idempotency_key] = run_of(wish, f"run_{len(self.runs):020d}")
        return self.runs[wish.idempotency_key]

    async def status(self, run_id: str, caller: Caller) -> RunStatus:
        del caller
        return next(run for run in self.runs.values() if run.run_id == run_id)


def run_of(wish: RunWish, run_id: str) -> RunStatus:
    """A run as it begins."""
    return RunStatus(
        summary="started",
        run_id=run_id,
        sop=wish.sop,
        version=1,
        digest="d" * 64,
        mode=wish.mode,
        pattern=wish.pattern,
        state="running",
        incident_id=wish.incident_id,
    )


def ended(run: RunStatus, state: str, *, verified: bool = True) -> RunStatus:
    """A run that ended so, after one verified action."""
    step = StepView(id="act", title="Act", state="done", verified=verified, action_id="act_1")
    told = {**run.model_dump(), "state": state, "steps": (step,), "audit_chain": "holds"}
    return RunStatus.model_validate(told)


class FakeEvidence:
    """Answers what it is told to; `fails` is raised instead."""

    def __init__(self, **root: Any) -> None:
        self.root = root
        self.sop = ""
        self.fails: AiopsError | None = None
        self.asked: list[Event] = []

    async def gather(self, event: Event, caller: Caller) -> Obj:
        del caller
        self.asked.append(event)
        if self.fails is not None:
            raise self.fails
        return {
            "severity": "high",
            "root_cause": dict(self.root),
            "evidence": [],
            "sop": self.sop,
            "partial": [],
        }


class FakeTeller:
    """Keeps what was said; `deaf`: nobody takes it."""

    def __init__(self) -> None:
        self.said: list[Obj] = []
        self.deaf = False

    async def tell(self, notice: Obj) -> Sequence[str]:
        if self.deaf:
            raise UpstreamError("notice", "no channel took it")
        self.said.append(notice)
        return ("slack",)


class FakeLibrary:
    """The SOPs that a test names."""

    def __init__(self, *sops: Sop) -> None:
        self.sops = {one.id: one for one in sops}

    def every(self) -> tuple[Sop, ...]:
        return tuple(self.sops[name] for name in sorted(self.sops))

    def get(self, name: str) -> Sop:
        return self.sops[name]


class FakePeers:
    """An eks server that knows the labels of namespaces."""

    def __init__(self, **labels: str) -> None:
        self.labels = labels

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        del server, tool, behalf
        env = self.labels.get(str(arguments["name"]), "")
        labels = f"  labels:\n    env: {env}\n" if env else ""
        return {"yaml": f"kind: Namespace\nmetadata:\n  name: {arguments['name']}\n{labels}"}

    async def tools(self, server: str) -> Mapping[str, Obj]:
        del server
        return {}

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        del servers
        return {}


def sop(name: str, trigger: str, *causes: str, params: Mapping[str, str] | None = None) -> Sop:
    """A document with a trigger and parameters that the event gives."""
    given = params if params is not None else {"namespace": "event.namespace", "name": "event.workload"}
    text = f"---\nid: {name}\ncauses: [{', '.join(causes)}]\ntarget: params.name\n---\n# {name}\n"
    return Sop(
        id=name,
        title=name,
        triggers=(trigger,),
        causes=causes,
        params=tuple(Param(name=key, event=value) for key, value in given.items()),
        digest="d" * 64,
        text=text,
        source=f"{name}.sop.md",
    )
