"""An EKS add-on as an object: what is asked of EKS under `spec`, what EKS says under `status`.

Read by plans and by the hand that carries them out, so that both mean the same. While an update runs, and
after one that failed, DescribeAddon may still show the version before; what was asked stands in the update.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_eks.clients import aws_shapes as shapes
from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.installs import Install, installs, installs_in
from aiops_eks.models.addon_roles import ROLES
from aiops_eks.models.aws_addons import InstalledAddon
from aiops_eks.planning.addons import plain
from aiops_eks.planning.addons_scene import API
from aiops_eks.planning.drafts import Obj
from aiops_eks.ports import Kube
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, NotFoundError, UpstreamError

HOME = "kube-system"
_UNSETTLED = frozenset({"UPDATING", "UPDATE_FAILED", "DEGRADED"})


@dataclass(frozen=True, slots=True)
class AddonReader:
    """Add-ons of one cluster. Raises `AiopsError` only."""

    eks: EksCluster

    async def read(self, name: str) -> Obj | None:
        """The add-on, or None when the cluster has none of that name."""
        try:
            answer = await self.eks.call("eks", "describe_addon", clusterName=self.eks.name, addonName=name)
        except NotFoundError as error:
            if error.code != NotFoundError.code or "No cluster found" in error.reason:
                raise
            return None
        told = answer.get("addon")
        if not isinstance(told, Mapping) or not told.get("addonArn"):
            raise UpstreamError(f"add-on {name}", "its answer was cut off")
        found = shapes.installed(told)
        version, state = await self._asked(found)
        return {
            "apiVersion": API,
            "kind": "Addon",
            "metadata": _head(told, found),
            "spec": {
                "version": version,
                "configuration": plain(found.configuration),
                "role": found.role_arn,
                "podIdentities": await self._identities(found),
            },
            "status": {
                "status": found.status,
                "version": found.version,
                "update": state,
                "namespace": found.namespace or HOME,
                "issues": [str(one) for one in found.issues],
            },
        }

    async def _asked(self, found: InstalledAddon) -> tuple[str, str]:
        """The version that was asked of EKS last, and how that update stands."""
        if found.status not in _UNSETTLED:
            return found.version, ""
        updates = await AwsAddons(self.eks).updates(addon=found.name)
        if not updates.known:
            raise UpstreamError(f"updates of add-on {found.name}", "; ".join(updates.gaps)[:300])
        last = next((one for one in updates.items if one.kind == "AddonUpdate"), None)
        if last is None or last.status not in {"InProgress", "Failed"}:
            return found.version, last.status if last else ""
        return dict(last.wanted).get("AddonVersion") or found.version, last.status

    async def _identities(self, found: InstalledAddon) -> list[Obj]:
        """Which ServiceAccount gets which role; the add-on itself only names the associations."""
        calls = [partial(self._identity, arn.rpartition("/")[2]) for arn in found.pod_identities]
        pairs = []
        for outcome in await gathered(calls):
            if isinstance(outcome, AiopsError):
                raise outcome
            pairs.append(outcome)
        return sorted(pairs, key=lambda one: str(one["serviceAccount"]))

    async def _identity(self, ident: str) -> Obj:
        answer = await self.eks.call(
            "eks", "describe_pod_identity_association", clusterName=self.eks.name, associationId=ident
        )
        told: Mapping[str, Any] = answer.get("association") or {}
        return {"serviceAccount": str(told.get("serviceAccount")), "role": str(told.get("roleArn"))}


def _head(told: Mapping[str, Any], found: InstalledAddon) -> Obj:
    head: Obj = {
        "name": found.name,
        "uid": str(told["addonArn"]),
        "annotations": dict(told.get("tags") or {}),
    }
    if found.status == "DELETING":
        head["deletionTimestamp"] = "now"  # EKS says that it is, not since when
    return head


async def workloads_of(kube: Kube, name: str, namespace: str) -> tuple[Install, ...]:
    """The Deployments and DaemonSets of an add-on: all of its own namespace; in kube-system by their names.

    Raises `AiopsError`.
    """
    words = ROLES[name].seen_as if name in ROLES else frozenset({name})
    if namespace not in {"", HOME}:
        return await installs_in(kube, namespace)
    found = await installs(kube, words)
    if found.gaps:
        raise UpstreamError(f"workloads of add-on {name}", "; ".join(found.gaps)[:300])
    return tuple(one for one in found.found if one.words & words)
