"""Whatever an API server sends: judging never crashes, and the order of what came changes nothing (T14).

Worlds are made of sick and healthy objects of every kind, of which a few values are then torn out or
replaced by something else.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import LogTail, Lookup, Ref
from aiops_eks.diagnosis.result import Diagnosis
from aiops_eks.diagnosis.scope import Gathered
from tests.eks.diagnosis import worlds
from tests.eks.diagnosis.worlds import NOW, NS, Obj, ago

pytestmark = pytest.mark.threat("T14")
T = TypeVar("T")
LONG = settings(max_examples=150, deadline=None)
NAMES = ("cart-7d4b9c6f5-aaaaa", "cart-7d4b9c6f5-bbbbb", "pay-0", "cart", "node-a")
WAITS = ("CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError", "ContainerCreating", "X")
REASONS = (
    ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503"),
    ("Killing", "Container web failed liveness probe, will be restarted"),
    (
        "FailedScheduling",
        "0/3 nodes are available: 1 Insufficient cpu, 2 had untolerated taint {a: b}.",
    ),
    ("FailedMount", 'MountVolume.SetUp failed for volume "cfg" : configmap "cart-settings" not found'),
    ("FailedCreate", "pods is forbidden: exceeded quota: q"),
    ("Failed", "Failed to pull image: not found"),
    ("BackOff", "Back-off restarting failed container"),
    ("ProvisioningFailed", "storageclass not found"),
)
LINES = ("level=fatal msg=bang", "dial tcp 1.2.3.4:5: connection refused", "unknown flag: --x", "fine", "")
JUNK: tuple[Any, ...] = (
    None, True, -1, 10**30, 1.5, float("inf"), float("nan"), "", "x" * 300, "0001-01-01T00:00:00+23:59",
    "soon",
    [], [None], [[]], ["x"], {}, {"": None}, {"name": {}}, {"matchLabels": {"a": 1}}, "9" * 400, "-5Gi",
)  # fmt: skip
WHOLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
CONTAINER: Obj = {
    "envFrom": [{"configMapRef": {"name": "cart-settings", "optional": True}}],
    "resources": {"limits": {"memory": "128Mi", "cpu": "1"}, "requests": {"memory": "1Gi"}},
    "livenessProbe": {"httpGet": {"port": 8080, "path": "/"}},
    "readinessProbe": {"tcpSocket": {"port": "http"}},
    "ports": [{"name": "http", "containerPort": 8080}],
}


def _pod(chance: Random) -> Obj:
    name = chance.choice(NAMES[:3])
    spec = {"volumes": [{"name": "cfg", "configMap": {"name": "cart-settings"}}], "nodeName": "node-a"}
    state = chance.choice(
        [worlds.waiting(chance.choice(WAITS)), worlds.running(), worlds.died(chance.choice([0, 1]))]
    )
    death = worlds.died(chance.choice([0, 1, 2, 127, 137, 139]), chance.choice(["Error", "OOMKilled"]))
    phase = chance.choice(["Running", "Running", "Pending", "Failed"])
    made = worlds.pod(
        name, state, last=death, restarts=chance.randint(0, 9), container=CONTAINER, phase=phase, spec=spec
    )
    made["spec"].setdefault("containers", [{"name": "web", "image": "repo/cart:3.1", **CONTAINER}])
    return made


def _event(chance: Random) -> Obj:
    meta = {"name": chance.choice(NAMES), "namespace": NS}
    about = {"kind": chance.choice(["Pod", "Node", "ReplicaSet"]), "metadata": meta}
    return worlds.happened(*chance.choice(REASONS), about=about, ago_s=chance.choice([5, 90, 5000]))


def _workload(chance: Random) -> Obj:
    made = worlds.deployment(ready=chance.randint(0, 2), replicas=chance.randint(0, 2))
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    failed = {"type": "Failed", "status": "True", "lastTransitionTime": ago(60)}
    made["kind"] = chance.choice(["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"])
    made["status"]["conditions"] = [late, failed]
    return made


def _service(chance: Random) -> Obj:
    label = chance.choice(["cart", "carts", "pay"])
    return worlds.service(selector={"app": label}, ports=[{"port": 80, "targetPort": "web"}])


def _node(chance: Random) -> Obj:
    return worlds.node(
        Ready=chance.choice(["True", "Unknown"]), DiskPressure=chance.choice(["True", "False"])
    )


def _claim(chance: Random) -> Obj:
    meta = {"name": "data", "namespace": NS, "creationTimestamp": ago(9000)}
    phase = chance.choice(["Pending", "Bound", "Lost"])
    return {"metadata": meta, "spec": {"storageClassName": "gp9"}, "status": {"phase": phase}}


def _metrics(chance: Random) -> Obj:
    meta = {"name": chance.choice(NAMES[:2]), "namespace": NS}
    return {"metadata": meta, "containers": [{"name": "web", "usage": {"memory": "127Mi", "cpu": "5n"}}]}


def _places(obj: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of an object where a value stands."""
    pairs = obj.items() if isinstance(obj, dict) else enumerate(obj) if isinstance(obj, list) else ()
    for key, value in list(pairs):
        yield obj, key
        yield from _places(value)


