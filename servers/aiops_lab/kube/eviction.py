"""pods/eviction: a delete that a PodDisruptionBudget may refuse (registry/core/pod/storage/eviction.go)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from aiops_lab.kube.bodies import SCHEME
from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import ApiError, bad_request, not_found
from aiops_lab.kube.options import eviction_sent
from aiops_lab.kube.selectors import matches_selector
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj, clone, dig, name_of, namespace_of, timestamp

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_BUDGET = "PodDisruptionBudget"


@dataclass(frozen=True)
class Eviction:
    """The eviction handler."""

    store: Store
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """Evict, or refuse with 429. A dry run checks the budget and changes nothing."""
        target = call.target
        sent = eviction_sent(call)
        _check_kind(sent)
        if dig(sent, "metadata", "name", default=target.name) != target.name:
            raise bad_request("name in URL does not match name in Eviction object")
        pod = self.store.shelf.find(target.resource, target.namespace, target.name)
        if pod is None:
            raise not_found(target.resource, target.name)
        budget = self._consulted(pod)
        options = dig(sent, "deleteOptions", default={})
        self.store.delete(
            "Pod",
            target.namespace,
            target.name,
            uid=dig(options, "preconditions", "uid"),
            resource_version=dig(options, "preconditions", "resourceVersion"),
            grace_s=options.get("gracePeriodSeconds"),
            dry_run=True,
        )  # preconditions first: a refused eviction must not spend the budget
        if not call.dry_run:
            self._evict(pod, budget, options.get("gracePeriodSeconds"))
        return answer(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201
        )

    def _evict(self, pod: Obj, budget: Obj | None, grace_s: int | None) -> None:
        if budget is not None:
            self._spend(budget, pod)
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(self.now()),
            "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting",
        }
        status = clone(pod).get("status") or {}
        others = [c for c in status.get("conditions") or [] if c.get("type") != "DisruptionTarget"]
        status["conditions"] = [*others, condition]
        self.store.set_status("Pod", namespace_of(pod), name_of(pod), status, manager="kube-apiserver")
        self.store.delete("Pod", namespace_of(pod), name_of(pod), grace_s=grace_s)

    def _consulted(self, pod: Obj) -> Obj | None:
        """The budget that this eviction spends from. Raises ApiError 429 or 500."""
        if (
            dig(pod, "status", "phase") in {"Succeeded", "Failed", "Pending"}
            or "deletionTimestamp" in pod["metadata"]
        ):
            return None
        labels = dig(pod, "metadata", "labels", default={})
        budgets = [
            budget
            for budget in self.store.select(self.store.resource(_BUDGET), namespace_of(pod))
            if matches_selector(dig(budget, "spec", "selector"), labels)
        ]
        if len(budgets) > 1:
            message = (
                "This pod has more than one PodDisruptionBudget, "
                "which the eviction subresource does not support."
            )
            raise ApiError(500, "InternalError", message)
        if not budgets:
            return None
        return _judged(budgets[0], pod)

    def _spend(self, budget: Obj, pod: Obj) -> None:
        status = clone(budget)["status"]
        status["disruptionsAllowed"] -= 1
        status.setdefault("disruptedPods", {})[name_of(pod)] = timestamp(self.now())
        self.store.set_status(
            _BUDGET, namespace_of(budget), name_of(budget), status, manager="kube-apiserver"
        )


def _check_kind(sent: Obj) -> None:
    version, kind = str(sent.get("apiVersion") or "policy/v1"), str(sent.get("kind") or "Eviction")
    if (version, kind) in {("policy/v1", "Eviction"), ("policy/v1beta1", "Eviction")}:
        return
    start = f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a Eviction: '
    if (version, kind) == ("v1", "Pod"):
        raise bad_request(f"{start}converting (v1.Pod) to (policy.Eviction): unknown conversion")
    raise bad_request(f'{start}no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"')


def _judged(budget: Obj, pod: Obj) -> Obj | None:
    status = budget.get("status") or {}
    healthy, desired = int(status.get("currentHealthy", 0)), int(status.get("desiredHealthy", 0))
    if not _is_ready(pod):
        always = dig(budget, "spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or (healthy >= desired and desired > 0):
            return None  # a sick pod protects nobody: it goes without spending the budget
    if int(status.get("observedGeneration", 0)) < int(budget["metadata"].get("generation", 0)):
        raise _too_many(
            budget, f"The disruption budget {name_of(budget)} is still being processed by the server.", 10
        )
    if int(status.get("disruptionsAllowed", 0)) <= 0:
        needs = f"needs {desired} healthy pods and has {healthy} currently"
        raise _too_many(budget, f"The disruption budget {name_of(budget)} {needs}", 0)
    return budget


def _is_ready(pod: Obj) -> bool:
    conditions = dig(pod, "status", "conditions", default=[])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _too_many(budget: Obj, said: str, retry_after_s: int) -> ApiError:
    details: Obj = {"causes": [{"reason": "DisruptionBudget", "message": said}]}
    if retry_after_s:
        details["retryAfterSeconds"] = retry_after_s
    return ApiError(429, "TooManyRequests", _REFUSED, details)
