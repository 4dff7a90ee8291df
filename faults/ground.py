"""The ground that runs are killed on: a lab, prepared stores, and a zygote that forks replicas."""

import json
import os
import select
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any, Literal
from uuid import uuid4

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from aiops_lab.run import Lab
from aiops_shared.settings import StateSettings, inherited
from aiops_shared.state import StateStore
from eks_aiops.demo.play import KEPT
from eks_aiops.proving_stage import ANNA

Database = Literal["sqlite", "postgresql"]
ROOT = Path(__file__).resolve().parents[1]
PREFIXES = ("AWS_", "AIOPS_METRICS_", "AIOPS_LOGS_", "AIOPS_TRACES_", "AIOPS_ALERTS_", "AIOPS_COST_")


class Zygote:
    """A process that forks replicas."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._answers = BufferedByteReceiveStream(process.stdout)

    async def bear(self, wish: dict[str, Any]) -> "Replica":
        """A replica that lives as the wish says."""
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps(wish).encode() + b"\n")
        pid = int(await self._answers.receive_until(b"\n", 64))
        return Replica(pid, Path(wish["stop"]), Path(wish["fuse"]["trace"]))


@dataclass
class Replica:
    """A forked process of the suite; no child of ours, so it is watched by its pidfd."""

    pid: int
    stop: Path
    trace: Path
    watch: int = field(init=False)

    def __post_init__(self) -> None:
        self.watch = os.pidfd_open(self.pid)

    def signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    @property
    def dead(self) -> bool:
        """Whether it is gone (or a zombie)."""
        return bool(select.select([self.watch], [], [], 0)[0])

    @property
    def stopped(self) -> bool:
        """Whether it sleeps (SIGSTOP)."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] in {"T", "t"}

    @property
    def worked_at(self) -> float:
        """When it last did something in a run; 0 when it never did."""
        return self.trace.stat().st_mtime if self.trace.exists() else 0.0

    async def gone(self, within_s: float) -> bool:
        """Wait for its end."""
        with anyio.move_on_after(within_s):
            while not self.dead:
                await anyio.sleep(0.01)
        return self.dead

    async def ended(self) -> None:
        """Ask it to stop, kill it when it does not."""
        self.stop.touch()
        if not await self.gone(15):
            os.kill(self.pid, 9)
            await self.gone(5)
        os.close(self.watch)


@dataclass
class House:
    """One run's state: a directory, a database, what its replicas said and passed."""

    folder: Path
    environment: dict[str, str]
    born: int = 0

    @property
    def settings(self) -> StateSettings:
        """Where its state is."""
        return StateSettings(dir=self.folder, url=self.environment.get("AIOPS_STATE_URL", ""))

    @cached_property
    def state(self) -> StateStore:
        """Its state store, opened once."""
        return StateStore(self.settings)

    @property
    def time_source(self) -> str:
        """The world's clock."""
        return self.environment["AIOPS_TIME_SOURCE"]

    def wish(self, **more: Any) -> dict[str, Any]:
        """What a zygote is told for the next replica."""
        self.born += 1
        name = f"replica-{self.born}"
        return {
            "environment": self.environment,
            "says": str(self.folder / f"{name}.log"),
            "stop": str(self.folder / f"{name}.stop"),
            "started": str(self.folder / "started.json"),
            "fuse": {"trace": str(self.folder / f"{name}.trace")},
            **more,
        }

    def passages(self) -> list[tuple[float, str, str]]:
        """(monotonic time, point, step) of every replica, in order of time."""
        found = [
            tuple(json.loads(line))
            for trace in self.folder.glob("*.trace")
            for line in trace.read_text(encoding="utf-8").splitlines()
        ]
        return sorted(found)


@dataclass
class Ground:
    """A lab, a zygote, and prepared stores."""

    lab: Lab
    zygote: Zygote
    folder: Path
    servers: dict[Database, str]  # PostgreSQL's URL without a database

    @property
    def template(self) -> str:
        """Of PostgreSQL, with the tables in it; one for each ground on the server."""
        return f"prepared_{os.getpid()}"

    def environment(self, state: Path, url: str) -> dict[str, str]:
        """What a replica gets."""
        told = {
            name: value for name, value in self.lab.export("lab-admin").items() if name.startswith(PREFIXES)
        }
        return {
            **inherited(*KEPT),
            **told,
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AIOPS_TIME_SOURCE": f"{self.lab.url}/time",
            "AIOPS_WRITE": "true",
            "AIOPS_SENSITIVE_READS": "true",
            "AIOPS_STATE_DIR": str(state),
            "AIOPS_CALLER_NAME": ANNA,
            "AIOPS_CALLER_KIND": "human",
            **{f"AIOPS_POLICY_AUTONOMY_{env}": "auto-safe" for env in ("PROD", "STAGING", "DEV")},
            **({"AIOPS_STATE_URL": url} if url else {}),
        }

    def house(self, database: Database) -> House:
        """Fresh state, copied from a migrated one."""
        name = f"h{uuid4().hex[:12]}"
        state, url = self.folder / name, ""
        prepared = self.folder / f"prepared-{database}"
        if not prepared.exists():
            self._prepare(database, prepared)
        shutil.copytree(prepared, state)
        if database == "postgresql":
            url = f"{self.servers[database]}/{name}"
            self._psql(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        return House(state, self.environment(state, url))

    def left(self, house: House) -> None:
        """Done with it: its store is closed, its files and its database go."""
        house.state.close()
        if house.settings.url:
            self._psql(f"DROP DATABASE IF EXISTS {house.folder.name} WITH (FORCE)")
        shutil.rmtree(house.folder, ignore_errors=True)

    def _prepare(self, database: Database, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        url = ""
        if database == "postgresql":
            self._psql(f"CREATE DATABASE {self.template}")
            url = f"{self.servers[database]}/{self.template}"
        store = StateStore(StateSettings(dir=folder, url=url))
        store.run_now(lambda conn: None)
        store.close()

    def _psql(self, statement: str) -> None:
        import psycopg

        plain = self.servers["postgresql"].replace("+psycopg", "") + "/postgres"
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(statement.encode())


# Every world begins at the same instant: what a run reads of it (a forecast) is then the same each time.
START = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)


@asynccontextmanager
async def ground(scenario: str, seed: int, postgresql: str = "") -> AsyncIterator[Ground]:
    """Everything started; `postgresql`: SQLAlchemy URL of a server, without a database."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="eks-aiops-faults-")))
        lab = await stack.enter_async_context(Lab(scenario, seed=seed, start=START))
        process = await stack.enter_async_context(
            await anyio.open_process(
                [sys.executable, "-m", "faults.zygote"], stdin=PIPE, stdout=PIPE, stderr=None, cwd=ROOT
            )
        )
        stack.callback(process.kill)
        servers: dict[Database, str] = {"postgresql": postgresql} if postgresql else {}
        yield Ground(lab, Zygote(process), folder, servers)
