"""CoreDNS: down, misconfigured, looping, or told to answer wrongly; its dependents are symptoms.

A program that cannot resolve a name is explained by CoreDNS where CoreDNS has a finding, or has no ready pod;
otherwise by what its Corefile says of that very name. Sources: coredns.io plugins loop, template, forward;
pkg/controller/endpointslice.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import START_GRACE_S, Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.further.network import COREFILE, NO_NAME, Corefile
from aiops_eks.diagnosis.objects import Pod, Ref, Service
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.rules import calls
from aiops_shared.results import Evidence

KUBE_DNS = Ref("Service", "kube-system", "kube-dns")
LONGEST = 2_000  # characters of a line that are looked at
DNS_DOWN = Cause(
    code="DNS_DOWN",
    severity="critical",
    means="The cluster's name server has no ready pod, so no program resolves a name.",
    told_by="Service kube-dns has no ready endpoint. When CoreDNS' own pods have a finding, that one "
    "holds it.",
    source="pkg/controller/endpointslice",
    next_step="bring CoreDNS back: its replicas, its pods, the add-on coredns",
)
FORWARD_LOOP = Cause(
    code="DNS_FORWARD_LOOP",
    severity="critical",
    means="CoreDNS asks itself: its upstream leads back to it, and it stops.",
    told_by="`Loop ... detected for zone` of plugin/loop is the last word of CoreDNS.",
    source="coredns.io/plugins/loop",
    next_step="forward to a real name server instead of a stub of the node (Corefile of ConfigMap coredns)",
)
COREFILE_INVALID = Cause(
    code="COREFILE_INVALID",
    severity="critical",
    means="CoreDNS cannot read its Corefile.",
    told_by="CoreDNS ends with `Error during parsing` or an error of a plugin's setup at a line of the "
    "Corefile.",
    source="coredns.io; caddyfile parser",
    next_step="correct the quoted line, or restore the ConfigMap's last version",
)
UPSTREAM_WRONG = Cause(
    code="DNS_UPSTREAM_WRONG",
    severity="high",
    means="CoreDNS forwards names outside the cluster to a server that does not answer them.",
    told_by="A program gets SERVFAIL (server misbehaving) or no reply for a name outside the cluster, "
    "CoreDNS is ready, and its Corefile forwards that zone to a fixed address.",
    source="coredns.io/plugins/forward",
    next_step="check the forwarder that the Corefile names (reachable? serves that zone?), or use "
    "/etc/resolv.conf",
)
NXDOMAIN_TEMPLATE = Cause(
    code="DNS_NXDOMAIN_TEMPLATE",
    severity="high",
    means="A template in the Corefile answers that a name does not exist.",
    told_by="A program gets `no such host` for a name in a zone for which the Corefile has a template with "
    "rcode NXDOMAIN.",
    source="coredns.io/plugins/template",
    next_step="take the zone out of the template (ConfigMap kube-system/coredns), or add a fallthrough",
)
_LOOP = re.compile(r"plugin/loop.*\bLoop \(.*detected for zone", re.IGNORECASE)
_PARSE = re.compile(
    r"Corefile:\d+ - Error during parsing|^plugin/\w+: .*(?:unknown|invalid|not a valid|not find)"
)
_TEMPLATE = re.compile(r"\btemplate\s+\S+\s+\S+([^{}]*)\{([^{}]*(?:\{\{[^{}]*\}\}[^{}]*)*)\}")
_FORWARD = re.compile(r"(?m)^\s*forward\s+(\S+)\s+([^{\n]+)")
_SERVFAIL = re.compile(r"server misbehaving|SERVFAIL|i/o timeout|EAI_AGAIN|temporary failure", re.IGNORECASE)
_ZONE = re.compile(r"[A-Za-z0-9.-]{1,253}")


def own(case: Case) -> Told | None:
    """DNS_FORWARD_LOOP and COREFILE_INVALID: CoreDNS' own crash."""
    container = case.container
    if container is None or container.death is None or not _is_coredns(case.pod):
        return None
    for cause, pattern, words in (
        (FORWARD_LOOP, _LOOP, "crashes: its upstream leads back to itself"),
        (COREFILE_INVALID, _PARSE, "crashes: it cannot read its Corefile"),
    ):
        line = next((x for x in reversed(case.lines) if pattern.search(x[:LONGEST])), "")
        if line:
            return Told(
                cause=cause,
                at=COREFILE,
                subject=case.subject,
                predicate=words,
                root_cause=f"{case.subject} {words}; the line is quoted.",
                hurts=(case.pod.ref, KUBE_DNS),
                evidence=(case.status_evidence(), case.log_evidence(line)),
                agree=4,
                ruled_out=("out of memory: not OOMKilled", "the programs that cannot resolve names"),
            )
    return None


def _is_coredns(pod: Pod) -> bool:
    named = pod.labels.get("k8s-app") == "kube-dns" or (pod.owner is not None and pod.owner.name == "coredns")
    return pod.namespace == COREFILE.namespace and named


def unresolved(case: Case) -> Told | None:
    """DNS_DOWN, DNS_NXDOMAIN_TEMPLATE or DNS_UPSTREAM_WRONG behind a program that cannot resolve a name."""
    if case.container is None or _is_coredns(case.pod):
        return None
    line = telling_line(case.lines)
    if not line or not NO_NAME.search(line):
        return None
    server = _server(case.facts)
    if server is not None and server.ready_addresses == 0:
        return _down(case.facts, server, case, line)
    for file in case.facts.all(Corefile):
        if (found := _by_template(case, file, line) or _by_upstream(case, file, line)) is not None:
            return found
    return None


