"""Several clusters over one AWS endpoint, each with its own Kubernetes API, in accounts and regions.

    specs = [ClusterSpec("shop"), ClusterSpec("pay", account="444455556666", region="eu-west-1")]
    async with Fleet(specs, seed=3) as fleet:
        environment = fleet.export("aiops-reader")   # names the operator's table
        fleet.clock.advance(300)                     # in every cluster
        fleet["pay"].requests.entries                # what one of them was asked

A member is a whole `Lab` (world, store, request log, faults) without an AWS of its own. Home is the lab's own
account; in every other account stands a role for each identity, assumed from home with an external id.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import anyio
import yaml

from aiops_lab.aws.account import ACCOUNT_ID, CLUSTER, REGION
from aiops_lab.aws.faults import AwsFault, AwsFaults
from aiops_lab.aws.overlay import AwsRequest, Operations, Overlay
from aiops_lab.aws.principals import LAB_PRINCIPALS, Directory, principals_of
from aiops_lab.aws.server import AwsServer
from aiops_lab.aws.services import operations
from aiops_lab.aws.switchboard import Member, Switchboard
from aiops_lab.clock import VirtualClock
from aiops_lab.control import SteeredLab
from aiops_lab.export import aws_environment, kubeconfig, write_private
from aiops_lab.kube.faults import Fault, Faults
from aiops_lab.kube.requests import RequestLog
from aiops_lab.kube.store import Store
from aiops_lab.run import DEFAULT_IDENTITY, Lab, Ports, in_loop
from aiops_lab.scenarios.registry_expired import FLEET_SEEDS
from aiops_lab.serving import LabStartError, listen, port_of

EXTERNAL_ID = "lab-fleet"
SECOND_ACCOUNT = "444455556666"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One cluster of a fleet. `seed`: instead of its place, so that two clusters look alike."""

    name: str
    account: str = ACCOUNT_ID
    region: str = REGION
    scenario: str = "healthy"
    seed: int | None = None
    environment: str = "prod"
    furnished: bool = True  # False: nodes and kube-system only, for many clusters at once

    @property
    def full_name(self) -> str:
        """`account/region/name`."""
        return f"{self.account}/{self.region}/{self.name}"


# What `eks-aiops lab up --clusters N` starts: one name twice in two regions, and a second account.
USUAL = (
    ClusterSpec(CLUSTER),
    ClusterSpec(CLUSTER, region="eu-west-1"),
    ClusterSpec("payments", account=SECOND_ACCOUNT),
)


def usual(count: int, scenario: str) -> list[ClusterSpec]:
    """The first `count` clusters of a fleet that nobody described further; the story plays in all of them."""
    more = (ClusterSpec(f"cluster-{at}", SECOND_ACCOUNT, "eu-west-1") for at in range(4, count + 1))
    chosen = [*USUAL[:count], *more]
    return [ClusterSpec(one.name, one.account, one.region, scenario) for one in chosen]


class FleetClock(VirtualClock):
    """The clocks of all clusters as one."""

    def __init__(self, clocks: Sequence[VirtualClock]) -> None:
        self._all = tuple(clocks)

    @property
    def running(self) -> bool:
        """Whether they move by themselves."""
        return self._all[0].running

    def now(self) -> datetime:
        """The first cluster's moment; the others are within a tick of it."""
        return self._all[0].now()

    def tick(self) -> None:
        """Let real time into every world."""
        for clock in self._all:
            clock.tick()

    def advance(self, seconds: float) -> None:
        """Play so many seconds in every world."""
        for clock in self._all:
            clock.advance(seconds)

    def pause(self) -> None:
        """Stand still, all at the latest moment of any."""
        for clock in self._all:
            clock.pause()
        self.level()

    def level(self) -> None:
        """Play every world up to the latest moment of any: a story was told in one of them."""
        latest = max(clock.now() for clock in self._all)
        for clock in self._all:
            clock.advance(max(0.0, (latest - clock.now()).total_seconds()))

    def resume(self) -> None:
        """Move on, all from the same moment."""
        for clock in self._all:
            clock.resume()


