"""Gathers what a plan about an add-on reasons from: EKS's offers, what runs, who manages its fields.

Called by the desk of add-on plans, and again by the hand that carries them out. The add-on itself must be
readable; what else fails is a gap that is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from aiops_eks.clients.addon_reading import HOME, AddonReader, workloads_of
from aiops_eks.clients.aws_addons import AwsAddons, gap
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.installs import Install, installs
from aiops_eks.models.addon_roles import known_as, names_to_look_for
from aiops_eks.models.aws_addons import CatalogueAddon
from aiops_eks.planning.addons_configuration import schema_of
from aiops_eks.planning.addons_scene import API, AddonScene, AddonWish, chosen
from aiops_eks.planning.drafts import Obj, at
from aiops_eks.ports import Kube
from aiops_shared.aws import EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.guardrails.models import Environment, ObjectRef
from aiops_shared.kube.nearest import nearest

_EKS = frozenset({"eks", "kube-controller-manager", "kubelet", ""})
_ENVIRONMENTS: dict[str, Environment] = {"dev": "dev", "staging": "staging", "prod": "prod"}
_MOST_FIELDS = 20


class AddonClusters(Protocol):
    """What of the cluster directory is needed."""

    async def open(self, cluster: str | None) -> Kube:
        """The API of one cluster."""
        ...

    async def eks(self, cluster: str | None) -> EksCluster:
        """AWS, asked about one cluster."""
        ...

    async def environment(self, cluster: str | None) -> str:
        """What the operator's table says; empty counts as production."""
        ...


