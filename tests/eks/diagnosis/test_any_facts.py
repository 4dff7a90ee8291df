"""Whatever an API server sends: judging never crashes, and the order of what came changes nothing (T14)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.case import cases
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Diagnosis
from aiops_eks.diagnosis.objects import LogTail, Lookup, Ref
from aiops_eks.diagnosis.scope import Gathered
from tests.eks.diagnosis.worlds import NOW, NS, Obj, ago

T = TypeVar("T")
pytestmark = pytest.mark.threat("T14")
QUIETLY = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = ("cart", "cart-settings", "cart-7d4b9c6f5", "node-a", "")
REASONS = (
    "CrashLoopBackOff", "ImagePullBackOff", "CreateContainerConfigError", "ContainerCreating", "OOMKilled",
    "Error", "Unhealthy", "Killing", "FailedScheduling", "FailedMount", "FailedCreate", "Failed", "BackOff",
    "Evicted", "ProvisioningFailed", "StartError", "Unschedulable", "NodeLost", "",
)  # fmt: skip
WORDS = (
    'configmap "cart-settings" not found', "couldn't find key A in ConfigMap shop/cart-settings",
    "Liveness probe failed: HTTP probe failed with statuscode: 503", "exec format error",
    "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}.",
    "Container web failed liveness probe, will be restarted", "exceeded quota: q", "unknown flag: --x",
    "level=fatal msg=bang", "dial tcp 1.2.3.4:5: connection refused", "The node was low on resource: memory.",
)  # fmt: skip
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)
NAME, TIME = st.sampled_from(NAMES), st.sampled_from([ago(5), ago(70), ago(900), ago(40_000), "0001", "soon"])
MESSAGE = st.sampled_from(WORDS) | st.text(max_size=20)


def loosely(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Obj]:
    """An object of these fields, any of them absent; now and then one is not what it should be."""
    return st.fixed_dictionaries({}, optional={key: _broken(value) for key, value in known.items()})


def _broken(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda dice: JUNK if dice == 0 else right)


def _list(of: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[Any]:
    return st.lists(_broken(of), max_size=most)


OWNERS = _list(
    loosely(
        kind=st.sampled_from(["ReplicaSet", "Job", "StatefulSet", "Node"]),
        name=NAME,
        controller=st.booleans(),
    )
)
LABELS = st.dictionaries(st.sampled_from(["app", "role", "pod-template-hash"]), _broken(NAME), max_size=3)
META = loosely(
    name=NAME,
    namespace=st.just(NS),
    uid=NAME,
    labels=LABELS,
    ownerReferences=OWNERS,
    creationTimestamp=TIME,
    deletionTimestamp=TIME,
    generation=st.integers(),
    finalizers=_list(NAME),
)
DEATH = loosely(
    terminated=loosely(
        exitCode=st.sampled_from([0, 1, 2, 126, 127, 137, 139, 143, -1, 10**30]),
        reason=st.sampled_from(REASONS),
        startedAt=TIME,
        finishedAt=TIME,
        message=MESSAGE,
        signal=st.integers(),
    )
)
STATE = (
    DEATH
    | loosely(waiting=loosely(reason=st.sampled_from(REASONS), message=MESSAGE))
    | loosely(running=loosely(startedAt=TIME))
)
STATUS = loosely(
    name=st.just("web"), state=STATE, lastState=DEATH, restartCount=st.integers(-1, 9), ready=st.booleans()
)
CONDITION = loosely(
    type=st.sampled_from(["Ready", "PodScheduled", "Failed", "Progressing", "DiskPressure", "Complete"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=st.sampled_from(REASONS),
    message=MESSAGE,
    lastTransitionTime=TIME,
)
CONDITIONS = _list(CONDITION, 3)
REFERENCE = loosely(name=NAME, key=NAME, optional=st.booleans())
PROBE = loosely(
    httpGet=loosely(port=st.integers() | NAME, path=NAME),
    periodSeconds=st.integers(),
    failureThreshold=st.integers(),
)
QUANTITY = st.sampled_from(["128Mi", "1", "100m", "1e3", "x", "-5Gi", "9" * 400])
RESOURCES = loosely(**{key: loosely(memory=QUANTITY, cpu=QUANTITY) for key in ("limits", "requests")})
CONTAINER = loosely(
    name=st.just("web"),
    image=NAME,
    command=_list(NAME),
    livenessProbe=PROBE,
    readinessProbe=PROBE,
    envFrom=_list(loosely(configMapRef=REFERENCE, secretRef=REFERENCE)),
    resources=RESOURCES,
    env=_list(loosely(name=NAME, value=NAME, valueFrom=loosely(configMapKeyRef=REFERENCE))),
    ports=_list(loosely(name=NAME, containerPort=st.integers())),
)
VOLUME = loosely(
    name=NAME,
    configMap=REFERENCE,
    secret=loosely(secretName=NAME),
    persistentVolumeClaim=loosely(claimName=NAME),
    projected=loosely(sources=_list(loosely(configMap=REFERENCE))),
)
POD_SPEC = loosely(
    nodeName=NAME,
    containers=_list(CONTAINER),
    initContainers=_list(CONTAINER, 1),
    volumes=_list(VOLUME),
    restartPolicy=st.sampled_from(["Always", "Never"]),
    nodeSelector=LABELS,
    imagePullSecrets=_list(REFERENCE),
    schedulingGates=_list(REFERENCE),
)
POD = loosely(
    metadata=META,
    spec=POD_SPEC,
    status=loosely(
        phase=st.sampled_from(["Running", "Pending", "Failed", "Succeeded", "Unknown"]),
        conditions=CONDITIONS,
        containerStatuses=_list(STATUS),
        initContainerStatuses=_list(STATUS, 1),
        reason=st.sampled_from(REASONS),
        message=MESSAGE,
    ),
)
EVENT = loosely(
    involvedObject=loosely(
        kind=st.sampled_from(["Pod", "Node", "ReplicaSet", "PersistentVolumeClaim", "Job"]),
        namespace=st.just(NS),
        name=NAME,
        uid=NAME,
        fieldPath=st.just("spec.containers{web}"),
    ),
    reason=st.sampled_from(REASONS),
    message=MESSAGE,
    type=st.sampled_from(["Warning", "Normal"]),
    lastTimestamp=TIME,
    count=st.integers(),
    metadata=META,
)
WORKLOAD = loosely(
    metadata=META,
    spec=loosely(
        replicas=st.integers(-1, 3),
        selector=loosely(matchLabels=LABELS),
        paused=st.booleans(),
        template=loosely(metadata=META, spec=POD_SPEC),
        serviceName=NAME,
    ),
    status=loosely(conditions=CONDITIONS, readyReplicas=st.integers(0, 3), failed=st.integers(0, 9)),
)
SERVICE = loosely(
    metadata=META,
    spec=loosely(selector=LABELS, ports=_list(loosely(port=st.integers(), targetPort=NAME | st.integers()))),
)
NODE = loosely(
    metadata=META,
    spec=loosely(taints=_list(loosely(key=NAME, effect=NAME)), unschedulable=st.booleans()),
    status=loosely(conditions=CONDITIONS, allocatable=loosely(memory=QUANTITY)),
)
CLAIM = loosely(
    metadata=META,
    spec=loosely(storageClassName=NAME),
    status=loosely(phase=st.sampled_from(["Pending", "Bound", "Lost"])),
)
METRICS = loosely(
    metadata=META,
    containers=_list(loosely(name=st.just("web"), usage=loosely(memory=QUANTITY, cpu=QUANTITY))),
)
KIND = st.sampled_from(["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"])


@st.composite
def worlds(draw: st.DrawFn) -> Facts:
    """Facts of any objects."""

    def some(of: st.SearchStrategy[Any], most: int = 4) -> list[Any]:
        return [one for one in draw(_list(of, most)) if isinstance(one, Mapping)]

    workloads = tuple(reading.workload(obj, draw(KIND)) for obj in some(WORKLOAD))
    pods = reading.with_owners([reading.pod(obj) for obj in some(POD)], workloads)
    lines = draw(st.lists(MESSAGE, max_size=3))
    refs = [Ref(kind, NS, name) for kind in ("ConfigMap", "Secret") for name in NAMES[:3]]
    return Facts(
        cluster="lab",
        now=NOW,
        pods=pods,
        workloads=workloads,
        events=tuple(reading.event(obj) for obj in some(EVENT)),
        services=tuple(reading.service(obj, draw(st.sampled_from([0, 1, None]))) for obj in some(SERVICE, 2)),
        nodes=tuple(reading.node(obj) for obj in some(NODE, 2)),
        claims=tuple(reading.claim(obj, draw(st.sampled_from([None, {}]))) for obj in some(CLAIM, 2)),
        usage=tuple(usage for obj in some(METRICS, 2) for usage in reading.usages(obj)),
        logs=tuple(LogTail(p.ref, "web", draw(st.booleans()), tuple(lines)) for p in pods),
        lookups=tuple(Lookup(ref, draw(st.booleans()), ("A",)) for ref in refs),
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


@QUIETLY
@given(worlds())
def test_whatever_is_sent_there_is_an_answer(facts: Facts) -> None:
    found = said(facts)
    assert found.model_dump_json()
    assert len({(one.code, one.kind, one.namespace, one.name) for one in found.findings}) == len(
        found.findings
    )
    list(cases(facts))


@QUIETLY
@given(worlds(), st.integers(0, 10**6))
def test_the_same_facts_in_any_order_give_the_same_answer(facts: Facts, seed: int) -> None:
    once, again = said(facts), said(shuffled(facts, seed))
    assert once == again


@QUIETLY
@given(JUNK)
def test_anything_reads_as_an_object_of_any_kind(obj: Any) -> None:
    reading.pod(obj)
    reading.event(obj)
    reading.service(obj, None)
    reading.node(obj)
    reading.claim(obj, {})
    reading.ready_addresses(obj)
    assert list(reading.usages(obj)) is not None
    assert reading.workload(obj, "Job").ref.kind == "Job"


@pytest.mark.parametrize(
    "written", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"]
)
def test_times_at_the_end_of_the_calendar_are_read_or_absent(written: str) -> None:
    found = reading.pod({"metadata": {"name": "a", "namespace": NS, "creationTimestamp": written}})
    assert found.created_at is None or found.created_at <= datetime.max.replace(tzinfo=UTC)
