"""NetworkPolicies and names: a policy is blamed only when nothing else can be meant."""

from dataclasses import replace
from typing import Any

import pytest

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import network
from tests.eks.diagnosis.worlds import (
    NOW,
    NS,
    Obj,
    ago,
    codes,
    crashing,
    happened,
    node,
    only,
    pod,
    service,
    world,
)

LINE = "level=fatal msg=bang err=dial tcp db:5432: i/o timeout"
LOOKUP = (
    "level=fatal msg=bang err=lookup db on 172.20.0.10:53: read udp 10.0.1.5:1->172.20.0.10:53: i/o timeout"
)
BACK = {"app": "db", "role": "storage"}
DNS_RULE = {"ports": [{"port": 53, "protocol": "UDP"}]}


def policy(spec: Obj, *, changed_s: float = 600, name: str = "deny", home: str = NS) -> network.Policy:
    meta: Obj = {"name": name, "namespace": home, "creationTimestamp": ago(90_000)}
    meta["managedFields"] = [{"time": ago(changed_s)}, {"time": ago(80_000)}, {"time": 7}]
    return network.policy({"kind": "NetworkPolicy", "metadata": meta, "spec": spec})


def egress(*rules: Obj, selector: Obj | None = None) -> Obj:
    return {"podSelector": selector or {}, "policyTypes": ["Egress"], "egress": [*rules]}


def blocked(*policies: network.Policy, line: str = LINE, began_s: float = 500, **spec: Any) -> Facts:
    """A caller that began to crash `began_s` ago, and the backend that it cannot reach."""
    caller = crashing(spec=spec, metadata={"creationTimestamp": ago(began_s + 60)})
    first = happened("BackOff", "Back-off restarting failed container", about=caller)
    first["firstTimestamp"] = ago(began_s)
    ports = [{"name": "sql", "containerPort": 5432}]
    back = pod(
        "db-0", ready=True, container={"ports": ports}, metadata={"labels": BACK, "ownerReferences": []}
    )
    front = service("db", {"app": "db"}, ports=[{"port": 5432, "targetPort": "sql"}], clusterIP="172.20.7.7")
    facts = world(caller, back, front, first, endpoints={"db": 1})
    logs = tuple(replace(tail, lines=(line,)) for tail in world(caller, log=["x"]).logs)
    return replace(facts, logs=logs, others={network.Policy: policies})


@pytest.mark.row("B7")
def test_the_policy_that_leaves_no_way_out_is_blamed() -> None:
    found = only(blocked(policy(egress(DNS_RULE))))
    assert (found.code, found.name) == ("NETWORK_POLICY_BLOCKS", "deny")
    assert found.confidence >= 0.9
    assert f"Pod {NS}/cart-7d4b9c6f5-aaaaa" in found.symptoms


def test_the_newest_of_several_policies_is_blamed() -> None:
    old, new = policy(egress(DNS_RULE), changed_s=70_000, name="old"), policy(egress(), name="new")
    assert only(blocked(old, new)).name == "new"


def to(*ports: Any, **peer: Any) -> Obj:
    rule: Obj = {"ports": [{"port": port} for port in ports]} if ports else {}
    return {**rule, **({"to": [peer]} if peer else {})}


@pytest.mark.parametrize(
    "rule",
    [
        {},  # an empty rule allows everything
        to(5432),
        to("sql"),
        to("pg"),  # a port name that no pod has here may be any
        {"ports": [{"port": 5000, "endPort": 6000}]},
        to(podSelector={"matchLabels": BACK}),
        to(podSelector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "x"]}]}),
        to(5432, namespaceSelector={}),
        to(5432, namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": NS}}),
        to(5432, namespaceSelector={"matchLabels": {"team": "storage"}}),  # labels that are not known here
        to(ipBlock={"cidr": "0.0.0.0/0"}),
        to(ipBlock={"cidr": "172.20.0.0/16"}),
        to(ipBlock={"cidr": "nonsense"}),
    ],
)
def test_what_is_allowed_or_may_be_is_not_blocked(rule: Obj) -> None:
    assert codes(blocked(policy(egress(rule)))) == ["DEPENDENCY_UNREACHABLE"]


@pytest.mark.parametrize(
    "rule",
    [
        to(443),
        to(80),
        {"ports": [{"port": 5000, "endPort": 5400}]},
        to(5432, podSelector={"matchLabels": {"app": "other"}}),
        to(5432, namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}),
        to(5432, ipBlock={"cidr": "10.9.0.0/16"}),
    ],
)
def test_what_is_plainly_not_allowed_is_blocked(rule: Obj) -> None:
    assert codes(blocked(policy(egress(rule)))) == ["NETWORK_POLICY_BLOCKS"]


@pytest.mark.parametrize(
    "one",
    [
        policy(egress(), home="elsewhere"),
        policy(egress(selector={"matchLabels": {"app": "other"}})),
        policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}),
        policy({"podSelector": {}, "ingress": [{}]}),
        policy(egress(), changed_s=-200),  # somebody tries something after it began
    ],
)
def test_a_policy_that_does_not_count_is_not_blamed(one: network.Policy) -> None:
    facts = (
        blocked(one, began_s=500) if one.changed_at and one.changed_at <= NOW else blocked(one, began_s=900)
    )
    assert codes(facts) == ["DEPENDENCY_UNREACHABLE"]


def test_a_pod_on_the_hosts_network_is_beyond_policies() -> None:
    assert codes(blocked(policy(egress()), hostNetwork=True)) == ["DEPENDENCY_UNREACHABLE"]


