"""One running lab: the Kubernetes API over TLS, the AWS account, and the control door, all on loopback.

Tests use it in process (`tests/lab_fixture.py`), `eks-aiops lab up` through `aiops_lab.cli`:

    async with Lab("pod-crashloop", seed=7) as lab:
        environment = lab.export()          # what a client needs
        lab.clock.advance(300)              # five minutes later
        assert not lab.requests.writes()    # nobody changed anything

The Store and the World belong to the loop that entered the lab; only the AWS overlay has a thread of its own,
and it touches neither. A client in the same loop must therefore not block it (`anyio.run_process`, not
`subprocess.run`).
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import anyio

from aiops_lab.aws.account import ACCOUNT_ID, Account
from aiops_lab.aws.faults import AwsFault, AwsFaults
from aiops_lab.aws.overlay import AwsRequest, Overlay
from aiops_lab.aws.principals import Directory
from aiops_lab.aws.server import AwsServer
from aiops_lab.aws.services import operations
from aiops_lab.clock import VirtualClock
from aiops_lab.control import SteeredLab, control_app
from aiops_lab.export import Door, aws_environment, kubeconfig, telemetry_environment, write_private
from aiops_lab.identity import LabAuthenticator
from aiops_lab.kube.app import build_app
from aiops_lab.kube.auditing import AuditLog
from aiops_lab.kube.control_metrics import ControlPlaneMeter, control_page
from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.faults import Fault, Faults
from aiops_lab.kube.requests import RequestLog
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from aiops_lab.kube.tls import make_certificates
from aiops_lab.observatory.app import Observatory, observatory_app
from aiops_lab.roles import grant
from aiops_lab.scenarios import SCENARIOS
from aiops_lab.serving import LabStartError, LoopbackServer, listen, port_of, require_loopback
from aiops_lab.world.world import World

START_S = 20.0
STOP_S = 10.0
TICK_S = 0.1
IN_WORLD_S = 10.0
DEFAULT_IDENTITY = "lab-admin"


def in_loop() -> Callable[[Callable[[], Any]], Any]:
    """How a request thread of AWS does something in the world: in the loop that owns it, which calls this."""
    loop = asyncio.get_running_loop()

    def act(change: Callable[[], Any]) -> Any:
        async def done() -> Any:
            return change()

        return asyncio.run_coroutine_threadsafe(done(), loop).result(IN_WORLD_S)

    return act


@dataclass(frozen=True, slots=True)
class _Gauges:
    """What is measured: the workloads by the world, the control plane by its meter."""

    world: World
    account: Account
    clock: VirtualClock

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        return self.world.pod(namespace, name)

    def node(self, name: str) -> tuple[int, int] | None:
        return self.world.node(name)

    def control_plane(self) -> Iterator[bytes]:
        return control_page(self.account.area(ControlPlaneMeter), self.world.store, self.clock.now())


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 takes a free port."""

    kube: int = 0
    aws: int = 0
    control: int = 0
    observatory: int = 0