def _server(facts: Facts) -> Service | None:
    """The Service of the name server; where nodes answer themselves (Auto Mode) nobody is behind it."""
    found = next((s for s in facts.services if s.ref == KUBE_DNS), None)
    auto = any(node.labels.get("eks.amazonaws.com/compute-type") == "auto" for node in facts.nodes)
    behind = found and facts.selected(KUBE_DNS.namespace, found.selector)
    return None if auto and not behind else found


def down(facts: Facts) -> Iterator[Told]:
    """DNS_DOWN, even before any program ends because of it."""
    server = _server(facts)
    if server is None or server.ready_addresses != 0 or not server.selector:
        return
    pods = facts.selected(KUBE_DNS.namespace, server.selector)
    starting = [p for p in pods if facts.age_s(p.created_at) < START_GRACE_S]
    if not starting:
        yield _down(facts, server, None, "")


def _down(facts: Facts, server: Service, case: Case | None, line: str) -> Told:
    pods = facts.selected(KUBE_DNS.namespace, server.selector)
    owners = {w.ref for w in facts.workloads if w.ref.namespace == KUBE_DNS.namespace and _serves(server, w)}
    says = f"no ready endpoint; {len(pods)} pods"
    shown = [Evidence(source="kubernetes", query=f"{KUBE_DNS} and its EndpointSlices", says=says)]
    shown += [case.log_evidence(line)] if case and line else []
    wanted = sum(w.desired for w in facts.workloads if w.ref in owners)
    shown.append(
        Evidence(source="kubernetes", query="workloads of CoreDNS", says=f"{wanted} replicas wanted")
    )
    return Told(
        cause=DNS_DOWN,
        at=KUBE_DNS,
        subject=KUBE_DNS,
        predicate="has no ready pod: no name resolves",
        root_cause=f"{KUBE_DNS} has no ready endpoint ({len(pods)} pods, {wanted} wanted).",
        hurts=(case.pod.ref, case.subject) if case else (KUBE_DNS,),
        evidence=tuple(shown),
        agree=len(shown) + 1,
        ruled_out=("the programs that cannot resolve names: they are its symptoms",),
        explained_by=(KUBE_DNS, *sorted(owners), *(p.ref for p in pods)),
    )


def _serves(server: Service, workload: object) -> bool:
    labels = getattr(workload, "template_labels", {})
    return all(labels.get(key) == value for key, value in server.selector.items())


def _by_template(case: Case, file: Corefile, line: str) -> Told | None:
    name = calls.name_looked_up(line)
    if not name:
        return None
    for zones, body in _TEMPLATE.findall(file.text):
        named = [z.rstrip(".") for z in _ZONE.findall(zones)]
        if "NXDOMAIN" not in body or "fallthrough" in body or not any(_in_zone(name, z) for z in named):
            continue
        zone = next(z for z in named if _in_zone(name, z))
        says = f"template for zone {zone} with rcode NXDOMAIN"
        words = f"cannot resolve {name}: the Corefile says that {zone} has no such name"
        return _blamed(case, file, NXDOMAIN_TEMPLATE, words, says, line)
    return None


def _in_zone(name: str, zone: str) -> bool:
    return bool(zone) and (name == zone or name.endswith(f".{zone}"))


def _by_upstream(case: Case, file: Corefile, line: str) -> Told | None:
    name = calls.name_looked_up(line)
    inside = not name or name.endswith((".local", ".local.")) or "." not in name
    if inside or not _SERVFAIL.search(line):
        return None
    for zone, targets in _forwards(file):
        addresses = [t for t in targets.split() if not t.startswith("/")]
        if not addresses or not (zone == "." or _in_zone(name, zone.rstrip("."))):
            continue
        shown = ", ".join(addresses[:3])
        words = f"cannot resolve {name}: CoreDNS forwards it to {shown}"
        says = f"forward {zone} {shown}; changed {duration_text(case.facts.age_s(file.changed_at))} ago"
        return _blamed(case, file, UPSTREAM_WRONG, words, says, line)
    return None


def _forwards(file: Corefile) -> list[tuple[str, str]]:
    """The forwards, the longest zone first: it is the one that is asked."""
    return sorted(_FORWARD.findall(file.text), key=lambda pair: -len(pair[0]))


def _blamed(case: Case, file: Corefile, cause: Cause, words: str, says: str, line: str) -> Told:
    return Told(
        cause=cause,
        at=file.ref,
        subject=case.subject,
        predicate=words,
        root_cause=f"{case.pod.ref} {words}.",
        hurts=(case.pod.ref,),
        evidence=(
            case.log_evidence(line),
            Evidence(source="kubernetes", query=f"{file.ref} Corefile", says=says),
            case.status_evidence(),
        ),
        agree=4,
        doubt=cause is UPSTREAM_WRONG,
        ruled_out=("CoreDNS' pods: they are ready",),
        since=file.changed_at,
    )


OWN = (CaseRule((FORWARD_LOOP, COREFILE_INVALID), own),)
RULES = (CaseRule((DNS_DOWN, NXDOMAIN_TEMPLATE, UPSTREAM_WRONG), unresolved),)
WORLD = (WorldRule((DNS_DOWN,), down),)
