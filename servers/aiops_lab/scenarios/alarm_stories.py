"""F9, F-b6: three alarms of which two are one trouble; a miner in a pod. F20 is in `alert_storm`."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from aiops_lab.aws.guardduty import GuardDuty, StoredFinding, eks_resource
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Curve, Run, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.alarms import StoredAlarm, metric_alarm, told_alarm
from aiops_lab.telemetry.alerts import StoredAlert, emit

HOME, MIN_S, HOUR_S, DAY_S, GIB = "production", 60.0, 3600.0, 86_400.0, 2**30
MONTH_S = 30 * DAY_S
_NODES = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))
_DISK, _LEFT = 83_873_772 * 1024, 7_884_134 * 1024  # 90.6 % in use
EVICTED, HOG_BYTES = 8, 3 * GIB
_QUIET_METRICS = (
    "pod_cpu_utilization", "pod_memory_utilization", "node_cpu_utilization", "service_number_of_running_pods",
    "pod_number_of_container_restarts", "cluster_failed_node_count", "node_network_total_bytes",
)  # fmt: skip


def full_node(names: Names) -> str:
    """F9: the node out of disk; 10.0.1.42 with seed 0."""
    return _NODES[(names.seed + 1) % 6]


def prefix(names: Names) -> str:
    """How this account calls its alarms."""
    return "EKS" if names.seed == 0 else ("k8s", "prod", "platform", "eks-main", "ops")[names.seed % 5]


def _crossed(value: float, sign: str, threshold: float) -> Mapping[str, str]:
    """StateReason as CloudWatch words it."""
    point = f"1 datapoint [{value} (22/11/26 02:40:00)]"
    return {"ALARM": f"Threshold Crossed: {point} was {sign} the threshold ({threshold})."}


def _at(stage: Stage, before_s: float) -> float:
    return stage.telemetry.t0_s - before_s


def insights_alarm(
    name: str, metric: str, dimensions: Mapping[str, str], t0_s: float, *, above: float, **more: Any
) -> StoredAlarm:
    """An alarm on a metric of Container Insights, a month old."""
    made_s = t0_s - MONTH_S
    return metric_alarm(
        name, f"ContainerInsights/{metric}", dimensions, above=above, created_s=made_s, **more
    )


def three(stage: Stage, names: Names) -> tuple[StoredAlarm, ...]:
    """F9's alarms in ALARM."""
    head, cluster = prefix(names), {"ClusterName": stage.aws.cluster}
    of_node = {**cluster, "NodeName": full_node(names).partition(".")[0]}
    step, t0_s = names.seed * 20.0, stage.telemetry.t0_s
    made = partial(insights_alarm, t0_s=t0_s)
    at_least: dict[str, Any] = {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    memory = made(f"{head}-HighMemoryUsage", "node_memory_utilization", cluster, above=80.0)
    failed = made(f"{head}-FailedPods", "pod_status_failed", cluster, above=5.0, statistic="Sum")
    disk = made(f"{head}-DiskPressure", "node_filesystem_utilization", of_node, above=90.0, **at_least)
    told = (
        (memory, 95 * MIN_S, _crossed(87.0, "greater than", 80.0)),
        (failed, 14 * MIN_S, _crossed(float(EVICTED), "greater than", 5.0)),
        (disk, 18 * MIN_S, _crossed(90.6, "greater than or equal to", 90.0)),
    )
    return tuple(
        told_alarm(alarm, [(t0_s - MONTH_S, "OK"), (t0_s - since_s - step, "ALARM")], reasons=reasons)
        for alarm, since_s, reasons in told
    )


def _calm(stage: Stage, names: Names, rng: Random) -> Iterator[StoredAlarm]:
    """Seventeen alarms in OK, two without data."""
    head, cluster, made = prefix(names), stage.aws.cluster, _at(stage, MONTH_S)
    for place, subject in enumerate(names.others[:19]):
        metric = _QUIET_METRICS[place % len(_QUIET_METRICS)]
        dimensions = {"ClusterName": cluster, "Namespace": HOME, "PodName": subject}
        name = f"{head}-{subject}-{metric}"
        alarm = insights_alarm(name, metric, dimensions, stage.telemetry.t0_s, above=80.0)
        if place >= 17:
            states = [(_at(stage, rng.uniform(2, 20) * HOUR_S), "INSUFFICIENT_DATA")]
        else:  # some were in ALARM an hour or a day ago and are over: a decoy for whoever reads the past
            was = rng.uniform(2, 20) * HOUR_S
            fired = [(_at(stage, was), "ALARM"), (_at(stage, was - 10 * MIN_S), "OK")]
            states = [(made, "OK"), *(fired if place % 4 == 0 else [])]
        yield told_alarm(alarm, states)


def _alone_there(stage: Stage, node: str, before_s: float, *objects: Obj) -> None:
    """Objects whose pods land on one node: the others take none for a minute and a half."""

    def closed(found: Obj, *, is_closed: bool) -> None:
        found["spec"]["unschedulable"] = is_closed

    for other in _NODES:
        if other != node:
            stage.change_at(before_s + 30, "Node", "", other, partial(closed, is_closed=True))
            stage.change_at(before_s - 60, "Node", "", other, partial(closed, is_closed=False))
    stage.put_at(before_s, *objects)


def _active_alarms(stage: Stage, names: Names, rng: Random) -> None:
    """The disk runs full, eight pods are thrown out; memory of the nodes is high for another reason."""
    node, app = full_node(names), f"{names.others[-1]}-render"
    image = stage.publish(names.image(app, "1.4.2"), Image(serving(app, memory_mi=48)))
    main = container("app", image, memory="32Mi", readinessProbe=http_probe())
    _alone_there(stage, node, DAY_S, deployment(HOME, app, EVICTED, template({"app": app}, [main])))
    began_s = 19 * MIN_S + names.seed * 20.0
    stage.at(began_s + 60, partial(stage.write_to_disk, HOME, app, local=HOG_BYTES))
    stage.at(began_s, partial(stage.fill_disk, node, system=_DISK - _LEFT))
    stage.telemetry.alarms.put(*three(stage, names), *_calm(stage, names, rng))


def mined(names: Names) -> str:
    """F-b6: the workload in which somebody mines."""
    return f"{names.others[3]}-thumbnails"


def _mining(start: Run) -> Behaviour:
    calm = serving(start.container)(start)
    lines = (*calm.lines, (1.0, logfmt("info", "worker started", threads=4)))
    return Behaviour(lines=lines, chatter=calm.chatter, memory=calm.memory, cpu_m=Curve(((0.0, 1000.0),)))


def _crypto_mining(stage: Stage, names: Names, rng: Random) -> None:
    """CPU at its limit on every pod, traffic as ever, and GuardDuty saw whom the pods talk to."""
    name = mined(names)
    image = stage.publish(names.image(name, "2.3.0"), Image(serving(name)))
    bad = stage.publish(names.image(name, "2.3.1"), Image(_mining))
    main = container("app", image, limit="512Mi", readinessProbe=http_probe())
    main["resources"]["limits"]["cpu"] = "1"
    stage.put_at(
        3 * DAY_S, deployment(HOME, name, 3, template({"app": name}, [main])), service(HOME, name, name)
    )
    began_s = (42 if names.seed == 0 else rng.uniform(30, 60)) * MIN_S

    def swap(found: Obj) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = bad

    stage.change_at(began_s, "Deployment", HOME, name, swap)
    _mining_signals(stage, names, began_s)
    seen = stage.aws.started_at - timedelta(seconds=began_s - 6 * MIN_S)
    stage.aws.area(GuardDuty).find(
        StoredFinding(
            finding_id=f"{names.seed:032x}",
            kind="CryptoCurrency:Runtime/BitcoinTool.B!DNS",
            severity=8.0,
            title="A container queried a domain name that is associated with cryptocurrency activity.",
            first_seen=seen,
            last_seen=stage.aws.started_at + timedelta(days=30),
            resource=eks_resource(stage.aws, HOME, name, "deployments", bad),
            count=17 + names.seed,
        )
    )


def _mining_signals(stage: Stage, names: Names, began_s: float) -> None:
    """The alarm on its CPU and the alert of its throttling; requests stay what they were."""
    name, cluster, t0_s = mined(names), stage.aws.cluster, stage.telemetry.t0_s
    dimensions = {"ClusterName": cluster, "Namespace": HOME, "PodName": name}
    metric = "pod_cpu_utilization_over_pod_limit"
    alarm = insights_alarm(f"{prefix(names)}-{name}-cpu", metric, dimensions, t0_s, above=90.0)
    states = [(t0_s - 29 * DAY_S, "OK"), (t0_s - began_s + 3 * MIN_S, "ALARM")]
    stage.telemetry.alarms.put(told_alarm(alarm, states, reasons=_crossed(100.0, "greater than", 90.0)))
    labels = {
        "alertname": "CPUThrottlingHigh",
        "cluster": cluster,
        "namespace": HOME,
        "service": name,
        "severity": "warning",
    }
    notes = {"summary": f"{name} is throttled"}
    spans = ((t0_s - began_s + 5 * MIN_S, None),)
    emit(
        stage.telemetry,
        StoredAlert(labels, spans, notes, value=0.82, expression="throttled_share > 0.25"),
        ruled=True,
    )


def _full_disk(names: Names) -> tuple[Expected, ...]:
    node = full_node(names)
    return (Expected("NODE_DISK_PRESSURE", "Node", "", node, "Node", node, headline=node.split(".")[0]),)


SCENARIOS = (
    Scenario(
        "active-alarms",
        "Three alarms, two of them one trouble",
        "Of 22 alarms three are in ALARM: memory of the nodes; failed pods and a full disk, which are one "
        "trouble: the node threw its pods out.",
        "F9",
        _active_alarms,
        _full_disk,
        lead_s=2 * DAY_S,
    ),
    Scenario(
        "crypto-mining",
        "A pod mines: CPU at its limit, no more traffic than before",
        "A release forty minutes ago uses all the CPU it may; requests are what they were, and GuardDuty "
        "reports a miner in those pods.",
        "F-b6",
        _crypto_mining,
        lead_s=4 * DAY_S,
    ),
)