@dataclass(slots=True)
class _Found:
    """What the sources said, besides the add-on."""

    offered: CatalogueAddon | None = None
    offers_known: bool = True
    works: set[str] = field(default_factory=set)
    works_known: bool = True
    self_managed: str = ""
    foreign: tuple[str, ...] = ()
    pods: int = 0
    gaps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AddonSurroundings:
    """One server's way to look at add-ons before a change."""

    clusters: AddonClusters
    clock: Clock

    async def installed(self, cluster: str | None) -> tuple[str, ...]:
        """Names of the cluster's EKS add-ons; nothing when they cannot be listed."""
        return tuple(
            one.name for one in (await AwsAddons(await self.clusters.eks(cluster)).installed()).items
        )

    async def scene(self, cluster: str | None, wish: AddonWish) -> AddonScene:
        """Gather. Raises `AiopsError`: NotFoundError with the nearest names for what EKS does not offer."""
        kube, eks = await self.clusters.open(cluster), await self.clusters.eks(cluster)
        described = await eks.describe()
        kubernetes = str(described.get("version") or "")
        obj = await AddonReader(eks).read(wish.name)
        found = _Found()

        async def offers() -> None:
            await self._offers(eks, kubernetes, wish, found, must_exist=obj is None)

        async def runs() -> None:
            await self._runs(kube, eks, wish, obj, found)

        for outcome in await gathered([offers, runs]):
            if isinstance(outcome, AiopsError):
                raise outcome
        ref = ObjectRef(cluster=kube.cluster, api_version=API, kind="Addon", name=wish.name)
        told = await self.clusters.environment(cluster)
        scene = AddonScene(
            ref=ref,
            now=await self.clock.now(),
            kubernetes=kubernetes,
            obj=obj,
            offered=found.offered,
            offers_known=found.offers_known,
            self_managed=found.self_managed,
            foreign=found.foreign,
            works=frozenset(found.works),
            works_known=found.works_known,
            pods=found.pods,
            environment=_ENVIRONMENTS.get(told, "prod"),
            gaps=tuple(found.gaps),
        )
        return scene if wish.action == "delete" else await self._with_schema(eks, scene, wish)

    async def _offers(
        self, eks: EksCluster, kubernetes: str, wish: AddonWish, found: _Found, *, must_exist: bool
    ) -> None:
        """What EKS offers of it. A name that EKS does not know at all is refused with the nearest."""
        asked = AwsAddons(eks)
        try:
            found.offered = await asked.offered(wish.name, kubernetes)
        except NotFoundError as error:
            if wish.action == "create" and must_exist:
                names = [one.name for one in (await asked.catalogue(kubernetes)).items]
                near = ", ".join(nearest(wish.name, names)) or "see describe_cluster(include=[addons])"
                raise NotFoundError(
                    f"add-on {wish.name}", f"EKS offers none of that name: {error.reason}", near
                ) from error
        except AiopsError as error:
            found.offers_known = False
            found.gaps.append(gap("eks:DescribeAddonVersions", error))

    async def _runs(
        self, kube: Kube, eks: EksCluster, wish: AddonWish, obj: Obj | None, found: _Found
    ) -> None:
        """What runs already: EKS add-ons that work, installs without EKS, the add-on's own workloads."""
        held = await AwsAddons(eks).installed()
        found.works |= {one.name for one in held.items if one.status == "ACTIVE"}
        own = await installs(kube, names_to_look_for())
        found.works |= {name for one in own.found if one.ready and (name := known_as(one.words))}
        found.works_known = held.known and not own.gaps
        found.gaps += [*held.gaps, *own.gaps]
        if obj is None:
            mine = [one for one in own.found if known_as(one.words) == wish.name]
            found.self_managed = mine[0].where if mine else ""
            return
        try:
            workloads = await workloads_of(kube, wish.name, str(at(obj, "status", "namespace") or HOME))
            found.pods = sum(one.wanted for one in workloads)
            found.foreign = await _foreign(kube, workloads)
        except AiopsError as error:
            found.gaps.append(f"workloads of {wish.name}: {error.wire()[:200]}")

    async def _with_schema(self, eks: EksCluster, scene: AddonScene, wish: AddonWish) -> AddonScene:
        """The schema of the version that the change ends with."""
        version = chosen(scene, wish)
        if not version or (scene.offered is not None and not scene.offered.offers(version)):
            return scene
        try:
            told = await eks.call(
                "eks", "describe_addon_configuration", addonName=wish.name, addonVersion=version
            )
        except AiopsError as error:
            said = gap("eks:DescribeAddonConfiguration", error)
            return replace(scene, gaps=(*scene.gaps, said))
        accounts = tuple(
            (str(one.get("serviceAccount")), tuple(map(str, one.get("recommendedManagedPolicies") or ())))
            for one in told.get("podIdentityConfiguration") or ()
            if isinstance(one, Mapping)
        )
        schema = schema_of(str(told.get("configurationSchema") or ""))
        return replace(scene, schema=schema, accounts=accounts)


async def _foreign(kube: Kube, workloads: tuple[Install, ...]) -> tuple[str, ...]:
    """Fields below `spec` that others than EKS and the controllers manage, by managedFields."""
    said: list[str] = []
    for one in workloads[:4]:
        obj = await kube.get(f"apps/v1/{one.kind}", one.namespace, one.name)
        for entry in at(obj, "metadata", "managedFields") or []:
            if not isinstance(entry, Mapping) or entry.get("subresource") == "status":
                continue
            who = str(entry.get("manager") or "")
            spec = (entry.get("fieldsV1") or {}).get("f:spec")
            if who not in _EKS and spec:
                said.append(f"{one.where} {_first(spec)} ({who[:60]})")
    return tuple(said[:_MOST_FIELDS])


def _first(fields: Any) -> str:
    """The path to the first leaf of a managedFields set, as `.spec.replicas`."""
    path = ".spec"
    while isinstance(fields, Mapping):
        inner = {key: value for key, value in fields.items() if key.startswith(("f:", "k:"))}
        if not inner:
            break
        key = sorted(inner)[0]
        path += f".{key[2:]}" if key.startswith("f:") else f"[{key[2:]}]"
        fields = inner[key]
    return path[:160]
