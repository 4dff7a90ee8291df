"""Admission webhooks that fail or say no.

A webhook that cannot be called is a fault of its configuration or of what stands behind it: the workloads
that it refuses are symptoms, and so is the webhook itself when the pods behind its Service have a finding. A
webhook that says no did its work: the workload is what must change.
Source: `k8s.io/apiserver/pkg/admission/plugin/webhook`, `pkg/util/webhook/error.go`.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.policy import Hook, Hooks, MutatingHooks, ValidatingHooks
from aiops_eks.diagnosis.objects import Ref, Service
from aiops_eks.diagnosis.rules.admission import Refusal, refusals, told
from aiops_shared.results import Evidence

_FAILED = re.compile(r"failed calling webhook \"([^\"\s]{1,253})\":")
_DENIED = re.compile(r"admission webhook \"([^\"\s]{1,253})\" denied the request")
_WHY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"service \"[^\"]*\" not found"), "its Service does not exist"),
    (re.compile(r"no endpoints available|endpoints \"[^\"]*\" not found"), "its Service has no endpoints"),
    (re.compile(r"no service port"), "its Service has no such port"),
    (re.compile(r"certificate has expired|not yet valid"), "its certificate has expired"),
    (re.compile(r"x509|tls:"), "its certificate is not trusted (caBundle)"),
    (re.compile(r"deadline exceeded|Timeout|timed? ?out", re.IGNORECASE), "it does not answer in time"),
    (re.compile(r"connection refused|no route to host|connection reset|EOF"), "nothing listens there"),
)
WEBHOOK_FAILING = Cause(
    code="WEBHOOK_FAILING",
    severity="high",
    means="An admission webhook cannot be called, so the API server refuses what it should judge.",
    told_by="FailedCreate with `failed calling webhook`, and a configuration with failurePolicy Fail that "
    "has this webhook. When the pods behind its Service have a finding, that one holds it.",
    source="k8s.io/apiserver/pkg/admission/plugin/webhook",
    next_step="bring back the Service behind it, or take the configuration away with its owner's consent; "
    "get_resource shows both",
)
WEBHOOK_REFUSED = Cause(
    code="WEBHOOK_REFUSED",
    severity="high",
    means="An admission webhook judged the workload's pods and said no.",
    told_by="FailedCreate with `admission webhook … denied the request`. One that could not be asked is "
    "WEBHOOK_FAILING.",
    source="k8s.io/apiserver/pkg/admission/plugin/webhook",
    next_step="read the quote and bring the workload in line with plan_manifest(action=apply)",
)


def webhooks(facts: Facts) -> Iterator[Told]:
    """Both, by who was refused."""
    for refusal in refusals(facts):
        if match := _DENIED.search(refusal.words):
            found = _holder(facts, match[1])
            more = (stated(found[0].ref, "webhooks", f"holds {match[1]}"),) if found else ()
            yield told(refusal, WEBHOOK_REFUSED, refusal.owner, f"webhook {match[1]} denied them", more)
        elif match := _FAILED.search(refusal.words):
            yield _failing(facts, refusal, match[1])


def _failing(facts: Facts, refusal: Refusal, name: str) -> Told:
    found = _holder(facts, name)
    why = next((words for pattern, words in _WHY if pattern.search(refusal.words)), "the call failed")
    what = f"webhook {name} cannot be called: {why}"
    if found is None:
        return told(refusal, WEBHOOK_FAILING, refusal.owner, what)
    holder, hook = found
    return told(refusal, WEBHOOK_FAILING, holder.ref, what, _behind(facts, hook), _behind_refs(facts, hook))


def _holder(facts: Facts, name: str) -> tuple[Hooks, Hook] | None:
    """The configuration with this webhook; two may have one of the same name, then the first by name."""
    every: tuple[Hooks, ...] = (*facts.all(ValidatingHooks), *facts.all(MutatingHooks))
    return next(((one, hook) for one in every for hook in one.hooks if hook.name == name), None)


def _service(facts: Facts, hook: Hook) -> Service | None:
    return next((one for one in facts.services if one.ref == hook.service), None)


def _behind(facts: Facts, hook: Hook) -> tuple[Evidence, ...]:
    if hook.service is None:
        return ()
    if facts.namespace and facts.namespace != hook.service.namespace:
        return (stated(hook.service, "in another namespace", "not looked at"),)
    found = _service(facts, hook)
    if found is None:
        return (stated(hook.service, "among the Services", "not there"),)
    return (stated(hook.service, "EndpointSlices", f"{found.ready_addresses or 0} ready endpoints"),)


def _behind_refs(facts: Facts, hook: Hook) -> tuple[Ref, ...]:
    """What explains a webhook that does not answer: its Service, the pods behind it, their owners."""
    found = _service(facts, hook)
    if found is None:
        return ()
    pods = facts.selected(found.ref.namespace, found.selector)
    return tuple(dict.fromkeys((found.ref, *(pod.ref for pod in pods), *(pod.subject for pod in pods))))


RULES = (WorldRule((WEBHOOK_FAILING, WEBHOOK_REFUSED), webhooks),)
