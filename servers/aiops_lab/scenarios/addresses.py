"""Subnets that run dry: the fixture of the intermittent 504 (F5) and its variants, as the cluster and EC2 see
them.

The addresses really run out: the lab's network plugin takes them from the subnet's pool, and gives up in its
own words when EC2 refuses. `address_traces` tells the same worlds in traces, flows and figures.
"""

from functools import partial
from random import Random

from aiops_lab.aws.account import Subnet
from aiops_lab.aws.vpc import Vpc
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios import address_traces
from aiops_lab.scenarios.base import Build, Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import logfmt, serving
from aiops_lab.scenarios.shapes import autoscaler, container, deployment, http_probe, service, template

HOME, SYSTEM = "production", "kube-system"
DAY_S, MIN_S = 86_400.0, 60.0
CODE = "SUBNET_IP_EXHAUSTION"
_PREFIXES = {"ENABLE_PREFIX_DELEGATION": "true"}
_SMALL = "t3.medium"  # three interfaces of six addresses: fifteen for pods


def full_subnet(names: Names) -> int:
    """Which of the subnets runs dry in this world: the second with the page's cast."""
    return (names.seed + 1) % 3


def subnet_id(names: Names) -> str:
    """The id of that subnet, in the common world."""
    return ("subnet-0aaa", "subnet-0bbb", "subnet-0ccc")[full_subnet(names)]


def _subnets(stage: Stage) -> list[Subnet]:
    return [stage.aws.subnets[key] for key in sorted(stage.aws.subnets)]


def _env(stage: Stage, before_s: float, **values: str) -> None:
    """Settings of the network plugin."""

    def change(obj: Obj) -> None:
        main = obj["spec"]["template"]["spec"]["containers"][0]
        kept = [each for each in main.get("env") or [] if each["name"] not in values]
        main["env"] = [*kept, *({"name": key, "value": value} for key, value in values.items())]

    stage.change_at(before_s, "DaemonSet", SYSTEM, "aws-node", change)


def few_warm_addresses(stage: Stage, before_s: float, **more: str) -> None:
    """Nodes keep one spare address; a pod that comes and goes on each lets them give back the rest."""
    _env(stage, before_s, WARM_IP_TARGET="1", MINIMUM_IP_TARGET="1", **more)
    image = stage.publish("repo/address-probe:1.0.0", Image(serving("address-probe")))
    pod = template({"app": "address-probe"}, [container("probe", image, memory="8Mi", limit="32Mi")])
    stage.put_at(
        before_s - 60,
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "address-probe", "namespace": HOME},
            "spec": {"selector": {"matchLabels": {"app": "address-probe"}}, "template": pod},
        },
    )
    stage.delete_at(before_s - 600, "DaemonSet", HOME, "address-probe", "platform-team")


def _crowd(stage: Stage, index: int, free: int, blocks: int = 0) -> None:
    stage.aws.area(Vpc).crowd(_subnets(stage)[index], free=free, blocks=blocks)


def _make_room(stage: Stage, index: int) -> None:
    stage.aws.area(Vpc).make_room(_subnets(stage)[index])


def _proxy(stage: Stage, names: Names, before_s: float, *, replicas: int = 3, pod: Obj | None = None) -> None:
    """The workload in the middle of the requests, with its autoscaler."""
    image = stage.publish(names.api_image, Image(serving(names.api)))
    main = container("app", image, memory="32Mi", limit="128Mi", readinessProbe=http_probe())
    main["resources"]["requests"]["cpu"] = "50m"
    made = deployment(HOME, names.api, replicas, template({"app": names.api}, [main], **(pod or {})))
    scaler = autoscaler(HOME, names.api, replicas, 40)
    stage.put_at(before_s, made, service(HOME, names.api, names.api), scaler)


