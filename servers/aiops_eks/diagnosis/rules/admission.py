"""Controllers that the API server refuses their pods: quota, limits, Pod Security, priority, account.

Each refusal is read from the newest FailedCreate event of its controller, or from the ReplicaFailure
condition that outlives the events. The fault is where it must be mended: at the quota that is used up, at the
class or account that does not exist, at the workload whose pods no rule lets through. Webhooks have their own
module. Sources: `pkg/controller/controller_utils.go` and the admission plugins named at each cause.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.diagnosis.case import EVENT_RECENT_S, event_evidence
from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.policy import Quota
from aiops_eks.diagnosis.objects import Event, Ref, Workload
from aiops_shared.results import Evidence

SAYS = ("FailedCreate", "ReplicaSetCreateError")
WITHIN_S = EVENT_RECENT_S * 2  # a controller that is refused asks again within 1,000 s
_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]{1,253}), requested: ([^\s]{1,300}), used: ")
_QUOTA_NAME = re.compile(r"(?:exceeded|failed) quota: ([a-z0-9.-]{1,253})")
_UNSAID = re.compile(r"failed quota: ([a-z0-9.-]{1,253}): must specify ([^\n]{1,200})")
_PRIORITY = re.compile(r"no PriorityClass with name ([a-z0-9.-]{1,253}) was found")
_ACCOUNT = re.compile(r"serviceaccount \"([a-z0-9.-]{1,253})\" not found")
_WEBHOOK = re.compile(r"admission webhook|failed calling webhook")


def _cause(code: str, means: str, told_by: str, next_step: str, source: str) -> Cause:
    return Cause(code, "high", means, told_by, source, next_step)


QUOTA_EXCEEDED = _cause(
    "QUOTA_EXCEEDED",
    "A ResourceQuota refuses the workload's pods.",
    "FailedCreate with `exceeded quota`, and the quota's own used and hard.",
    "raise the quota or lower the requests; list_resources kind=ResourceQuota",
    "apiserver admission plugin ResourceQuota",
)
QUOTA_NEEDS_REQUESTS = _cause(
    "QUOTA_NEEDS_REQUESTS",
    "A quota counts a resource that the workload's containers do not ask for, so its pods are refused.",
    "FailedCreate with `failed quota: … must specify`. There may be room: nothing is used up.",
    "set the requests and limits with plan_workload_change, or give the namespace a LimitRange with defaults",
    "apiserver admission plugin ResourceQuota",
)
POD_SECURITY_REFUSED = _cause(
    "POD_SECURITY_REFUSED",
    "Pod Security Admission refuses the workload's pods.",
    "FailedCreate with `violates PodSecurity`.",
    "scan_manifest(fix=true) of the workload, then plan_manifest(action=apply)",
    "https://kubernetes.io/docs/concepts/security/pod-security-admission/",
)
LIMIT_RANGE_REFUSED = _cause(
    "LIMIT_RANGE_REFUSED",
    "A LimitRange refuses the workload's pods.",
    "FailedCreate with `maximum … usage per` or `minimum … usage per`.",
    "bring requests and limits inside the LimitRange of the namespace",
    "apiserver admission plugin LimitRanger",
)
PRIORITY_CLASS_MISSING = _cause(
    "PRIORITY_CLASS_MISSING",
    "A workload names a PriorityClass that does not exist.",
    "FailedCreate with `no PriorityClass with name x was found`.",
    "create the PriorityClass, or correct priorityClassName with plan_manifest(action=apply)",
    "plugin/pkg/admission/priority/admission.go",
)
SERVICE_ACCOUNT_MISSING = _cause(
    "SERVICE_ACCOUNT_MISSING",
    "The workload's ServiceAccount does not exist.",
    'FailedCreate with `serviceaccount "x" not found`.',
    "create the ServiceAccount or correct serviceAccountName",
    "plugin/pkg/admission/serviceaccount/admission.go",
)
POD_CREATION_REFUSED = _cause(
    "POD_CREATION_REFUSED",
    "The API server refuses the workload's pods; its words are quoted.",
    "FailedCreate that no other code knows.",
    "read the quote",
    "pkg/controller/controller_utils.go",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API server answered a controller that wanted to create pods (or a Job, or a ReplicaSet)."""

    by: Ref  # the controller
    owner: Ref  # the top of its owners
    words: str
    evidence: Evidence
    workload: Workload | None
    since: datetime | None

    @property
    def counts(self) -> tuple[Evidence, ...]:
        """How many pods it has all the same."""
        if self.workload is None:
            return ()
        says = f"{self.workload.ready} of {self.workload.desired} ready"
        return (stated(self.workload.ref, "status", says),)


def refusals(facts: Facts) -> Iterator[Refusal]:
    """The newest of each controller that still lacks pods."""
    seen: set[Ref] = set()
    for event in _newest(facts):
        owner = top(facts, event.about)
        workload = facts.workload(event.about) or facts.workload(owner)
        if workload is not None and (workload.ready >= workload.desired or workload.finished):
            continue  # it got its pods in the meantime
        seen |= {event.about, owner}
        yield Refusal(
            event.about, owner, event.message, event_evidence(facts, event), workload, event.first_at
        )
    for workload in facts.workloads:
        failed = workload.condition("ReplicaFailure")
        if failed is None or failed.status != "True" or failed.reason != "FailedCreate":
            continue
        owner = top(facts, workload.ref)
        if workload.ready < workload.desired and not seen & {owner, workload.ref}:
            seen.add(owner)
            said = condition_evidence(workload.ref, failed)
            yield Refusal(workload.ref, owner, failed.message, said, workload, failed.since)