class FleetLab(Lab):
    """One cluster of a fleet: a lab whose AWS is the fleet's."""

    def __init__(
        self, fleet: "Fleet", spec: ClusterSpec, *, seed: int, ports: Ports, start: datetime
    ) -> None:
        super().__init__(spec.scenario, seed=seed, ports=ports, start=start)
        self.clock.pause()  # so that every world has the same T0, however long the others take to be built
        self.clock.rewind(start)
        self.spec, self._fleet = spec, fleet
        self.directory, self.aws_faults = fleet.directory, fleet.aws_faults
        self.account.cluster, self.account_id = spec.name, spec.account
        self.furnished = spec.furnished

    def inject(self, scenario: str) -> None:
        """Add a scenario's trouble to this cluster; in the others the same time goes by."""
        super().inject(scenario)
        self._fleet.clock.level()

    def _open_aws(self) -> None:
        self.account.in_world = in_loop()
        self._overlay, self.aws_url = self._fleet.overlay, self._fleet.aws_url

    def _steered(self) -> SteeredLab:
        return self._fleet if self._fleet.labs[0] is self else self


class Fleet:
    """An async context manager over its clusters, which `fleet[name]` or `fleet[full_name]` gives."""

    def __init__(
        self,
        specs: Iterable[ClusterSpec],
        *,
        seed: int = 0,
        ports: Ports | None = None,
        external_id: str = EXTERNAL_ID,
        start: datetime | None = None,
    ) -> None:
        self.specs = tuple(specs)
        if not self.specs or len({one.full_name for one in self.specs}) != len(self.specs):
            raise LabStartError("lab: a fleet needs clusters, each with its own account, region and name")
        self.seed, self.external_id, self.aws_url = seed, external_id, ""
        self._ports, self._start = ports or Ports(), start
        others = sorted({one.account for one in self.specs} - {ACCOUNT_ID})
        known = [one for account in others for one in principals_of(account, external_id)]
        self.directory = Directory(time.time, [*LAB_PRINCIPALS, *known])
        self.aws_faults = AwsFaults()
        self.labs = tuple(self._labs())
        self.clock = FleetClock([lab.clock for lab in self.labs])
        self.overlay = Overlay(self._operations(), self.directory, self.clock.now, self.aws_faults)
        self._inside, self._aws = AsyncExitStack(), ExitStack()

    def _labs(self) -> Iterable[FleetLab]:
        start = self._start or self.directory.now()
        for place, spec in enumerate(self.specs):
            seed = self.seed * FLEET_SEEDS + (place if spec.seed is None else spec.seed)
            ports = Ports(self._ports.kube, 0, self._ports.control) if place == 0 else Ports()
            yield FleetLab(self, spec, seed=seed, ports=ports, start=start)

    def _operations(self) -> Operations:
        members = [
            Member(
                lab.spec.account,
                lab.spec.region,
                lab.spec.name,
                operations(lab.account, self.directory.of_account(lab.spec.account)),
            )
            for lab in self.labs
        ]
        shared = operations(self.labs[0].account, self.directory)
        sts = {key: act for key, act in shared.items() if key[0] == "sts"}
        return {**Switchboard(members).operations(), **sts}

    async def __aenter__(self) -> Self:
        """Open AWS, then every cluster; come back when all answer, at one moment. Raises LabStartError."""
        try:
            self._open_aws()
            for lab in self.labs:
                await self._inside.enter_async_context(lab)
            self._folder = Path(self._aws.enter_context(TemporaryDirectory(prefix="eks-aiops-fleet-")))
            self.clock.resume()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every cluster, then AWS."""
        await self._close()

    def _open_aws(self) -> None:
        sock = self._aws.enter_context(listen(HOST, self._ports.aws))
        server = AwsServer(self.overlay, sock)
        server.start()
        self._aws.callback(server.stop)
        self._aws.callback(self.aws_faults.clear)
        self.aws_url = f"http://{HOST}:{port_of(sock)}"

    async def _close(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._inside.aclose()
            await anyio.to_thread.run_sync(self._aws.close)

    def __getitem__(self, name: str) -> FleetLab:
        """The cluster of a name, or of `account/region/name`. Raises KeyError unless exactly one has it."""
        found = [lab for lab in self.labs if name in {lab.spec.name, lab.spec.full_name}]
        if len(found) != 1:
            raise KeyError(name)
        return found[0]

    @property
    def url(self) -> str:
        """The control door: the first cluster's, which steers all."""
        return self.labs[0].url

    async def failed(self) -> None:
        """Wait until the machinery of a cluster breaks, and raise what broke it."""
        async with anyio.create_task_group() as group:
            for lab in self.labs:
                group.start_soon(lab.failed)

    # what a client needs

    def export(self, identity: str = DEFAULT_IDENTITY, table: Path | None = None) -> dict[str, str]:
        """Environment variables for a client that acts as `identity`; the operator's table is written."""
        path = table or self._folder / f"clusters-{identity}.yaml"
        write_private(path, self.table(identity))
        config = self._folder / f"kubeconfig-{identity}.yaml"
        write_private(config, kubeconfig(*(lab.door(identity, lab.spec.full_name) for lab in self.labs)))
        return {
            **aws_environment(self.directory.standing(identity), self.aws_url),
            "KUBECONFIG": str(config),
            "AIOPS_CLUSTERS_FILE": str(path),
            "AIOPS_TIME_SOURCE": f"{self.url}/time",
            "AIOPS_LAB_URL": self.url,
        }

    def table(self, identity: str = DEFAULT_IDENTITY) -> str:
        """The operator's table of this fleet, as `AIOPS_CLUSTERS_FILE` takes it."""
        accounts: dict[str, list[str]] = {}
        for spec in self.specs:
            regions = accounts.setdefault(spec.account, [])
            regions += [] if spec.region in regions else [spec.region]
        rows = [self._account_row(account, regions, identity) for account, regions in accounts.items()]
        clusters = [
            {
                "name": spec.name,
                "account_id": spec.account,
                "region": spec.region,
                "environment": spec.environment,
            }
            for spec in self.specs
        ]
        return yaml.safe_dump({"accounts": rows, "clusters": clusters}, sort_keys=False)

    def _account_row(self, account: str, regions: list[str], identity: str) -> dict[str, Any]:
        row: dict[str, Any] = {"account_id": account, "regions": regions}
        key = identity if account == ACCOUNT_ID else f"{account}/{identity}"
        principal = self.directory.principals[key]
        if principal.kind == "role":
            row["role_arn"] = principal.arn
        if principal.external_id:
            row["external_id"] = principal.external_id
        return row

    # what the control door steers: all clusters at once

    @property
    def scenario(self) -> str:
        """What plays in the first cluster."""
        return self.labs[0].scenario

    @property
    def store(self) -> Store:
        """The first cluster's objects."""
        return self.labs[0].store

    @property
    def faults(self) -> Faults:
        """The first cluster's faults."""
        return self.labs[0].faults

    @property
    def requests(self) -> RequestLog:
        """What every Kubernetes API was asked, in order of time."""
        merged = RequestLog()
        every = [entry for lab in self.labs for entry in lab.requests.entries]
        for entry in sorted(every, key=lambda one: one.received_at):
            merged.append(entry)
        return merged

    def scenarios(self) -> list[dict[str, str]]:
        """What can be played."""
        return self.labs[0].scenarios()

    def inject(self, scenario: str) -> None:
        """Add a scenario's trouble to every cluster."""
        for lab in self.labs:
            lab.inject(scenario)

    def reset(self, scenario: str, seed: int) -> None:
        """Build every world anew; a scenario other than the first cluster's plays in all."""
        other = scenario != self.scenario
        for place, lab in enumerate(self.labs):
            lab.reset(scenario if other else lab.scenario, seed * FLEET_SEEDS + place)
        self.seed = seed

    def set_faults(self, wanted: Iterable[Fault]) -> None:
        """Make every Kubernetes API misbehave in these ways and no other."""
        faults = list(wanted)
        for lab in self.labs:
            lab.set_faults(faults)

    def fail_aws(self, service: str, operation: str, **how: Any) -> None:
        """Make an AWS operation misbehave; `how` as in `AwsFault`."""
        self.aws_faults.add(AwsFault(service, operation, **how))

    def aws_requests(self) -> list[AwsRequest]:
        """What AWS was asked, oldest first."""
        return list(self.overlay.requests)
