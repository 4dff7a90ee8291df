"""Joins the parts of runs over one store: ledger, questions, engine, durable workflow, desk."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from aiops_shared.clock import Clock
from aiops_shared.errors import SopChangedError
from aiops_shared.guardrails.asking_people import ways_to_approve
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.settings import Settings
from aiops_shared.state import Keys, StateStore
from aiops_sop.clients.asks import RunAsks
from aiops_sop.clients.carrying import Runner
from aiops_sop.clients.durable import Durable, Workflows, database_url, open_runs
from aiops_sop.clients.executors import FileLocks, Locks, PostgresLocks, new_executor
from aiops_sop.clients.run_desk import RunDesk
from aiops_sop.clients.run_store import RunStore
from aiops_sop.clients.run_views import RunViews
from aiops_sop.clients.waking import Waker
from aiops_sop.engine.needs import Crash
from aiops_sop.engine.stepping import Engine
from aiops_sop.engine.work import Ports
from aiops_sop.models.documents import Sop
from aiops_sop.ports import Library, Peers, Promotion, RunEnds, Teller

if TYPE_CHECKING:
    from aiops_shared.guardrails.audit import Audit


class NoCrash:
    """Life."""

    def pass_by(self, point: str, path: str) -> None:
        """Go on."""


class NobodyIsTold:
    """While no channel is wired, a notice goes to the log only."""

    async def tell(self, notice: dict[str, Any]) -> Sequence[str]:
        """Say it in the log."""
        import logging

        logging.getLogger("aiops.runs").warning("%s: %s", notice.get("title", ""), notice.get("text", ""))
        return ("log",)


@dataclass
class Outside:
    """What runs need of the rest of a server."""

    settings: Settings
    clock: Clock
    store: StateStore
    guard: Guardrails
    lifetime: Lifetime
    peers: Peers
    library: Library
    teller: Teller
    promotion: Promotion
    ends: RunEnds | None = None
    crash: Crash | None = None
    workflows: Workflows | None = None  # None: DBOS


def asks_of(settings: Settings, store: StateStore, clock: Clock, guard: Guardrails) -> RunAsks:
    """Questions to people, also for the command line."""
    ttl_s = settings.policy.approval_ttl_s
    ways = partial(ways_to_approve, http=settings.http)
    return RunAsks(store, Keys(settings.state), clock, partial(_audit, guard), ttl_s, ways)


def runs_of(outside: Outside) -> RunDesk:
    """Everything. Opens nothing yet."""
    settings, store, clock, guard = outside.settings, outside.store, outside.clock, outside.guard
    audit = partial(_audit, guard)
    ledger = RunStore(store, clock, audit, Keys(settings.state))
    asks = asks_of(settings, store, clock, guard)
    frozen = partial(_frozen, guard)
    durable = outside.workflows or Durable(settings, new_executor())
    waker = Waker(store, clock, frozen)
    desk = RunDesk.__new__(
        RunDesk
    )  # the engine starts child runs by the desk, which starts runs by the engine
    ports = Ports(
        ledger=ledger,
        asks=asks,
        peers=outside.peers,
        clock=clock,
        teller=outside.teller,
        runs=desk,
        promotion=outside.promotion,
        crash=outside.crash or NoCrash(),
    )
    engine = Engine(ports, pinned)
    runner = Runner(ledger, engine, durable, _locks(settings), waker, outside.lifetime)
    runner.limit(settings.sop.concurrency)
    views = RunViews(store, pinned, audit)
    RunDesk.__init__(desk, ledger, outside.library, outside.peers, runner, views, frozen, settings.write)
    if outside.ends is not None:
        runner.tell(partial(_ended, ledger, views, outside.ends))
    return desk


async def _ended(ledger: RunStore, views: RunViews, ends: RunEnds, run_id: str) -> None:
    await ends.ended(await views.status(await ledger.load(run_id)))


@lru_cache(maxsize=64)
def pinned(document: str, name: str, digest: str) -> Sop:
    """The document of a run, as it was when the run began. Raises SopChangedError when it was edited.

    Parsing takes longer than a step does, so the last ones are kept.
    """
    from aiops_sop.documents.parsing import parse

    sop = parse(document, f"{name}.sop.md")
    if sop.digest != digest:
        raise SopChangedError(f"sop {name}", "the run's pinned document was edited", "start a new run")
    return sop


def _locks(settings: Settings) -> Locks:
    url = database_url(settings)
    if url.startswith("sqlite"):
        return FileLocks(settings.state.dir / "runs.locks")
    return PostgresLocks(open_runs(url))


def _audit(guard: Guardrails) -> "Audit":
    return guard.audit


async def _frozen(guard: Guardrails) -> str:
    """Why nothing at all may be written now; a freeze of one cluster or owner is the guardrails' own."""
    holding = [freeze for freeze in await guard.freeze_status() if freeze.scope == "all"]
    return str(holding[0]) if holding else ""
