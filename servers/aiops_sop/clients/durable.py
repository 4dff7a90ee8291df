"""The one durable workflow, on DBOS (D21): each step of a run is a step of it, recorded when it is done.

DBOS is imported when the first run starts or an orphan is found, never before (D31). It lives in threads of
its own; what a step does runs in the server's event loop. One per process.

The workflow's versions are the engine's, not the program's: an upgrade finds the runs of the version before
(R23). Arguments and results are JSON, never pickled.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from contextvars import Context
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from aiops_sop.engine.records import Held

APPLICATION_VERSION: Final = "aiops-runs-1"
NAME: Final = "aiops_run"
_log: Final = logging.getLogger("aiops.runs")
Obj = dict[str, Any]


class Carrier(Protocol):
    """What the workflow does with a run; lives in the server's event loop."""

    async def begin(self, run_id: str, generation: int) -> "Held | None":
        """Take the run; None when there is nothing to carry on."""
        ...

    async def advance(self, held: "Held") -> Obj:
        """One step further: `next`, `over`, `state`. Raises LostError when the run is lost."""
        ...

    async def end(self, held: "Held", state: str) -> None:
        """The workflow has no more to do."""
        ...


class Workflows(Protocol):
    """What starts and resumes workflows. Every method blocks."""

    executor: str

    @property
    def opened(self) -> bool:
        """Whether it runs in this process."""
        ...

    def open(self, carrier: Carrier, loop: asyncio.AbstractEventLoop) -> None:
        """Launch it once."""
        ...

    def start(self, run_id: str, generation: int) -> None:
        """Start a run's workflow."""
        ...

    def adopt(self, run_id: str, generation: int, executor: str) -> bool:
        """Carry on what a dead executor left; whether there was something to do."""
        ...

    def close(self) -> None:
        """End it in this process."""
        ...


def workflow_id(run_id: str, generation: int) -> str:
    """One for every stretch of a run between two pauses."""
    return f"{run_id}.{generation}"


def database_url(settings: Settings) -> str:
    """Where runs are kept durable. Their steps' effects are not decided by it: the state store is."""
    if settings.sop.database_url:
        return settings.sop.database_url
    if settings.state.url:
        return settings.state.url
    return f"sqlite:///{settings.state.dir / 'runs.db'}"


