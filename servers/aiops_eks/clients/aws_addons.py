"""Asks EKS for a cluster's add-ons, insights, node groups, updates and capabilities.

Called by the views of `describe_cluster`, by the gathering of `diagnose`, and by plans about add-ons. Nothing
here raises for what AWS answers: a source that fails leaves a gap that names the IAM action, and what the
others said stands. Shapes: the EKS API reference (Addon, Insight, Nodegroup, Update, Capability).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from aiops_eks.clients import aws_shapes as shapes
from aiops_eks.clients.gathering import gathered
from aiops_eks.models.aws_addons import (
    Capability,
    CatalogueAddon,
    ClusterUpdate,
    Insight,
    InstalledAddon,
    NodeGroup,
    Read,
    Support,
)
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AccessDeniedError, AiopsError, UnauthenticatedError, UpstreamError

Item = TypeVar("Item")
OWNERS = ("aws", "community")  # marketplace add-ons are hundreds, and nobody misses them
MOST_ADDONS = 500
MOST_UPDATES = 25  # of one thing; in which order EKS lists them is not promised
MOST_DETAILED = 40  # insights with their recommendation
REASON_CHARS = 180


def gap(action: str, error: AiopsError) -> str:
    """One sentence about a source that did not answer; a refusal says which right is missing."""
    if isinstance(error, AccessDeniedError) and not isinstance(error, UnauthenticatedError):
        return f"{action} is not allowed ([{error.code}]): grant it; {error.reason[:REASON_CHARS]}"
    return f"{action}: [{error.code}] {error.reason[:REASON_CHARS]}"


@dataclass(frozen=True, slots=True)
class AwsAddons:
    """One cluster's AWS side, asked by name."""

    eks: EksCluster

    async def installed(self) -> Read[InstalledAddon]:
        """The EKS add-ons of the cluster, by name."""
        names = await self._names("list_addons", "addons", clusterName=self.eks.name)
        return await self._each(names, "describe_addon", "addonName", "addon", shapes.installed)

    async def catalogue(self, kubernetes: str) -> Read[CatalogueAddon]:
        """What EKS offers for a Kubernetes version, AWS's own and the community's, versions newest first."""
        asked: dict[str, Any] = {"kubernetesVersion": kubernetes} if kubernetes else {}
        return await self._list(
            "describe_addon_versions", "addons", shapes.catalogue, owners=list(OWNERS), **asked
        )

    async def offered(self, name: str, kubernetes: str = "") -> CatalogueAddon | None:
        """One add-on of the catalogue; None when EKS offers none of that name for the version.

        Raises `AiopsError` (NotFoundError for a name that EKS does not know).
        """
        asked: dict[str, Any] = {"kubernetesVersion": kubernetes} if kubernetes else {}
        found = await self.eks.every("eks", "describe_addon_versions", "addons", addonName=name, **asked)
        return next((shapes.catalogue(one) for one in found.items), None)

    async def insights(self) -> Read[Insight]:
        """The cluster's insights, worst first; those that are not passing with their recommendation."""
        listed = await self._list("list_insights", "insights", shapes.insight, clusterName=self.eks.name)
        ranked = sorted(listed.items, key=shapes.badness)
        wanted = [one for one in ranked if one.status != "PASSING"][:MOST_DETAILED]
        told = await self._each(
            Read(tuple(one.id for one in wanted)), "describe_insight", "id", "insight", shapes.insight
        )
        by_id = {one.id: one for one in told.items}
        items = tuple(by_id.get(one.id, one) for one in ranked)
        return Read(items, (*listed.gaps, *told.gaps), listed.known)

    async def node_groups(self) -> Read[NodeGroup]:
        """The managed node groups, by name."""
        names = await self._names("list_nodegroups", "nodegroups", clusterName=self.eks.name)
        return await self._each(names, "describe_nodegroup", "nodegroupName", "nodegroup", shapes.node_group)

    async def updates(self, *, addon: str = "", nodegroup: str = "") -> Read[ClusterUpdate]:
        """The newest updates of the cluster itself, of one add-on or of one node group, newest first."""
        of = {"addonName": addon, "nodegroupName": nodegroup}
        asked: dict[str, Any] = {key: value for key, value in of.items() if value}
        ids = await self._names("list_updates", "updateIds", name=self.eks.name, **asked)
        what = f"addon {addon}" if addon else f"nodegroup {nodegroup}" if nodegroup else ""
        found = await self._each(
            Read(ids.items[:MOST_UPDATES], ids.gaps, ids.known),
            "describe_update",
            "updateId",
            "update",
            partial(shapes.update, of=what),
            cluster_key="name",
            **asked,
        )
        newest = sorted(found.items, key=shapes.age, reverse=True)
        return Read(tuple(newest), found.gaps, found.known)

    async def capabilities(self) -> Read[Capability]:
        """The EKS Capabilities of the cluster."""
        rows = await self._list(
            "list_capabilities", "capabilities", shapes.capability, clusterName=self.eks.name
        )
        names = Read(tuple(one.name for one in rows.items), rows.gaps, rows.known)
        told = await self._each(
            names, "describe_capability", "capabilityName", "capability", shapes.capability
        )
        by_name = {one.name: one for one in told.items}
        return Read(tuple(by_name.get(one.name, one) for one in rows.items), told.gaps, told.known)

    async def support(self, kubernetes: str) -> Read[Support]:
        """Until when EKS supports a Kubernetes version."""
        found = await self._list(
            "describe_cluster_versions", "clusterVersions", shapes.support, clusterVersions=[kubernetes]
        )
        fitting = tuple(one for one in found.items if one.version == kubernetes)
        return Read(fitting, found.gaps, found.known)

    async def _list(
        self, operation: str, key: str, read: Callable[[Mapping[str, Any]], Item], **asked: Any
    ) -> Read[Item]:
        try:
            found = await self.eks.every("eks", operation, key, at_most=MOST_ADDONS, **asked)
        except AiopsError as error:
            return Read(gaps=(gap(_action(operation), error),), known=False)
        return Read(tuple(read(one) for one in found.items if isinstance(one, Mapping)))

    async def _names(self, operation: str, key: str, **asked: Any) -> Read[str]:
        try:
            found = await self.eks.every("eks", operation, key, at_most=MOST_ADDONS, **asked)
        except AiopsError as error:
            return Read(gaps=(gap(_action(operation), error),), known=False)
        return Read(tuple(str(one) for one in found.items))

    async def _each(
        self,
        names: Read[str],
        operation: str,
        key: str,
        holds: str,
        read: Callable[[Mapping[str, Any]], Item],
        *,
        cluster_key: str = "clusterName",
        **asked: Any,
    ) -> Read[Item]:
        """Every name described; those that fail are one gap per reason."""
        asked |= {cluster_key: self.eks.name}

        async def one(name: str) -> Item:
            answer = await self.eks.call("eks", operation, **{key: name}, **asked)
            told = answer.get(holds)
            if not isinstance(told, Mapping) or not told:
                raise UpstreamError(name, "its answer was cut off")
            return read(told)

        calls: Sequence[Callable[[], Awaitable[Item]]] = [partial(one, name) for name in names.items]
        outcomes = await gathered(calls)
        pairs = list(zip(names.items, outcomes, strict=True))
        items = tuple(outcome for outcome in outcomes if not isinstance(outcome, AiopsError))
        failed = [(name, outcome) for name, outcome in pairs if isinstance(outcome, AiopsError)]
        return Read(items, (*names.gaps, *_failures(_action(operation), failed)), names.known)


def _action(operation: str) -> str:
    """`list_addons` -> `eks:ListAddons`, as IAM writes it."""
    return "eks:" + "".join(word.capitalize() for word in operation.split("_"))


def _failures(action: str, failed: list[tuple[str, AiopsError]]) -> list[str]:
    """One sentence per kind of failure, with the names it left unknown."""
    kinds = Counter(error.code for _, error in failed)
    said = []
    for code in kinds:
        names = [name for name, error in failed if error.code == code]
        first = next(error for _, error in failed if error.code == code)
        some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        said.append(f"{gap(action, first)} (unknown: {some})")
    return said
