"""F-b7: every pod of a service stands in one zone, so most of its callers reach it across zones.

It was rolled out while the other zones' nodes were cordoned; they came back, the pods did not move. Its
callers were rolled out while its own zone was closed: four of five of them stand elsewhere. Look-alikes: a
service that prefers its caller's zone, and one that is bound to a zone. `crowd(names)` says what a right
answer is.
"""

from dataclasses import dataclass
from random import Random

from aiops_lab.billing.everyday import everyday
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.quantities import flat
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.workloads import RouteFacts, emit_requests

HOME = "production"
DAY_S = 86_400.0
SINCE_S = 21 * DAY_S
MONTH_DAYS = 30
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
GROUND = tuple((f"ip-10-0-{place % 3}-{41 + place}.ec2.internal", ZONES[place % 3]) for place in range(6))
ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class Heap:
    """A service whose pods are all in one zone, those that call it, and what crossing costs a month."""

    app: str
    zone: str
    replicas: int
    callers: str
    near: str  # calls nobody across zones: prefers its own
    bound: str  # may stand in one zone only
    monthly_gb: int  # each way is billed

    @property
    def monthly_usd(self) -> float:
        """What the bill shows."""
        return self.monthly_gb * 0.01


def crowd(names: Names) -> Heap:
    """The story of one cast; seed 0 is the page's: five pods in 1a, 400 USD."""
    app, callers, near, bound = names.others[-4:]
    if names.seed == 0:
        return Heap(app, ZONES[0], 5, callers, near, bound, 40_000)
    rng = Random(f"zone-traffic/{names.seed}")
    gb = rng.randrange(15_000, 90_000, 600)
    return Heap(app, rng.choice(ZONES), rng.randint(3, 6), callers, near, bound, gb)


def _app(stage: Stage, names: Names, name: str, replicas: int, **spec: object) -> list[Obj]:
    image = stage.publish(names.image(name, "3.0.1"), Image(serving(name)))
    main = container("app", image, readinessProbe=http_probe("/ready"))
    main["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
    made = deployment(HOME, name, replicas, template({"app": name}, [main]))
    made["spec"]["template"]["spec"] |= spec
    return [made, service(HOME, name, name)]


def _build(stage: Stage, names: Names, rng: Random) -> None:
    told = crowd(names)
    for name, zone in GROUND:
        closed = (SINCE_S + 600, SINCE_S - 600) if zone != told.zone else (SINCE_S - 600, SINCE_S - 1800)
        stage.change_at(closed[0], "Node", "", name, _cordon)
        stage.change_at(closed[1], "Node", "", name, _uncordon)
    stage.put_at(SINCE_S, *_app(stage, names, told.app, told.replicas))
    stage.put_at(SINCE_S - 1200, *_app(stage, names, told.callers, rng.randint(18, 20)))
    near = _app(stage, names, told.near, 6)
    near[1]["spec"]["trafficDistribution"] = "PreferClose"
    stage.put_at(SINCE_S - 2400, *near)
    term = {"key": ZONE_LABEL, "operator": "In", "values": [ZONES[1]]}
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [term]}]
            }
        }
    }
    stage.put_at(SINCE_S - 2400, *_app(stage, names, told.bound, 2, affinity=affinity))
    since_s = stage.telemetry.t0_s - SINCE_S
    for name, rate in ((told.app, 400.0), (told.near, 150.0), (told.bound, 5.0)):
        emit_requests(stage.telemetry.signals, RouteFacts(name, "/", HOME, since_s=since_s), rate=rate)
    crossing = Kit(stage.aws.cluster).cross_zone(flat(told.monthly_gb / 2 / MONTH_DAYS))
    others = tuple(line for line in everyday() if "DataTransfer-Regional" not in line.usage_type)
    stage.aws.area(Ledger).lines = (*others, *crossing)


def _cordon(node: Obj) -> None:
    node["spec"]["unschedulable"] = True


def _uncordon(node: Obj) -> None:
    node["spec"].pop("unschedulable", None)


SCENARIOS = (
    Scenario(
        "zone-traffic",
        "All pods of a service in one zone",
        "Five pods stand where they were rolled out; most callers reach them across zones, which is billed.",
        "F-b7",
        _build,
        lead_s=22 * DAY_S,
    ),
)