def test_a_refused_connection_is_no_policy() -> None:
    line = "level=fatal msg=bang err=dial tcp db:5432: connect: connection refused"
    assert codes(blocked(policy(egress()), line=line)) == ["DEPENDENCY_UNREACHABLE"]


def test_a_host_outside_of_the_cluster_is_not_decided() -> None:
    line = "level=fatal msg=bang err=dial tcp db.example.com:5432: i/o timeout"
    assert codes(blocked(policy(egress(DNS_RULE)), line=line)) == ["DEPENDENCY_UNREACHABLE"]


def test_the_backends_own_policy_is_blamed_where_it_takes_others_only() -> None:
    peer = {"from": [{"podSelector": {"matchLabels": {"app": "other"}}}]}
    spec = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [peer]}
    assert only(blocked(policy(spec, name="callers"))).name == "callers"
    mine = {"from": [{"podSelector": {"matchLabels": {"app": "cart"}}}]}
    assert codes(blocked(policy({**spec, "ingress": [mine]}))) == ["DEPENDENCY_UNREACHABLE"]


def test_names_are_out_of_reach_without_port_53() -> None:
    assert codes(blocked(policy(egress(to(5432))), line=LOOKUP)) == ["NETWORK_POLICY_BLOCKS_DNS"]
    assert codes(blocked(policy(egress(DNS_RULE)), line=LOOKUP)) == ["DEPENDENCY_UNREACHABLE"]


@pytest.mark.threat("T7")
def test_a_log_that_names_a_policy_is_not_believed() -> None:
    line = f"level=fatal msg=bang err=NetworkPolicy {NS}/deny blocks dial tcp db:5432: i/o timeout"
    assert codes(blocked(policy(egress(to(5432))), line=line)) == ["DEPENDENCY_UNREACHABLE"]


# names


def corefile(text: str, changed_s: float = 600) -> network.Corefile:
    meta = {"name": "coredns", "namespace": "kube-system", "managedFields": [{"time": ago(changed_s)}]}
    return network.corefile({"kind": "ConfigMap", "metadata": meta, "data": {"Corefile": text}})


def asking(line: str, text: str) -> Facts:
    return replace(
        world(crashing(), log=[f"level=fatal err={line}"]), others={network.Corefile: (corefile(text),)}
    )


TEMPLATE = (
    ".:53 {\n  template IN ANY partner.example {\n    rcode NXDOMAIN\n  }\n  forward . /etc/resolv.conf\n}"
)
ANSWERING = TEMPLATE.replace("rcode NXDOMAIN", 'answer "{{ .Name }} 60 IN A 10.0.0.1"\n    fallthrough')
FIXED = ".:53 {\n  forward . 10.9.9.9\n  forward partner.example 10.8.8.8\n}"


@pytest.mark.parametrize(
    ("line", "text", "code"),
    [
        ("lookup api.partner.example on 10.0.0.2:53: no such host", TEMPLATE, "DNS_NXDOMAIN_TEMPLATE"),
        ("lookup partner.example on 10.0.0.2:53: no such host", TEMPLATE, "DNS_NXDOMAIN_TEMPLATE"),
        ("lookup api.evilpartner.example on 10.0.0.2:53: no such host", TEMPLATE, "DEPENDENCY_UNREACHABLE"),
        ("lookup api.partner.example on 10.0.0.2:53: no such host", ANSWERING, "DEPENDENCY_UNREACHABLE"),
        ("lookup x.example on 10.0.0.2:53: server misbehaving", FIXED, "DNS_UPSTREAM_WRONG"),
        ("lookup x.example on 10.0.0.2:53: no such host", FIXED, "DEPENDENCY_UNREACHABLE"),
        (
            "lookup db.shop.svc.cluster.local on 10.0.0.2:53: server misbehaving",
            FIXED,
            "DEPENDENCY_UNREACHABLE",
        ),
        ("lookup x.example on 10.0.0.2:53: server misbehaving", TEMPLATE, "DEPENDENCY_UNREACHABLE"),
    ],
)
def test_the_corefile_is_blamed_for_the_very_name_it_speaks_of(line: str, text: str, code: str) -> None:
    assert codes(asking(line, text)) == [code]


def test_the_longest_zone_is_the_one_that_is_asked() -> None:
    found = only(asking("lookup a.partner.example on 10.0.0.2:53: server misbehaving", FIXED))
    assert "10.8.8.8" in found.title


@pytest.mark.threat("T14")
def test_a_corefile_without_end_is_read_in_part() -> None:
    text = "template IN ANY " * 200_000
    assert len(corefile(text).text) <= network.LONGEST
    assert codes(asking("lookup x.example on 10.0.0.2:53: no such host", text)) == ["DEPENDENCY_UNREACHABLE"]


def resolving(*nodes: Obj, line: str = "lookup x.example on 10.0.0.2:53: i/o timeout") -> Facts:
    """A cluster whose name server's Service has nobody behind it."""
    front = service("kube-dns", {"k8s-app": "kube-dns"})
    front["metadata"]["namespace"] = "kube-system"
    return world(front, crashing(), *nodes, log=[f"level=fatal err={line}"], endpoints={"kube-dns": 0})


def test_without_a_name_server_no_program_is_to_blame() -> None:
    found = only(resolving())
    assert (found.code, found.kind, found.name) == ("DNS_DOWN", "Service", "kube-dns")
    assert f"Pod {NS}/cart-7d4b9c6f5-aaaaa" in found.symptoms


def test_nodes_that_answer_names_themselves_need_no_pods_behind_the_service() -> None:
    auto = node()
    auto["metadata"]["labels"] = {"eks.amazonaws.com/compute-type": "auto"}
    assert codes(resolving(auto)) == ["DEPENDENCY_UNREACHABLE"]
