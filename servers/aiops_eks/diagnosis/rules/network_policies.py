"""NetworkPolicies that keep a program from what it needs: the name server, or a Service of the cluster.

A policy is blamed only when a program says that nobody answered (a refused connection is no policy), when the
policies that select it, or select what it calls, allow neither that peer nor that port, and when it did not
work under the same policy before. What cannot be decided (labels of namespaces, addresses outside) counts as
allowed. Source: networking.k8s.io/v1 NetworkPolicy; the union of all policies of a pod is allowed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.network import NO_ANSWER, NO_NAME, Policy
from aiops_eks.diagnosis.objects import Pod, Ref, Service
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.rules import calls
from aiops_eks.models.fields import Obj, count, items, part, selects, text, words
from aiops_shared.results import Evidence

LATER_S = 600.0  # as in judging: what changed later than this did not bring it about
WORKED_S = 1800.0
NAME_SPACE, DNS_PORT = "kubernetes.io/metadata.name", 53
_DNS = Ref("Service", "kube-system", "kube-dns")
_NO_REPLY = re.compile(r"i/o timeout|timed out|EAI_AGAIN|temporary failure in name resolution", re.IGNORECASE)
_SOURCE = "networking.k8s.io/v1 NetworkPolicy"
BLOCKS_DNS = Cause(
    code="NETWORK_POLICY_BLOCKS_DNS",
    severity="high",
    means="A NetworkPolicy leaves a program's pods no way to the name server.",
    told_by="Look-ups time out, the pods are selected by an egress policy and none allows port 53 to the "
    "name server; they did not work under it before. With CoreDNS down it is DNS_DOWN.",
    source=_SOURCE,
    next_step="allow egress to UDP and TCP 53 of kube-system (plan_manifest(action=apply))",
)
BLOCKS = Cause(
    code="NETWORK_POLICY_BLOCKS",
    severity="high",
    means="A NetworkPolicy blocks what a program needs to reach.",
    told_by="The program times out at a Service of this cluster that has ready endpoints; a policy that "
    "selects it (egress) or its target (ingress) allows neither that peer nor that port, and was made or "
    "changed no more than ten minutes after the trouble began. A refused connection is no policy.",
    source=_SOURCE,
    next_step="compare the policy's rules with who calls whom; restore its last version or add the peer "
    "(plan_manifest(action=apply))",
)


@dataclass(frozen=True, slots=True)
class _Side:
    """One direction: whose policies count, and who is at the other end."""

    policies: tuple[Policy, ...]
    way: str  # "egress" | "ingress"


def blocked(case: Case) -> Told | None:
    """NETWORK_POLICY_BLOCKS_DNS or NETWORK_POLICY_BLOCKS."""
    if case.container is None or not case.facts.all(Policy):
        return None
    line = telling_line(case.lines)
    if not line or not NO_ANSWER.search(line):
        return None
    return _dns(case, line) if NO_NAME.search(line) else _service(case, line)


def _dns(case: Case, line: str) -> Told | None:
    if not _NO_REPLY.search(line):
        return None
    side = _Side(_selecting(case.facts, case.pod, "Egress"), "egress")
    server = next((s for s in case.facts.services if s.ref == _DNS), None)
    peers = tuple(case.facts.selected(_DNS.namespace, server.selector)) if server else ()
    if server is not None and server.ready_addresses == 0:
        return None
    address = calls.name_server(line) or (server.cluster_ip if server else "")
    peer = _Peer(_DNS.namespace, peers, address)
    if not side.policies or any(_allows(p, "egress", peer, {DNS_PORT}) for p in side.policies):
        return None
    policy = _to_blame(case, side.policies)
    if policy is None:
        return None
    return _told(case, BLOCKS_DNS, policy, line, "the name server, port 53", side)


def _service(case: Case, line: str) -> Told | None:
    found = calls.through(case.facts, case.pod.namespace, line)
    if found is None or found[0].ready_addresses == 0:
        return None
    service, call = found
    port = calls.port_of(service, call.port)
    pods = tuple(case.facts.selected(service.ref.namespace, service.selector))
    targets = calls.numbers(port, pods) if port else frozenset()
    if not pods or not targets:
        return None
    for side, peer in _sides(case, service, pods):
        if not side.policies or any(_allows(p, side.way, peer, targets) for p in side.policies):
            continue
        policy = _to_blame(case, side.policies)
        if policy is not None:
            where = f"{service.ref}, port {call.port or (port and port.port)}"
            return _told(case, BLOCKS, policy, line, where, side)
    return None


@dataclass(frozen=True, slots=True)
class _Peer:
    """Who is at the other end."""

    namespace: str
    pods: tuple[Pod, ...] = ()
    address: str = ""


def _sides(case: Case, service: Service, pods: tuple[Pod, ...]) -> Iterable[tuple[_Side, _Peer]]:
    out = _Peer(service.ref.namespace, pods, service.cluster_ip)
    yield _Side(_selecting(case.facts, case.pod, "Egress"), "egress"), out
    back = _Peer(case.pod.namespace, (case.pod,))
    yield _Side(_selecting(case.facts, pods[0], "Ingress"), "ingress"), back


def _selecting(facts: Facts, pod: Pod, way: str) -> tuple[Policy, ...]:
    """The policies of a direction that select a pod; a host-network pod is beyond them."""
    if pod.host_network:
        return ()
    return tuple(
        p
        for p in facts.all(Policy)
        if p.ref.namespace == pod.namespace
        and way in _types(p.spec)
        and _takes(part(p.spec, "podSelector"), pod.labels)
    )


def _types(spec: Obj) -> tuple[str, ...]:
    named = tuple(words(spec, "policyTypes"))
    return named or ("Ingress", *(("Egress",) if "egress" in spec else ()))


def _takes(selector: Obj, labels: Mapping[str, str]) -> bool:
    """Unlike elsewhere an empty selector takes everything here."""
    return (
        not selector
        or not (selector.get("matchLabels") or selector.get("matchExpressions"))
        or selects(selector, labels)
    )


def _allows(policy: Policy, way: str, peer: _Peer, targets: Iterable[int]) -> bool:
    """Whether any rule of the policy lets the peer and one of the ports through."""
    key = "to" if way == "egress" else "from"
    return any(
        _port_fits(rule, peer if way == "egress" else None, targets) and _peer_fits(policy, rule, key, peer)
        for rule in items(policy.spec, way)
    )


def _port_fits(rule: Obj, peer: _Peer | None, targets: Iterable[int]) -> bool:
    ports = items(rule, "ports")
    return not ports or any(_is_port(port, peer, targets) for port in ports)


def _is_port(port: Obj, peer: _Peer | None, targets: Iterable[int]) -> bool:
    wanted, last = port.get("port"), count(port, "endPort")
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return any(wanted <= each <= (last or wanted) for each in targets)
    names = {name: n for pod in (peer.pods if peer else ()) for c in pod.containers for name, n in c.ports}
    known = names.get(text(port, "port"))
    return known is None or known in set(targets)  # a name that is not known here may fit


def _peer_fits(policy: Policy, rule: Obj, key: str, peer: _Peer) -> bool:
    peers = items(rule, key)
    return not peers or any(_is_peer(policy, one, peer) for one in peers)


def _is_peer(policy: Policy, one: Obj, peer: _Peer) -> bool:
    if block := part(one, "ipBlock"):
        return _in_block(block, peer.address)
    spaces = one.get("namespaceSelector")
    if spaces is None and peer.namespace != policy.ref.namespace:
        return False
    if isinstance(spaces, Mapping) and not _space_fits(spaces, peer.namespace):
        return False
    pods = part(one, "podSelector")
    return not peer.pods or any(_takes(pods, pod.labels) for pod in peer.pods)


def _space_fits(selector: Obj, namespace: str) -> bool:
    """By the label that every namespace bears; any other label may fit."""
    keys = {*part(selector, "matchLabels"), *(text(e, "key") for e in items(selector, "matchExpressions"))}
    return bool(keys - {NAME_SPACE}) or _takes(selector, {NAME_SPACE: namespace})


def _in_block(block: Obj, address: str) -> bool:
    """Whether a block may hold the peer: all of IPv4 does, one that cannot be read may."""
    try:
        network = ip_network(text(block, "cidr"), strict=False)
        return not address or not network.prefixlen or ip_address(address) in network
    except ValueError:
        return True


def _to_blame(case: Case, policies: tuple[Policy, ...]) -> Policy | None:
    """The newest of the policies, unless it came later than the trouble or the pod worked under it."""
    policy = max(policies, key=lambda p: (-case.facts.age_s(p.changed_at), str(p.ref)))
    began, changed = _began(case), policy.changed_at
    if began is None or changed is None:
        return policy
    if (changed - began).total_seconds() > LATER_S:
        return None
    made = case.pod.created_at
    worked_before = made is not None and (began - made).total_seconds() > LATER_S
    return None if worked_before and (began - changed).total_seconds() > WORKED_S else policy


def _began(case: Case) -> datetime | None:
    """When the container's trouble began, as far as it can be seen."""
    container = case.container
    backing_off = [e.first_at for e in case.events if e.reason in {"BackOff", "Unhealthy"} and e.first_at]
    ends = (
        [d.finished_at for d in (container.last, container.ended) if d and d.finished_at] if container else []
    )
    running = container.running_since if container and not ends else None
    return min((at for at in (*backing_off, *ends, running) if at is not None), default=None)


def _told(case: Case, cause: Cause, policy: Policy, line: str, where: str, side: _Side) -> Told:
    began = _began(case)
    near = (
        policy.changed_at is not None
        and began is not None
        and abs((began - policy.changed_at).total_seconds()) <= LATER_S
    )
    age = duration_text(case.facts.age_s(policy.changed_at))
    says = f"{side.way} of {len(side.policies)} policies allows no such peer; changed {age} ago"
    return Told(
        cause=cause,
        at=policy.ref,
        subject=case.subject,
        predicate=f"cannot reach {where}: {policy.ref} does not allow it",
        root_cause=f"{policy.ref}, changed {age} ago, leaves {case.pod.ref} no way to {where}.",
        hurts=(case.pod.ref,),
        evidence=(
            case.log_evidence(line),
            Evidence(source="kubernetes", query=f"{policy.ref} spec.{side.way}", says=says),
            case.status_evidence(),
        ),
        agree=3 + near,
        doubt=0 if near else 1,
        ruled_out=("a refused connection: it times out", "the target's pods: they are ready"),
        since=policy.changed_at,
    )


RULES = (CaseRule((BLOCKS_DNS, BLOCKS), blocked),)
