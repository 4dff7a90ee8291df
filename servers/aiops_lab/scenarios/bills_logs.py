"""F10e's world and bill: what the talker of `log_volume` costs, compute and logs, of a month of 5,000 USD.

The talker runs on a pool of its own since the world began; everything else is the common world. Seed 0 is the
page's: compute 1,050, logs 950, together 40 %. `money(names)` says what a right answer is, from sizes and
prices alone. A month is thirty whole days before T0's; the pool's first day is a part of one.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from random import Random

from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import Line, Quantity, flat
from aiops_lab.billing.quantities import at, spread
from aiops_lab.scenarios.addresses import machine
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.workloads import Profile

HOME, POOL, KIND = "production", "edge", "m5.4xlarge"
CORES, MEMORY_KI, ALLOCATABLE_KI = 16, 64_691_260, 61_691_964
NODE_USD, GROUND_USD, LOG_USD = Fraction("0.768"), Fraction("0.192"), Fraction("0.50")
GROUND_NODES = 6
DAY_S, MONTH_DAYS = 86_400.0, 30
CORE_WEIGHT = 9  # of a core against a GiB: the ratio of AWS's split cost allocation data


@dataclass(frozen=True, slots=True)
class Money:
    """What the talker holds, and the bill of the month."""

    service: str
    replicas: int
    cpu_m: int
    memory_bytes: int
    nodes: int
    compute: Fraction
    logs: Fraction
    debug_logs: Fraction
    total: Fraction


def hours_since(t0: datetime) -> Fraction:
    """Of the month: how long the world's nodes stood, which came thirty days before T0."""
    end = datetime.combine(t0.date(), time(), UTC)
    born = (t0 - timedelta(days=MONTH_DAYS)).replace(microsecond=0)
    return Fraction(int((end - born).total_seconds()), 3600)


def money(names: Names, gb: tuple[float, float, float], t0: datetime) -> Money:
    """The story of one cast. `gb`: a month's logs: the talker's DEBUG lines, its others, everybody else's."""
    debug, rest, others = (Fraction(repr(one)) for one in gb)
    rng = Random(f"log-money/{names.seed}")
    first = names.seed == 0
    nodes, replicas, cpu_m = (4, 10, 3500) if first else (rng.randint(3, 5), rng.randint(6, 9), 2500)
    pool = nodes * NODE_USD * hours_since(t0)
    memory_gib = Fraction(MEMORY_KI, 1024 * 1024)
    weight = CORE_WEIGHT * CORES + memory_gib
    by_cpu = pool * CORE_WEIGHT * CORES / weight * replicas * Fraction(cpu_m, 1000) / (nodes * CORES)
    whole = pool * memory_gib / weight / (nodes * memory_gib)  # of one GiB
    held = (1050 - by_cpu) / whole / replicas if first else Fraction(rng.randint(40, 70), 10)
    memory_bytes = round(held * 2**30)
    compute = by_cpu + whole * replicas * Fraction(memory_bytes, 2**30)
    logs = LOG_USD * (debug + rest + others)
    ground = GROUND_NODES * GROUND_USD * hours_since(t0)
    total = Fraction(5000) if first else Fraction(round(pool + ground + logs + rng.randint(300, 900)))
    return Money(
        names.api if not first else "api-gateway",
        replicas,
        cpu_m,
        memory_bytes,
        nodes,
        compute,
        LOG_USD * (debug + rest),
        LOG_USD * debug,
        total,
    )


def settle(stage: Stage, told: Money, rng: Random) -> None:
    """The talker and its pool, from the world's first moment on."""
    since_s = MONTH_DAYS * DAY_S
    for number in range(told.nodes):
        zone = number % 3
        labels = {"karpenter.sh/nodepool": POOL, "karpenter.sh/capacity-type": "on-demand"}
        name = f"ip-10-0-{zone}-{150 + number}.ec2.internal"
        made = machine(name, "us-east-1" + "abc"[zone], rng.getrandbits(64), KIND, **labels)
        made["metadata"]["labels"]["kubernetes.io/arch"] = "amd64"
        made["status"]["capacity"] = _room(str(CORES), MEMORY_KI)
        made["status"]["allocatable"] = _room(f"{CORES * 1000 - 110}m", ALLOCATABLE_KI)
        stage.put_at(since_s, made, by="kubelet")
    image = stage.publish(f"{told.service}:5.2.0", Image(serving(told.service)))
    main = container("app", image, readinessProbe=http_probe("/ready"))
    main["resources"] = {"requests": {"cpu": f"{told.cpu_m}m", "memory": str(told.memory_bytes)}}
    pod = template({"app": told.service}, [main])
    pod["spec"]["nodeSelector"] = {"karpenter.sh/nodepool": POOL}
    stage.put_at(since_s, deployment(HOME, told.service, told.replicas, pod))
    stage.put_at(since_s, service(HOME, told.service, told.service))
    used = Profile(
        HOME, told.service, memory=0.5 * told.memory_bytes, cpu=0.4 * told.cpu_m / 1000, sigma=0.01
    )
    stage.telemetry.profiles.append(used)


def _room(cpu: str, memory_ki: int) -> dict[str, str]:
    return {"cpu": cpu, "memory": f"{memory_ki}Ki", "pods": "234", "ephemeral-storage": "83873772Ki"}


def bill(stage: Stage, told: Money, gb: float) -> None:
    """The lines of the account: the pool, the ground, logs, and what makes the month its total."""
    t0 = datetime.fromtimestamp(stage.telemetry.t0_s, UTC)
    first = t0.date() - timedelta(days=MONTH_DAYS)
    kit = Kit(stage.aws.cluster)
    plain = (
        kit.nodes(KIND, str(float(NODE_USD)), _machines(told.nodes, t0)),
        kit.nodes("m5.xlarge", str(float(GROUND_USD)), _machines(GROUND_NODES, t0)),
        kit.control_plane(),
        kit.logs(
            spread(first, MONTH_DAYS, gb, otherwise=flat(gb / MONTH_DAYS)),
            log_group=f"/aws/containerinsights/{stage.aws.cluster}/application",
        ),
        kit.load_balancer(1),
        kit.internet(spread(first, MONTH_DAYS, 900.0, otherwise=flat(30))),
        *kit.cross_zone(spread(first, MONTH_DAYS, 4500.0, otherwise=flat(150))),
    )
    rest = told.total - sum(Fraction(_month(line, first)) for line in plain)
    disks = spread(first, MONTH_DAYS, float(rest / Fraction("0.08")), otherwise=flat(40))
    stage.aws.area(Ledger).lines = (*plain, kit.disks(disks))


def _machines(count: int, t0: datetime) -> Quantity:
    """Machine hours by day: of the first day what was left of it."""
    first = t0.date() - timedelta(days=MONTH_DAYS)
    began = float(hours_since(t0) - 24 * (MONTH_DAYS - 1))
    return at({first: round(count * began, 6)}, flat(24.0 * count))


def _month(line: Line, first: date) -> Fraction:
    return sum((Fraction(line.amount(first + timedelta(days=day))) for day in range(MONTH_DAYS)), Fraction())