def _grow(stage: Stage, names: Names, before_s: float, replicas: int, *, at_once: bool = False) -> None:
    """More is wanted from that moment, and the autoscaler sees to it.

    In the lab autoscalers wake a quarter of an hour before T0; `at_once` does not wait for that.
    """

    def change(obj: Obj) -> None:
        obj["spec"]["minReplicas"] = replicas

    def scale(obj: Obj) -> None:
        obj["spec"]["replicas"] = replicas

    stage.change_at(before_s, "HorizontalPodAutoscaler", HOME, names.api, change)
    if at_once:
        stage.change_at(before_s, "Deployment", HOME, names.api, scale)


def _runs_dry(
    *, free: int = 0, began_s: float = 31 * MIN_S, quiet: bool = False, prefixes: bool = False
) -> Build:
    """F5: traffic grows, the workload with it, and one zone's subnet has nothing left."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        index, at_s = full_subnet(names), began_s + rng.uniform(-120, 120)
        few_warm_addresses(stage, 3 * DAY_S, **(_PREFIXES if prefixes else {}))
        zone = {"topology.kubernetes.io/zone": "us-east-1" + "abc"[index]}
        _proxy(stage, names, 2 * DAY_S, pod={"nodeSelector": zone} if prefixes else {})
        for other, (left, blocks) in enumerate(((118, 5), (100, 4), (131, 6))):
            if other != index:
                stage.at(at_s + 240, partial(_crowd, stage, other, left, blocks))
        stage.at(at_s + 60, partial(_crowd, stage, index, free))
        wanted = rng.randint(17, 21) * (2 if prefixes else 1)  # a prefix holds sixteen
        _grow(stage, names, at_s, wanted, at_once=quiet)
        stage.autoscale_at(at_s - 30)
        hangs_s = at_s - 5 * MIN_S  # saturation and retransmissions first, then the 504s
        address_traces.one_zone_hangs(
            stage, names, "us-east-1" + "abc"[index], subnet_id(names), began_s=hangs_s
        )
        if quiet:
            stage.forget_events_at(0.5, HOME)

    return build


def _one_zone_recovers(stage: Stage, names: Names, rng: Random) -> None:
    """It ran dry, and a neighbour gave addresses back."""
    began_s = rng.uniform(48, 55) * MIN_S
    few_warm_addresses(stage, 3 * DAY_S)
    _proxy(stage, names, 2 * DAY_S)
    stage.at(began_s + 60, partial(_crowd, stage, full_subnet(names), 0))
    _grow(stage, names, began_s, 18)
    stage.at(began_s - 300, partial(_make_room, stage, full_subnet(names)))


def _slow_database(stage: Stage, names: Names, rng: Random) -> None:
    """F5c: requests time out in all zones and every pod is well; one subnet is merely low."""
    words = (
        logfmt("warn", "upstream timed out (30s)", peer="orders-db"),
        logfmt("info", "request served", route="/orders", status=504),
    )
    image = stage.publish(names.api_image, Image(serving(names.api, lines=words)))
    main = container("app", image, readinessProbe=http_probe())
    made = deployment(HOME, names.api, 6, template({"app": names.api}, [main]))
    stage.put_at(2 * DAY_S, made, service(HOME, names.api, names.api))
    stage.at(DAY_S, partial(_crowd, stage, full_subnet(names), rng.randint(9, 14)))
    address_traces.database_hangs(stage, names, began_s=26 * MIN_S)


def small_node_name(names: Names) -> str:
    """The node of the small machine."""
    return f"ip-10-0-{full_subnet(names)}-{90 + names.seed % 7}.ec2.internal"


def _small_node(names: Names) -> Obj:
    """A machine that holds fewer addresses than its kubelet believes."""
    zone = "us-east-1" + "abc"[full_subnet(names)]
    return machine(small_node_name(names), zone, 0xABC + names.seed, _SMALL, workload="proxy")


def machine(name: str, zone: str, number: int, kind: str = "m5.xlarge", **more: str) -> Obj:
    """A node that came by itself; `more` are labels of its own."""
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/region": "us-east-1",
        "topology.kubernetes.io/zone": zone,
        **more,
    }
    room = {"cpu": "1930m", "memory": "3371796Ki", "pods": "58", "ephemeral-storage": "18242267924"}
    instance = f"i-0{number:016x}"
    well = ("False", "False", "False", "True")
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    reasons = (
        "KubeletHasSufficientMemory",
        "KubeletHasNoDiskPressure",
        "KubeletHasSufficientPID",
        "KubeletReady",
    )
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": f"aws:///{zone}/{instance}"},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [
                {"type": kind, "status": status, "reason": reason, "message": reason}
                for kind, status, reason in zip(kinds, well, reasons, strict=True)
            ],
            "addresses": [
                {
                    "type": "InternalIP",
                    "address": name.removeprefix("ip-").partition(".")[0].replace("-", "."),
                },
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "Amazon Linux 2023.9.20251105",
                "kernelVersion": "6.12.55-74.119.amzn2023.x86_64",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kubeletVersion": "v1.35.0-eks-3a10415",
                "kubeProxyVersion": "",
                "machineID": instance.removeprefix("i-"),
                "systemUUID": f"ec2{instance.removeprefix('i-')}",
                "bootID": f"b{instance.removeprefix('i-')}",
            },
        },
    }


def _full_machine(stage: Stage, names: Names, rng: Random) -> None:
    """F5b: the subnet has 96 free addresses and four whole /28; the machine can hold no more."""
    stage.put_at(4 * DAY_S, _small_node(names), by="kubelet")
    _proxy(stage, names, 2 * DAY_S, replicas=6, pod={"nodeSelector": {"workload": "proxy"}})
    stage.at(DAY_S, partial(_crowd, stage, full_subnet(names), 96, 4))
    grown_s = rng.uniform(24, 33) * MIN_S
    _grow(stage, names, grown_s, rng.randint(18, 21))
    address_traces.one_node_hangs(stage, names, small_node_name(names), began_s=grown_s - 5 * MIN_S)


def _subnet(names: Names) -> tuple[Expected, ...]:
    headline = rf"{subnet_id(names)}.*(0|no) .*free"
    return (Expected(CODE, "Subnet", "", subnet_id(names), hurts_name=names.api, headline=headline),)


def _node(names: Names) -> tuple[Expected, ...]:
    where = small_node_name(names)
    return (
        Expected("NODE_ADDRESSES_EXHAUSTED", "Node", "", where, hurts_name=names.api, headline="address"),
    )


SCENARIOS = (
    Scenario(
        "subnet-ip-exhaustion",
        "Pods in one zone get no address: its subnet is empty",
        "A workload grew with its traffic; in one zone its new pods wait in ContainerCreating.",
        "F5",
        _runs_dry(),
        _subnet,
        lead_s=3 * DAY_S,
    ),
    Scenario(
        "subnet-ip-exhaustion-node-limit",
        "Pods of one node get no address: the machine can hold no more",
        "The same event, while the subnet has room.",
        "F5b",
        _full_machine,
        _node,
        lead_s=4 * DAY_S,
    ),
    Scenario(
        "subnet-ip-exhaustion-slow-database",
        "Requests time out in all zones: nothing is wrong with any subnet",
        "Every pod is well; one subnet is low and gives addresses.",
        "F5c",
        _slow_database,
        lead_s=2 * DAY_S,
    ),
    Scenario(
        "subnet-ip-exhaustion-expired",
        "Pods have waited for three hours and their events are gone",
        "What is left are the pods, the plugin's log and the subnet's figures.",
        "F5d",
        _runs_dry(began_s=180 * MIN_S, quiet=True),
        _subnet,
        lead_s=3 * DAY_S,
    ),
    Scenario(
        "subnet-ip-exhaustion-fragmented",
        "Nine scattered addresses, and not one whole /28 for the plugin's prefixes",
        "Prefix delegation is on, and what is free is of no use to it.",
        "F5e",
        _runs_dry(free=9, prefixes=True),
        _subnet,
        lead_s=3 * DAY_S,
    ),
    Scenario(
        "subnet-ip-exhaustion-recovered",
        "A subnet ran dry for a few minutes, and has addresses again",
        "Everybody who waited has an address.",
        "F5",
        _one_zone_recovers,
        lead_s=3 * DAY_S,
    ),
)