def open_runs(url: str) -> "Engine":
    """An engine for DBOS and for the locks of executors: none of ours, whose transactions only read unless
    told otherwise. On SQLite WAL, NORMAL, IMMEDIATE, foreign keys, a busy timeout.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    from aiops_shared.state.opening import CONNECT_TIMEOUT_S, parsed
    from aiops_shared.state.places import private_directory, private_file, refuse_network_filesystem

    found = parsed(url)
    if found.get_backend_name() != "sqlite":
        wait = {"connect_timeout": CONNECT_TIMEOUT_S}
        pool: dict[str, Any] = {"pool_size": 10, "max_overflow": 20, "pool_pre_ping": True}
        return create_engine(found, hide_parameters=True, connect_args=wait, **pool)
    path = Path(found.database or "")
    private_directory(path.parent)
    refuse_network_filesystem(path.parent)
    private_file(path)
    engine = create_engine(found, poolclass=QueuePool, pool_size=5, max_overflow=40, hide_parameters=True)

    def connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = "IMMEDIATE"  # as DBOS's own hook, which an engine of ours does not get
        raw.execute("PRAGMA busy_timeout=30000")
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=NORMAL")
        raw.execute("PRAGMA foreign_keys=ON")

    event.listen(engine, "connect", connected)
    return engine


@dataclass
class _Here:
    """The loop and the carrier of this process; DBOS keeps one workflow function for all."""

    carrier: Carrier
    loop: asyncio.AbstractEventLoop


_here: list[_Here] = []  # DBOS is one per process, so is this; replaced by `Durable.open`
_registered: list[Callable[[str, int], str]] = []


class Durable:
    """Starts, resumes and lists the workflows of this process. Every method blocks: call it in a thread."""

    def __init__(self, settings: Settings, executor: str) -> None:
        self._settings = settings
        self.executor = executor
        self._opened = False
        self._opening = threading.Lock()

    @property
    def opened(self) -> bool:
        """Whether DBOS runs in this process."""
        return self._opened

    def open(self, carrier: Carrier, loop: asyncio.AbstractEventLoop) -> None:
        """Import and launch DBOS once."""
        with self._opening:
            if self._opened:
                return
            from dbos import DBOS, DBOSPortableJSONSerializer

            url = database_url(self._settings)
            DBOS(
                config={
                    "name": "aiops-runs",
                    "system_database_url": _spelled(url),
                    "system_database_engine": open_runs(url),
                    "application_version": APPLICATION_VERSION,
                    "executor_id": self.executor,
                    "serializer": DBOSPortableJSONSerializer(),
                    "console_log_level": "ERROR",
                    "log_level": "ERROR",
                    "notification_listener_polling_interval_sec": 1.0,
                    "use_listen_notify": False,
                }
            )
            _here[:] = [_Here(carrier, loop)]
            if not _registered:
                _registered.append(DBOS.workflow(name=NAME)(_run_sop))
            try:
                DBOS.launch()
            except BaseException:
                # Launched half it would take itself for launched: what it did not migrate stayed so (R8).
                DBOS.destroy()
                _here.clear()
                raise
            self._opened = True

    def start(self, run_id: str, generation: int) -> None:
        """Start a run's workflow; one that was started already is left as it is.

        In a context of its own: a `run` step starts runs, and DBOS lets no step start a child of its own.
        """
        Context().run(self._start, run_id, generation)

    def _start(self, run_id: str, generation: int) -> None:
        from dbos import DBOS, SetWorkflowID

        with SetWorkflowID(workflow_id(run_id, generation)):
            DBOS.start_workflow(_registered[0], run_id, generation)

    def adopt(self, run_id: str, generation: int, executor: str) -> bool:
        """Carry on what a dead executor left: the caller holds its lock. Again, it does nothing."""
        from dbos import DBOS

        name = workflow_id(run_id, generation)
        known = DBOS.list_workflows(workflow_ids=[name], load_input=False, load_output=False)
        if not known:
            self.start(run_id, generation)
            return True
        theirs = known[0].status == "PENDING" and known[0].executor_id == executor
        if theirs:
            DBOS.resume_workflow(name)
        return theirs

    def close(self) -> None:
        """End DBOS in this process; what is not through is another process's."""
        with self._opening:
            if not self._opened:
                return
            from dbos import DBOS

            DBOS.destroy()
            _here.clear()
            self._opened = False


def _spelled(url: str) -> str:
    from aiops_shared.state.opening import parsed

    return parsed(url).render_as_string(hide_password=False)


def _wait_for(work: Callable[[Carrier], Coroutine[Any, Any, Any]]) -> Any:
    """Run it in the server's loop and wait here, in a thread of DBOS."""
    here = _here[0]
    done: Future[Any] = asyncio.run_coroutine_threadsafe(work(here.carrier), here.loop)
    return done.result()


def _run_sop(run_id: str, generation: int) -> str:
    """The workflow: step after step until the run ends, waits or is handed over."""
    from dbos import DBOS

    from aiops_sop.engine.needs import LostError

    state = "lost"
    held = _wait_for(lambda carrier: carrier.begin(run_id, generation))
    if held is None:
        return state
    name = "begin"
    try:
        while True:
            said = DBOS.run_step({"name": name}, _advance, asdict(held))
            name, state = str(said["next"] or "end"), str(said["state"])
            if said["over"]:
                return state
    except (LostError, FutureCancelledError):
        return "lost"
    finally:
        _wait_for(lambda carrier: carrier.end(held, state))


def _advance(held: Obj) -> Obj:
    from aiops_sop.engine.records import Held

    found: Obj = _wait_for(lambda carrier: carrier.advance(Held(**held)))
    return found
