"""The admission chain: what a write meets between its defaults and its storage.

The Store calls `mutate` before and `validate` after the field validation, in the order of kube-apiserver's
plugins (pkg/kubeapiserver/options/plugins.go). The plugins are pure functions in their own modules; this one
fetches what they judge by.
"""

from aiops_lab.kube.admission.identity import check_class, settle_account, settle_priority
from aiops_lab.kube.admission.limits import apply_defaults, check_bounds
from aiops_lab.kube.admission.pod_security import check_pod_security
from aiops_lab.kube.admission.quota import check_quotas
from aiops_lab.kube.admission.review import SYSTEM, Review
from aiops_lab.kube.admission.volumes import check_growth, protect, settle_class
from aiops_lab.kube.admission.webhooks import Webhooks
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.shelf import Shelf
from aiops_lab.kube.wire import Obj

_VOLUMES = frozenset({"PersistentVolumeClaim.", "PersistentVolume."})
_WORKLOADS = frozenset({"apps", "batch"})


class Admission:
    """One cluster's admission plugins."""

    def __init__(self, shelf: Shelf, registry: Registry) -> None:
        self._shelf, self._registry = shelf, registry
        self.webhooks = Webhooks()
        self.controllers_run = False  # who makes ServiceAccounts `default` and takes finalizers away

    def reset(self, registry: Registry) -> None:
        """Another world: webhooks answer as if nobody had told them otherwise."""
        self._registry = registry
        self.webhooks = Webhooks()

    def mutate(self, review: Review) -> None:
        """Complete the new object in place. Raises ApiError 400, 403 or 500."""
        if review.creates_pod:
            apply_defaults(review, self._all("LimitRange", review.namespace))
            if self.controllers_run:
                name = review.obj["spec"].get("serviceAccountName") or "default"
                settle_account(review, self._find("ServiceAccount", review.namespace, name))
            settle_priority(review, self._all("PriorityClass"))
        elif review.operation == "CREATE" and review.resource.storage in _VOLUMES:
            if review.resource.storage == "PersistentVolumeClaim.":
                settle_class(review, self._all("StorageClass"))
            if self.controllers_run:
                protect(review)
        self.webhooks.call(review, self._all("MutatingWebhookConfiguration"), self._find)

    def validate(self, review: Review) -> None:
        """Judge what would be stored. Raises ApiError 400, 403 or 500."""
        if review.subresource == "status" and review.user == SYSTEM:
            return
        storage, namespace = review.resource.storage, review.namespace
        if storage in {"Pod.", "PersistentVolumeClaim."}:
            check_bounds(review, self._all("LimitRange", namespace))
            if storage != "Pod.":
                check_growth(review, self._all("StorageClass"))
        elif storage == "PriorityClass.scheduling.k8s.io":
            check_class(review, self._all("PriorityClass"))
        if storage == "Pod." or review.resource.group in _WORKLOADS:
            check_pod_security(review, self._find("Namespace", "", namespace))
        self.webhooks.call(review, self._all("ValidatingWebhookConfiguration"), self._find)
        if namespace and (quotas := self._all("ResourceQuota", namespace)):
            check_quotas(review, quotas, self._charge)

    def delete(self, review: Review) -> None:
        """Ask the webhooks about a delete. Raises ApiError 400, 403 or 500."""
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            self.webhooks.call(review, self._all(kind), self._find)

    def _all(self, kind: str, namespace: str = "") -> tuple[Obj, ...]:
        return self._shelf.all(self._registry.by_kind(kind), namespace)

    def _find(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self._shelf.find(self._registry.by_kind(kind), namespace, name)

    def _charge(self, quota: Obj) -> None:
        self._shelf.put(self._registry.by_kind("ResourceQuota"), quota)
