"""Services, Ingresses and load balancers: what is told, and above all what is not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import network
from tests.eks.diagnosis.worlds import (
    NS,
    Obj,
    ago,
    codes,
    crashing,
    deployment,
    happened,
    only,
    pod,
    service,
    world,
)

READERS: dict[str, tuple[type[Any], Any]] = {
    "Ingress": (network.Ingress, network.ingress),
    "IngressClass": (network.IngressClass, network.ingress_class),
    "Secret": (network.SecretRow, network.secret_row),
    "GatewayClass": (network.GatewayClass, network.gateway_class),
    "Gateway": (network.Gateway, network.gateway),
}


def further(facts: Facts, *kinds: str, objects: tuple[Obj, ...] = ()) -> Facts:
    """The facts with further kinds read, those named even where nothing of them is there."""
    others: dict[type[Any], list[Any]] = {READERS[kind][0]: [] for kind in kinds}
    for obj in objects:
        kind, read = READERS[obj["kind"]]
        others.setdefault(kind, []).append(read(obj))
    return replace(facts, others={kind: tuple(found) for kind, found in others.items()})


def ingress(name: str = "shop", of: str | None = "nginx", *, age_s: float = 3600, **more: Any) -> Obj:
    to, port = more.pop("to", "cart"), more.pop("port", {"number": 80})
    path = {"path": more.pop("path", "/"), "pathType": "Prefix"}
    path["backend"] = {"service": {"name": to, "port": port}}
    meta = {
        "name": name,
        "namespace": NS,
        "creationTimestamp": ago(age_s),
        "annotations": more.pop("notes", {}),
    }
    spec = {"rules": [{"host": "shop.example", "http": {"paths": [path]}}], **more}
    address = [] if spec.pop("homeless", False) else [{"hostname": "lb.example"}]
    return {
        "kind": "Ingress",
        "metadata": meta,
        "spec": {**spec, **({"ingressClassName": of} if of else {})},
        "status": {"loadBalancer": {"ingress": address}},
    }


def ingress_class(name: str = "nginx", controller: str = "k8s.io/ingress-nginx") -> Obj:
    return {"kind": "IngressClass", "metadata": {"name": name}, "spec": {"controller": controller}}


def front(**spec: Any) -> Obj:
    ports = spec.pop("ports", [{"name": "http", "port": 80, "targetPort": "http"}])
    return service("cart", ports=ports, **spec)


def serving(*numbers: int, probe: str = "8080") -> Obj:
    ports = [{"name": f"p{number}", "containerPort": number} for number in numbers]
    asked = {"httpGet": {"port": int(probe), "path": "/"}}
    return pod(ready=True, container={"ports": ports, "readinessProbe": asked})


def to(target: int | str) -> list[Obj]:
    return [{"name": "http", "port": 80, "targetPort": target}]


# target ports


def test_a_number_that_nobody_declares_is_wrong_where_the_declared_port_is_reached_by_nobody() -> None:
    found = only(world(serving(8080), front(ports=to(9090)), endpoints={"cart": 1}))
    assert found.code == "SERVICE_PORT_MISMATCH"
    assert found.confidence < 0.8


@pytest.mark.parametrize(
    ("sick", "services"),
    [
        (serving(), (front(ports=to(9090)),)),  # nothing is declared: anything may be listened on
        (serving(8080, 9100), (front(ports=to(9090)),)),  # which of the two it means is open
        (serving(8080, probe="9999"), (front(ports=to(9090)),)),  # nobody proves that 8080 is the one
        (serving(8080), (front(ports=to(9090)), service("other", {"app": "cart"}, ports=to(8080)))),
        (serving(8080), (front(ports=[*to(9090), {"port": 81, "targetPort": 8080}]),)),
        (serving(8080), (front(ports=to(9090), clusterIP="None"),)),
    ],
)
def test_a_number_that_may_be_right_is_left_alone(sick: Obj, services: tuple[Obj, ...]) -> None:
    assert codes(world(sick, *services, endpoints={"cart": 1, "other": 1})) == []


def test_a_caller_that_is_refused_there_makes_the_wrong_port_sure() -> None:
    caller = crashing(metadata={"name": "pay-1", "labels": {"app": "pay"}, "ownerReferences": []})
    ports = [*to(9090), {"name": "again", "port": 81, "targetPort": 8080}]
    line = "fatal: dial tcp cart:80: connect: connection refused"
    found = only(world(caller, serving(8080), front(ports=ports), log=[line], endpoints={"cart": 1}))
    assert (found.code, found.name) == ("SERVICE_PORT_MISMATCH", "cart")
    assert found.confidence > 0.9


def test_a_caller_of_a_service_whose_pods_crash_is_a_symptom_of_their_cause() -> None:
    loop = crashing()["status"]["containerStatuses"][0]
    meta = {"labels": {"app": "pay"}, "ownerReferences": []}
    caller = pod("pay-1", loop["state"], last=loop["lastState"], restarts=9, metadata=meta)
    sick = crashing(code=139)
    facts = world(caller, sick, front(), deployment(), endpoints={"cart": 0})
    line = "fatal: dial tcp cart:80: connect: connection refused"
    logs = tuple(
        replace(tail, lines=(line,))
        for tail in world(caller, sick, log=[line]).logs
        if tail.pod.name == "pay-1"
    )
    found = only(replace(facts, logs=logs))
    assert found.code == "KILLED_BY_SIGNAL"
    assert f"Pod {NS}/pay-1" in found.symptoms


# Ingresses


def fronted(*objects: Obj, kinds: tuple[str, ...] = ("IngressClass", "Secret"), **more: Any) -> Facts:
    facts = world(serving(8080), front(ports=to(8080)), endpoints={"cart": 1}, **more)
    return further(facts, *kinds, objects=objects)


def test_an_ingress_as_it_should_be_yields_nothing() -> None:
    assert codes(fronted(ingress(), ingress_class())) == []


@pytest.mark.parametrize(
    "one",
    [
        ingress(of="gone", age_s=20, homeless=True),  # its class may yet come
        ingress(of="gone"),  # somebody serves it all the same
        ingress(of=None, homeless=True, notes={"kubernetes.io/ingress.class": "nginx"}),
        ingress(to="ssl-redirect", port={"name": "use-annotation"}),
    ],
)
def test_an_ingress_that_somebody_serves_or_will_is_left_alone(one: Obj) -> None:
    assert codes(fronted(one, ingress_class())) == []


def test_without_a_list_of_services_no_backend_is_missing() -> None:
    facts = further(world(), "IngressClass", objects=(ingress(), ingress_class()))
    assert codes(facts) == ["INGRESS_BACKEND_MISSING"]
    assert codes(replace(facts, gaps=("Service: [access_denied] list services",))) == []


def test_without_a_list_of_classes_no_class_is_missing() -> None:
    assert codes(fronted(ingress(of="gone", homeless=True), kinds=())) == []


def test_an_alb_takes_its_certificates_elsewhere() -> None:
    tls = [{"secretName": "gone"}]
    alb = ingress_class("alb", "ingress.k8s.aws/alb")
    assert codes(fronted(ingress(of="alb", tls=tls), alb)) == []
    assert codes(fronted(ingress(tls=tls), ingress_class())) == ["INGRESS_TLS_SECRET_MISSING"]


@pytest.mark.threat("T6")
def test_of_a_secret_only_its_type_and_number_of_keys_are_looked_at() -> None:
    row = {
        "kind": "Secret",
        "metadata": {"namespace": NS, "name": "cert"},
        "row": {"type": "Opaque", "data": 1},
    }
    found = only(fronted(ingress(tls=[{"secretName": "cert"}]), ingress_class(), row))
    assert found.code == "INGRESS_TLS_SECRET_INVALID"
    assert set(network.SecretRow.__dataclass_fields__) == {"ref", "type", "keys"}


def test_a_refusal_of_the_controller_is_a_symptom_of_the_missing_backend() -> None:
    one = ingress(to="gone", homeless=True)
    said = happened(
        "FailedBuildModel", f'Failed build model due to ingress: {NS}/shop: Service "gone"', about=one
    )
    facts = further(world(said, front(), serving(8080)), "IngressClass", objects=(one, ingress_class()))
    assert codes(replace(facts, events=facts.events)) == ["INGRESS_BACKEND_MISSING"]


# load balancers


def balanced(*events: Mapping[str, Any], age_s: float = 7200, status: Obj | None = None) -> Facts:
    one = front(type="LoadBalancer", ports=to(8080))
    one["metadata"]["creationTimestamp"] = ago(age_s)
    one["status"] = status or {}
    made = [happened(about=one, **event) for event in events]
    return world(one, serving(8080), *made, endpoints={"cart": 1})


REFUSED = {
    "reason": "FailedBuildModel",
    "message": "Failed build model due to unable to resolve at least one subnet",
}
DONE = {"reason": "SuccessfullyReconciled", "message": "Successfully reconciled", "kind": "Normal"}
HAS = {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}


def test_a_refusal_counts_only_while_no_success_came_after_it() -> None:
    assert codes(balanced(REFUSED)) == ["LOAD_BALANCER_SUBNETS_UNRESOLVED"]
    assert codes(balanced({**REFUSED, "ago_s": 300}, {**DONE, "ago_s": 200}, status=HAS)) == []
    assert codes(balanced({**REFUSED, "ago_s": 200}, {**DONE, "ago_s": 300}, status=HAS)) == [
        "LOAD_BALANCER_SUBNETS_UNRESOLVED"
    ]


def test_a_refusal_of_an_hour_ago_is_over() -> None:
    assert codes(balanced({**REFUSED, "ago_s": 2000}, status=HAS)) == []


def test_a_load_balancer_that_nobody_makes_is_less_sure_once_events_are_forgotten() -> None:
    young, old = only(balanced(age_s=1200)), only(balanced(age_s=90_000))
    assert young.code == old.code == "LOAD_BALANCER_PENDING"
    assert young.confidence > old.confidence
    assert codes(balanced(age_s=120)) == []


# Gateway API


def test_a_class_that_was_not_listed_is_not_missing() -> None:
    gateway = {
        "kind": "Gateway",
        "metadata": {"name": "g", "namespace": NS},
        "spec": {"gatewayClassName": "x"},
    }
    assert codes(further(world(), objects=(gateway,))) == []
    assert codes(further(world(), "GatewayClass", objects=(gateway,))) == ["GATEWAY_CLASS_MISSING"]