def _newest(facts: Facts) -> Iterator[Event]:
    newest: dict[Ref, Event] = {}
    for event in facts.events:
        if event.reason in SAYS and facts.age_s(event.last_at) <= WITHIN_S:
            known = newest.get(event.about)
            if known is None or facts.age_s(event.last_at) < facts.age_s(known.last_at):
                newest[event.about] = event
    yield from newest.values()


def top(facts: Facts, ref: Ref) -> Ref:
    """The top of an owner chain; a chain that names itself ends."""
    for _ in range(4):
        workload = facts.workload(ref)
        if workload is None or workload.parent is None:
            return ref
        ref = workload.parent
    return ref


def told(
    refusal: Refusal,
    cause: Cause,
    at: Ref,
    what: str,
    more: tuple[Evidence, ...] = (),
    explained_by: tuple[Ref, ...] = (),
) -> Told:
    """A refusal as a finding; its owner and controller are who it hurts."""
    return Told(
        cause=cause,
        at=at,
        subject=refusal.owner,
        predicate=f"cannot create pods: {what}",
        root_cause=f"{refusal.by} is refused its pods: {what}.",
        hurts=tuple(dict.fromkeys((refusal.owner, refusal.by))),
        evidence=(refusal.evidence, *more, *refusal.counts),
        agree=2 + (cause is not POD_CREATION_REFUSED) + bool(more),
        ruled_out=("scheduling: the pods were never created",),
        explained_by=explained_by,
        since=refusal.since,
    )


Explain = Callable[[Facts, Refusal], Told | None]


def _quota(facts: Facts, refusal: Refusal) -> Told | None:
    if match := _UNSAID.search(refusal.words):
        what = f"quota {match[1]} wants {_listed(match[2])} said for every container"
        return told(refusal, QUOTA_NEEDS_REQUESTS, refusal.owner, what)
    name = _QUOTA_NAME.search(refusal.words)
    if name is None or "status unknown for quota" in refusal.words:
        return None
    at = Ref("ResourceQuota", refusal.owner.namespace, name[1])
    found = next((one for one in facts.all(Quota) if one.ref == at), None)
    match = _QUOTA.search(refusal.words)
    names = [part.partition("=")[0] for part in match[2].split(",")] if match else []
    used = _used(found, names)
    what = f"quota {name[1]} is used up" + (f" ({used})" if used else "")
    more = (stated(at, "status", used),) if used else ()
    return told(refusal, QUOTA_EXCEEDED, at, what, more)


def _used(found: Quota | None, names: list[str]) -> str:
    if found is None:
        return ""
    known = [name for name in names if name in found.hard] or sorted(found.hard)
    return ", ".join(f"{n}: {found.used.get(n, '0')} of {found.hard[n]} used" for n in known[:4])


def _listed(words: str) -> str:
    """`limits.cpu for: web; requests.cpu for: web` as resource names."""
    names = re.findall(r"((?:limits|requests)\.[a-z0-9./-]{1,63}|cpu|memory)", words)
    return ", ".join(dict.fromkeys(names)) or "requests"


def _pod_security(facts: Facts, refusal: Refusal) -> Told | None:
    del facts
    match = re.search(r"violates PodSecurity \"([a-z]+):[^\"]{0,40}\"", refusal.words)
    if match is None and "violates PodSecurity" not in refusal.words:
        return None
    level = f"the namespace enforces Pod Security {match[1]}" if match else "Pod Security refuses them"
    return told(refusal, POD_SECURITY_REFUSED, refusal.owner, level)


def _limits(facts: Facts, refusal: Refusal) -> Told | None:
    del facts
    match = re.search(
        r"(maximum|minimum) ([\w./-]+) (?:usage|limit to request ratio) per (\w+)", refusal.words
    )
    if match is None:
        return None
    what = f"beyond the {match[1]} {match[2]} per {match[3]} of a LimitRange"
    return told(refusal, LIMIT_RANGE_REFUSED, refusal.owner, what)


def _priority(facts: Facts, refusal: Refusal) -> Told | None:
    del facts
    match = _PRIORITY.search(refusal.words)
    if match is None:
        return None
    at = Ref("PriorityClass", "", match[1])
    return told(refusal, PRIORITY_CLASS_MISSING, at, f"PriorityClass {match[1]} does not exist")


def _account(facts: Facts, refusal: Refusal) -> Told | None:
    del facts
    match = _ACCOUNT.search(refusal.words)
    if match is None:
        return None
    at = Ref("ServiceAccount", refusal.owner.namespace, match[1])
    return told(refusal, SERVICE_ACCOUNT_MISSING, at, f"ServiceAccount {match[1]} does not exist")


_KNOWN: tuple[Explain, ...] = (_quota, _pod_security, _limits, _priority, _account)


def refused(facts: Facts) -> Iterator[Told]:
    """QUOTA_EXCEEDED and its kin: the controller may not create pods."""
    for refusal in refusals(facts):
        if _WEBHOOK.search(refusal.words):
            continue  # webhooks.py
        found = next((one for rule in _KNOWN if (one := rule(facts, refusal)) is not None), None)
        yield found or told(refusal, POD_CREATION_REFUSED, refusal.owner, "the API server says no")


RULES = (
    WorldRule(
        (
            QUOTA_EXCEEDED,
            QUOTA_NEEDS_REQUESTS,
            POD_SECURITY_REFUSED,
            LIMIT_RANGE_REFUSED,
            PRIORITY_CLASS_MISSING,
            SERVICE_ACCOUNT_MISSING,
            POD_CREATION_REFUSED,
        ),
        refused,
    ),
)