class Lab:
    """An async context manager; its parts are there from construction, its addresses once entered."""

    def __init__(
        self,
        scenario: str = "healthy",
        *,
        seed: int = 0,
        host: str = "127.0.0.1",
        ports: Ports | None = None,
        start: datetime | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        require_loopback(host)
        self.scenario, self.seed = scenario, seed
        self._host, self._ports, self._wall = host, ports or Ports(), wall
        self.clock = VirtualClock(start or self._real_now())
        self.store = Store(self.clock.now, [*BUILT_IN, *LAB_CRDS], seed=seed)
        grant(self.store)
        self.world = World(self.store, self.clock, seed)
        self.faults = Faults(seed)
        self.aws_faults = AwsFaults()
        self.directory = Directory(wall)
        self.account, self.account_id = self.world.aws, ACCOUNT_ID
        self.requests = RequestLog(heard=lambda *seen: self.account.area(AuditLog).take(*seen))
        self.observatory = Observatory(self.account, self.directory, self.clock.now)
        self.furnished = True
        self.aws_url = self.kube_url = self.url = ""
        self._closing = ExitStack()
        self._ready, self._stop = anyio.Event(), anyio.Event()
        self._life: asyncio.Task[None] | None = None

    def _real_now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)

    async def __aenter__(self) -> Self:
        """Build the world, open the doors, come back when every one answers.

        Raises LabStartError for an unknown scenario or a port in use, TimeoutError after START_S seconds.
        """
        if self.scenario not in SCENARIOS:
            raise LabStartError(f"lab: scenario {self.scenario!r} is not known; {', '.join(SCENARIOS)} are")
        try:
            self.world.load(self.scenario, self.seed, furnished=self.furnished)
            # One task of its own holds the servers' task group: fixtures may enter and leave a lab in
            # different tasks, which a task group does not survive.
            self._life = asyncio.get_running_loop().create_task(self._live(self._open()), name="lab")
            self._life.add_done_callback(lambda _: self._ready.set())
            with anyio.fail_after(START_S):
                await self._ready.wait()
            if self._life.done():
                await self._life
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every door, end every thread, remove every file."""
        await self._close()

    async def failed(self) -> None:
        """Wait until the lab's own machinery breaks, and raise what broke it."""
        if self._life is not None:
            await asyncio.shield(self._life)

    # what a client needs

    def export(self, identity: str = DEFAULT_IDENTITY) -> dict[str, str]:
        """Environment variables for a client that acts as `identity`. Raises KeyError for an unknown one."""
        return {
            **aws_environment(self.directory.standing(identity), self.aws_url),
            **telemetry_environment(self.observatory.url),
            "KUBECONFIG": str(self._kubeconfig(identity)),
            "AIOPS_TIME_SOURCE": f"{self.url}/time",
            "AIOPS_LAB_URL": self.url,
        }

    def token(self, identity: str = DEFAULT_IDENTITY) -> str:
        """The bearer token that the kubeconfig of `identity` carries."""
        return self._authenticator.tokens[identity]

    @property
    def ca_path(self) -> Path:
        """The CA that signed the Kubernetes API's certificate."""
        return self._certificates.ca_path

    def _kubeconfig(self, identity: str) -> Path:
        path = self._folder / f"kubeconfig-{identity}.yaml"
        write_private(path, kubeconfig(self.door(identity)))
        return path

    def door(self, identity: str, context: str = "") -> Door:
        """How an identity enters the Kubernetes API."""
        ca, token = self._certificates.ca_base64, self.token(identity)
        return Door(context or self.account.cluster, self.kube_url, ca, identity, token)

    # what the control door does

    def scenarios(self) -> list[dict[str, str]]:
        """What can be played."""
        return [
            {"name": one.name, "fixture": one.fixture, "title": one.title, "shows": one.says}
            for one in SCENARIOS.values()
        ]

    def inject(self, scenario: str) -> None:
        """Add a scenario's trouble to the running world. Raises ValueError where it does not fit into it.

        A story that breaks off in the middle would leave a world nobody meant, so the lab is reset then.
        """
        try:
            self.world.inject(scenario)
        except ApiError as error:
            self.reset(self.scenario, self.seed)
            raise ValueError(f"scenario {scenario}: {error}; the lab was reset to {self.scenario}") from error

    def reset(self, scenario: str, seed: int) -> None:
        """Build the world anew and forget the request logs."""
        self.world.load(scenario, seed)
        self.scenario, self.seed = scenario, seed
        self.requests.clear()
        self.faults.clear()
        self.aws_faults.clear()
        self.observatory.heal()
        self._overlay.requests.clear()

    def aws_requests(self) -> list[AwsRequest]:
        """What AWS was asked, oldest first."""
        return list(self._overlay.requests)

    def set_faults(self, wanted: Iterable[Fault]) -> None:
        """Make the Kubernetes API misbehave in these ways and no other; none makes it well again."""
        self.faults.clear()
        for fault in wanted:
            self.faults.add(fault)

    def fail_aws(self, service: str, operation: str, **how: Any) -> None:
        """Make an AWS operation misbehave until `reset` or `aws_faults.clear()`; `how` as in `AwsFault`.

        `lab.fail_aws("eks", "DescribeAddon", code="ThrottlingException", params={"addonName": "coredns"})`
        """
        self.aws_faults.add(AwsFault(service, operation, **how))

    # life

    def _open(self) -> dict[LoopbackServer, socket.socket]:
        """Every listening socket with its server; AWS answers at once, the others once the loop runs them."""
        self._folder = Path(self._closing.enter_context(TemporaryDirectory(prefix="eks-aiops-lab-")))
        self._certificates = make_certificates(self._folder / "tls", self._real_now())
        self._open_aws()
        kube = self._closing.enter_context(listen(self._host, self._ports.kube))
        control = self._closing.enter_context(listen(self._host, self._ports.control))
        seen = self._closing.enter_context(listen(self._host, self._ports.observatory))
        self.kube_url = self._url("https", port_of(kube))
        self.url = self._url("http", port_of(control))
        self.observatory.url = self.account.observatory_url = self._url("http", port_of(seen))
        self.account.endpoint, self.account.ca_pem = self.kube_url, self.ca_path.read_bytes()
        sts_host = urlsplit(self.aws_url).netloc
        self._authenticator = LabAuthenticator(
            self.directory, self.account.cluster, sts_host, self.account_id
        )
        app = build_app(
            self.store,
            logs=self.world,
            usage=_Gauges(self.world, self.account, self.clock),
            authenticator=self._authenticator,
            requests=self.requests,
            faults=self.faults,
            now=self.clock.now,
        )
        tls = (self._certificates.certificate_path, self._certificates.key_path)
        return {
            LoopbackServer(app, tls): kube,
            LoopbackServer(control_app(self._steered())): control,
            LoopbackServer(observatory_app(self.observatory)): seen,
        }

    def _steered(self) -> SteeredLab:
        """What the control door steers: this lab, or the fleet that it begins."""
        return self

    def _url(self, scheme: str, port: int) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{port}"

    def _open_aws(self) -> None:
        self.account.in_world = in_loop()
        self._overlay = Overlay(
            operations(self.account, self.directory), self.directory, self.clock.now, self.aws_faults
        )
        sock = self._closing.enter_context(listen(self._host, self._ports.aws))
        server = AwsServer(self._overlay, sock)
        server.start()
        self._closing.callback(server.stop)
        self._closing.callback(self.aws_faults.clear)  # first: nobody waits for a delay that was played
        self.aws_url = self._url("http", port_of(sock))

    async def _live(self, servers: Mapping[LoopbackServer, socket.socket]) -> None:
        async with anyio.create_task_group() as ticking:
            ticking.start_soon(self._tick)
            async with anyio.create_task_group() as serving:
                for server, sock in servers.items():
                    serving.start_soon(server.serve, [sock])
                for server in servers:
                    await server.up.wait()
                self._ready.set()
                await self._stop.wait()
                for server in servers:
                    server.should_exit = True
            ticking.cancel_scope.cancel()

    async def _tick(self) -> None:
        while True:
            self.clock.tick()
            await anyio.sleep(TICK_S)

    async def _close(self) -> None:
        self._stop.set()
        with anyio.CancelScope(shield=True):
            try:
                if self._life is not None:
                    with anyio.fail_after(STOP_S):
                        await self._life
            finally:
                # Stopping AWS waits for its thread; a request in it may wait for this loop.
                await anyio.to_thread.run_sync(self._closing.close)
