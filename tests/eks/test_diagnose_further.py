"""Further kinds: asked for when they are worth it, once, by Table or by name where that is enough."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_eks.clients.further import Further
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import network, storage
from aiops_eks.diagnosis.objects import LogTail, Ref
from aiops_eks.diagnosis.scope import Gathered
from tests.eks.diagnosis.worlds import NOW, crashing, pod, service, world
from tests.fakes.kube import FakeKube, made

WHOLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("metadata", "spec", "status", "data", "row", "provisioner", "managedFields", "rules", "egress", "to")
LIKELY = st.dictionaries(st.sampled_from(KEYS), st.dictionaries(st.sampled_from(KEYS), WHOLE) | WHOLE)
LINES = (
    "level=fatal err=lookup db on 10.0.0.2:53: i/o timeout",
    "level=fatal err=dial tcp db:53: i/o timeout",
    "level=fatal err=read tcp 10.0.0.1:1->db:53: connection reset by peer",
)
MINE = (*network.FURTHER, *storage.FURTHER)


def facts(*lines: str, ingress: network.Ingress | None = None) -> Facts:
    tail = LogTail(Ref("Pod", "production", "cart-1"), "app", previous=True, lines=lines)
    others: dict[type[Any], tuple[Any, ...]] = {network.Ingress: (ingress,)} if ingress else {}
    return Facts(cluster="lab", now=NOW, namespace="production", logs=(tail,), others=others)


def fronted() -> network.Ingress:
    return network.Ingress(Ref("Ingress", "production", "shop"), class_name="nginx", secrets=("cert",))


@pytest.mark.threat("T6")
async def test_a_certificate_is_looked_for_without_a_value_or_key_of_any_secret() -> None:
    kube = FakeKube(objects=[made("Secret", "cert", data={"tls.key": "eA=="})])
    found = await Further(kube, str).of(facts(ingress=fronted()))
    assert [row.ref.name for row in found.all(network.SecretRow)] == ["cert"]
    assert [request for request in kube.requests if "secrets" in request] == ["table secrets production"]


async def test_what_no_log_and_no_object_makes_worth_it_is_not_asked_for() -> None:
    kube = FakeKube()
    found = await Further(kube, str).of(facts("all is well"))
    assert not [request for request in kube.requests if "secrets" in request or "configmaps" in request]
    assert not found.was_read(network.SecretRow)


async def test_the_corefile_is_read_by_name_and_its_absence_is_no_gap() -> None:
    kube = FakeKube()
    found = await Further(kube, str).of(facts("lookup db on 10.0.0.2:53: no such host"))
    assert [request for request in kube.requests if "configmaps" in request] == [
        "get configmaps kube-system/coredns"
    ]
    assert found.all(network.Corefile) == ()
    assert not [gap for gap in found.gaps if "ConfigMap" in gap]


async def test_a_kind_is_asked_for_once_even_where_it_could_not_be_read() -> None:
    kube = FakeKube(denied=frozenset({"ConfigMap"}))
    further = Further(kube, str)
    first = await further.of(facts("lookup db on 10.0.0.2:53: no such host"))
    assert [gap for gap in first.gaps if gap.startswith("ConfigMap:")]
    kube.requests.clear()
    again = await further.of(first)
    assert again == first
    assert kube.requests == []


@pytest.mark.threat("T14")
@settings(max_examples=150, deadline=None)
@given(LIKELY | WHOLE)
def test_anything_reads_as_a_further_kind_and_is_judged(obj: Any) -> None:
    sent = obj if isinstance(obj, dict) else {"metadata": obj}
    read = {one.type: (one.read(sent),) for one in MINE}
    for line in LINES:
        caller, called = crashing(), pod("db-0", ready=True, metadata={"labels": {"app": "db"}})
        found = world(caller, called, service("db", ports=[{"port": 53}]), log=[line], endpoints={"db": 1})
        assert answer(Gathered(replace(found, others=read))).model_dump_json()
