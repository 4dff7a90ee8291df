"""What a change of an add-on reasons from: the wish, and what stands around the add-on.

Rows S13 and S16. Pure; gathered by `clients.addon_surroundings`, used by the planner, by its words and by the
hand that measures again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aiops_eks.models.addon_roles import CORE, ROLES
from aiops_eks.models.aws_addons import CatalogueAddon
from aiops_eks.models.changes import Resolve
from aiops_eks.planning.drafts import Around, Obj, at
from aiops_shared.guardrails.models import ActionName, Environment, Facts, ObjectRef, Reversible
from aiops_shared.results import Frozen

API = "eks.amazonaws.com/v1"
BUSY = frozenset({"CREATING", "UPDATING", "DELETING"})
MOST_NAMED = 6
# Add-ons that ask for another one first, each on its own page of the user guide or of its project.
NEEDS = {
    "adot": ("cert-manager",),
    "aws-privateca-connector-for-kubernetes": ("cert-manager",),
    "amazon-sagemaker-hyperpod-training-operator": ("cert-manager",),
}
TOOK_OVER = "eks-aiops-took-over"  # tag: what ran before was overwritten, so an undo leaves what runs


class AddonWish(Frozen):
    """The arguments of plan_addon_change."""

    action: Literal["create", "update", "delete"]
    name: str
    version: str = ""
    configuration: str | None = None  # None: as it is; "" or {}: the add-on's defaults
    resolve: Resolve | None = None
    role: str = ""
    service_account: str = ""
    preserve: bool | None = None

    @property
    def policy_action(self) -> ActionName:
        """The action as the policy knows it."""
        names: dict[str, ActionName] = {
            "create": "addon_create",
            "update": "addon_update",
            "delete": "addon_delete",
        }
        return names[self.action]


@dataclass(frozen=True, slots=True)
class AddonScene:
    """What a plan reasons from."""

    ref: ObjectRef
    now: datetime
    kubernetes: str
    obj: Obj | None  # the add-on as its reader gives it
    offered: CatalogueAddon | None = None  # for the cluster's version; without versions: none fits
    offers_known: bool = True
    schema: Any = None  # of the version's configuration; None: not known
    accounts: tuple[tuple[str, tuple[str, ...]], ...] = ()  # ServiceAccount -> policies it is to have
    self_managed: str = ""  # `Deployment cert-manager/cert-manager`, that does its work without EKS
    foreign: tuple[str, ...] = ()  # fields of its workloads that others manage
    works: frozenset[str] = frozenset()  # what runs already, as an EKS add-on or by itself
    works_known: bool = True
    pods: int = 0
    environment: Environment = "prod"
    gaps: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """What is asked of EKS now."""
        return str(at(self.obj, "spec", "version") or "")


def chosen(scene: AddonScene, wish: AddonWish) -> str:
    """The version that the change ends with: as asked, as it is, or EKS's default."""
    if wish.version:
        return wish.version
    if wish.action == "update" and (wish.configuration is not None or wish.role):
        return scene.version
    if scene.offered is None:
        return scene.version
    newer = scene.offered.newer_than(scene.version) if scene.version else ()
    if not scene.version or scene.offered.default in newer:
        return scene.offered.default
    return newer[0] if newer else scene.version


def compatible(scene: AddonScene, wish: AddonWish) -> bool:
    """Whether EKS offers the version for the cluster's Kubernetes; False where that is not known."""
    return scene.offered is not None and scene.offered.offers(chosen(scene, wish))


def compatible_list(scene: AddonScene) -> str:
    """The versions that fit, newest first, for a refusal."""
    if not scene.offers_known:
        return "which versions fit could not be asked: " + "; ".join(scene.gaps[:2])
    versions = [one.version for one in scene.offered.versions] if scene.offered else []
    if not versions:
        return f"no version fits Kubernetes {scene.kubernetes}"
    rest = f" and {len(versions) - MOST_NAMED} more" if len(versions) > MOST_NAMED else ""
    return f"compatible with Kubernetes {scene.kubernetes}: {', '.join(versions[:MOST_NAMED])}{rest}"


def measure(scene: AddonScene, wish: AddonWish, reversible: Reversible) -> Facts:
    """What the policy judges by."""
    return Facts(
        env=scene.environment,
        addon_compatible=wish.action == "delete" or compatible(scene, wish),
        affected_pods=at_once(scene, wish),
        total_pods=scene.pods,
        reversible=reversible,
    )


def at_once(scene: AddonScene, wish: AddonWish) -> int:
    """Pods disrupted at the same time."""
    if wish.action == "delete":
        return 0 if preserves(wish) else scene.pods
    return min(scene.pods, 1)


def preserves(wish: AddonWish) -> bool:
    """Whether a delete leaves what runs; without a word so for what no cluster works without."""
    return is_core(wish.name) if wish.preserve is None else wish.preserve


def is_core(name: str) -> bool:
    """Whether a cluster does not work without it."""
    return name in ROLES and ROLES[name].weight == CORE


def around_of(scene: AddonScene) -> Around:
    """The scene as every other plan's judgement takes it; no budget holds what EKS replaces."""
    return Around(ref=scene.ref, now=scene.now, obj=scene.obj, pdbs=(), gaps=scene.gaps)