def torn(obj: Obj, chance: Random) -> Obj:
    """A copy with up to three values gone or wrong; most stay whole."""
    copy = deepcopy(obj)
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        places = list(_places(copy))
        if not places:
            break
        holder, key = chance.choice(places)
        if chance.random() < 0.3:
            del holder[key]
        else:
            holder[key] = deepcopy(chance.choice(JUNK))
    return copy


def any_world(seed: int) -> Facts:
    """Facts of some objects; one seed, one world."""
    chance = Random(seed)

    def some(make: Callable[[Random], Obj], most: int) -> list[Obj]:
        return [torn(make(chance), chance) for _ in range(chance.randint(0, most))]

    workloads = tuple(reading.workload(obj, str(obj.get("kind"))) for obj in some(_workload, 4))
    pods = tuple(map(reading.Tops(workloads).owned, [reading.pod(obj) for obj in some(_pod, 5)]))
    tails = [LogTail(p.ref, "web", chance.random() < 0.5, (chance.choice(LINES),)) for p in pods]
    refs = [Ref(kind, NS, "cart-settings") for kind in ("ConfigMap", "Secret")]
    return Facts(
        cluster="lab",
        now=NOW,
        pods=pods,
        workloads=workloads,
        events=tuple(reading.event(obj) for obj in some(_event, 8)),
        services=tuple(reading.service(obj, chance.choice([0, 1, None])) for obj in some(_service, 2)),
        nodes=tuple(reading.node(obj) for obj in some(_node, 2)),
        claims=tuple(reading.claim(obj, chance.choice([None, {}])) for obj in some(_claim, 2)),
        usage=tuple(usage for obj in some(_metrics, 2) for usage in reading.usages(obj)),
        logs=tuple(tail for tail in tails if chance.random() < 0.7),
        lookups=tuple(Lookup(ref, chance.random() < 0.5, ("A",)) for ref in refs),
    )


def shuffled(facts: Facts, seed: int) -> Facts:
    """The same facts, come in another order."""
    chance = Random(seed)

    def mixed(found: Sequence[T]) -> tuple[T, ...]:
        return tuple(chance.sample(found, len(found)))

    return replace(
        facts,
        pods=mixed(facts.pods),
        events=mixed(facts.events),
        logs=mixed(facts.logs),
        lookups=mixed(facts.lookups),
        workloads=mixed(facts.workloads),
        services=mixed(facts.services),
        nodes=mixed(facts.nodes),
        claims=mixed(facts.claims),
        usage=mixed(facts.usage),
    )


def said(facts: Facts) -> Diagnosis:
    return answer(Gathered(facts))


@LONG
@given(st.integers(0, 2**40))
def test_whatever_is_sent_there_is_an_answer_with_each_cause_once(seed: int) -> None:
    found = said(any_world(seed))
    assert found.model_dump_json()
    places = [(one.code, one.kind, one.namespace, one.name) for one in found.findings]
    assert len(set(places)) == len(places)


@LONG
@given(st.integers(0, 2**40), st.integers(0, 2**20))
def test_the_same_facts_in_any_order_give_the_same_answer(seed: int, order: int) -> None:
    facts = any_world(seed)
    assert said(facts) == said(shuffled(facts, order))


def test_the_worlds_of_this_file_are_sick_in_many_ways() -> None:
    found = {one.code for seed in range(150) for one in said(any_world(seed)).findings}
    assert len(found) >= 15, found


@LONG
@given(WHOLE)
def test_anything_reads_as_an_object_of_any_kind(obj: Any) -> None:
    reading.pod(obj)
    reading.event(obj)
    reading.service(obj, None)
    reading.node(obj)
    reading.claim(obj, {})
    reading.ready_addresses(obj)
    list(reading.usages(obj))
    assert reading.workload(obj, "Job").ref.kind == "Job"


@pytest.mark.parametrize(
    "written", ["1e999999999", "9" * 5000, "1e30Ei", 10**30, "1e-999999999", "inf", "nan"]
)
def test_a_quantity_beyond_all_machines_is_absent_and_costs_nothing(written: object) -> None:
    limits = {"limits": {"memory": written, "cpu": written}}
    container = {"name": "web", "resources": limits}
    found = reading.pod({"metadata": {"name": "a"}, "spec": {"containers": [container]}}).containers[0]
    assert (found.memory_limit_bytes, found.cpu_limit_m) == (None, None)


@pytest.mark.parametrize(
    "written", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59Z"]
)
def test_times_at_the_end_of_the_calendar_are_read_or_absent(written: str) -> None:
    found = reading.pod({"metadata": {"name": "a", "namespace": NS, "creationTimestamp": written}})
    assert found.created_at is None or found.created_at <= datetime.max.replace(tzinfo=UTC)
