"""F13, F18 (levels 0 to 2) and F-b8: stories that AWS knows of and the workloads hardly feel.

What is installed, offered, degraded and lacking in EKS; the capabilities of a mature cluster; a control plane
whose database fills up. Each seed draws other versions, other extras and other decoys; `inventory_of` and its
kin say what a right answer names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from aiops_lab.aws.account import CLUSTER, InstalledAddon
from aiops_lab.aws.container_insights import ContainerInsights
from aiops_lab.aws.eks_state import Capability, EksState, Update
from aiops_lab.kube.control_metrics import GIB, ControlPlaneMeter
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.maturity_watch import alarmed
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, env, namespace, template

DAY_S = 86_400.0
HOME = "production"
# In EKS's words (user guide, "Troubleshoot add-ons").
TOO_FEW = "The add-on is unhealthy because it doesn't have the desired number of replicas."
_OLDER = {
    "vpc-cni": ("v1.19.0-eksbuild.1", "v1.20.1-eksbuild.1"),
    "aws-ebs-csi-driver": ("v1.52.1-eksbuild.1", "v1.48.0-eksbuild.1", "v1.45.0-eksbuild.2"),
}
_NOW = {"coredns": "v1.12.4-eksbuild.1", "kube-proxy": "v1.35.0-eksbuild.2"}
_EXTRAS = {
    "snapshot-controller": "v8.5.0-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.2",
    "aws-efs-csi-driver": "v2.3.0-eksbuild.1",
    "aws-guardduty-agent": "v1.12.1-eksbuild.2",
}
_CHARTS = ("kube-state-metrics", "cert-manager", "external-dns")


@dataclass(frozen=True, slots=True)
class Inventory:
    """What stands in the account: EKS add-ons with version and status, and charts beside them."""

    installed: Mapping[str, tuple[str, str]]
    behind: frozenset[str]
    charts: tuple[str, ...] = ()
    failed_update: str = ""


def inventory_of(names: Names) -> Inventory:
    """F13 of one seed; seed 0 is the page's, letter by letter."""
    rng = Random(f"inventory/{names.seed}")
    chosen = {name: versions[0] for name, versions in _OLDER.items()}
    extras: list[str] = []
    charts: tuple[str, ...] = ()
    if names.seed:
        chosen = {name: rng.choice(versions) for name, versions in _OLDER.items()}
        extras = rng.sample(sorted(_EXTRAS), rng.randint(1, 3))
        charts = tuple(rng.sample(_CHARTS, rng.randint(1, 2)))
    versions = chosen | _NOW | {name: _EXTRAS[name] for name in extras}
    installed = {
        name: (version, "DEGRADED" if name == "coredns" else "ACTIVE") for name, version in versions.items()
    }
    newest = {"vpc-cni": "v1.20.4-eksbuild.2", "aws-ebs-csi-driver": "v1.52.1-eksbuild.1"}
    behind = frozenset(name for name, version in newest.items() if versions[name] != version)
    return Inventory(installed, behind, charts, "coredns" if rng.random() < 0.7 else "")


def _inventory(stage: Stage, names: Names, rng: Random) -> None:
    held = inventory_of(names)
    stage.aws.area(ContainerInsights).own_agent = False
    issue = (("InsufficientNumberOfReplicas", TOO_FEW),)
    stage.aws.addons = {
        name: InstalledAddon(name, version, status, issue if status == "DEGRADED" else ())
        for name, (version, status) in held.installed.items()
    }
    started = stage.aws.started_at
    updates = [
        Update(f"old-{name}", "AddonUpdate", started - timedelta(days=rng.uniform(9, 90)), addon=name)
        for name in held.installed
    ]
    if held.failed_update:
        error = ("InsufficientNumberOfReplicas", TOO_FEW, (held.failed_update,))
        params = (("AddonVersion", held.installed[held.failed_update][0]),)
        since = started - timedelta(minutes=rng.uniform(20, 300))
        updates.append(
            Update(
                f"failed-{held.failed_update}",
                "AddonUpdate",
                since,
                "Failed",
                addon=held.failed_update,
                params=params,
                errors=(error,),
            )
        )
    stage.aws.area(EksState).updates = {one.update_id: one for one in updates}
    for name in held.charts:
        _chart(stage, name, rng.uniform(2, 60) * DAY_S)


def _chart(stage: Stage, name: str, before_s: float) -> None:
    """A Deployment as Helm installs it: the chart's name stands in the label, the release's in the name."""
    image = stage.publish(f"registry.k8s.io/{name}/{name}:v2.3.1", Image(serving(name)))
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm", "app": f"ops-{name}"}
    made = deployment(name, f"ops-{name}", 1, template(labels, [container(name, image)]))
    stage.put_at(before_s, namespace(name), made)


CORE = {"vpc-cni": "v1.20.4-eksbuild.2", **_NOW}
OBSERVED = {
    "adot": "v0.141.0-eksbuild.1",
    "amazon-cloudwatch-observability": "v4.10.1-eksbuild.1",
    "eks-node-monitoring-agent": "v1.5.2-eksbuild.1",
    "cert-manager": "v1.19.1-eksbuild.1",
}
_CRDS = {
    "applications.argoproj.io": "Application",
    "fieldexports.services.k8s.aws": "FieldExport",
    "buckets.s3.services.k8s.aws": "Bucket",
    "metricalarms.cloudwatch.services.k8s.aws": "MetricAlarm",
    "resourcegraphdefinitions.kro.run": "ResourceGraphDefinition",
}


def _definition(name: str, kind: str) -> Obj:
    plural, _, group = name.partition(".")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "listKind": f"{kind}List",
            },
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


def _ill_addon(name: str) -> tuple[Expected, ...]:
    return (Expected("ADDON_DEGRADED", "Addon", "", name, "Addon", name),)


def _installed(stage: Stage, addons: Mapping[str, str], ill: str = "") -> None:
    issue = (("InsufficientNumberOfReplicas", TOO_FEW),)
    stage.aws.area(ContainerInsights).own_agent = False
    stage.aws.addons = {
        name: InstalledAddon(name, version, *(("DEGRADED", issue) if name == ill else ()))
        for name, version in addons.items()
    }


def _level_0(stage: Stage, names: Names, rng: Random) -> None:
    del names
    _installed(stage, CORE)
    _chart(stage, "kagent", rng.uniform(2, 20) * DAY_S)  # an agent on top does not make it mature


def _level_1(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    _installed(stage, CORE | OBSERVED)
    alarmed(stage, names)


def _level_1_ill(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    _installed(stage, CORE | OBSERVED, ill=ill_of(names))
    alarmed(stage, names)


def ill_of(names: Names) -> str:
    """The observability add-on of one seed that does not work."""
    return Random(f"ill/{names.seed}").choice(sorted(set(OBSERVED) - {"cert-manager"}))


def level_2(stage: Stage, names: Names, rng: Random) -> None:
    """A cluster with Argo CD, ACK and KRO, four fifths of whose Deployments stand in git."""
    _installed(stage, CORE | OBSERVED)
    alarmed(stage, names)
    held = (
        Capability("gitops", "ARGOCD", namespace="argocd", server_url="https://argocd.example.com"),
        Capability("aws-controllers", "ACK"),
        Capability("composition", "KRO"),
    )
    stage.aws.area(EksState).capabilities = {one.name: one for one in held}
    since = rng.uniform(20, 80) * DAY_S
    stage.put_at(since, namespace("argocd"), *(_definition(*each) for each in _CRDS.items()))
    # Ten Deployments are the furniture's: four times as many make 80 %.
    for number in range(40):
        name = f"{names.others[number % len(names.others)]}-{number}"
        image = names.image(name, "1.0.0")
        stage.publish(image, Image(serving("app")))
        stage.put_at(since - 600 - number, deployment("dev", name, 0, _tracked(name, image)))
        stage.put_at(since - 900 - number, _application(name, "dev"))


def _tracked(name: str, image: str) -> Obj:
    return template({"app": name}, [container("app", image, env=env(LEVEL="info"))])


def _application(name: str, home: str) -> Obj:
    resource = {
        "group": "apps",
        "kind": "Deployment",
        "namespace": home,
        "name": name,
        "status": "Synced",
        "health": {"status": "Healthy"},
        "version": "v1",
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://git.example.com/shop.git", "path": name, "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": home},
        },
        "status": {
            "sync": {"status": "Synced", "revision": "0" * 40},
            "health": {"status": "Healthy"},
            "resources": [resource],
        },
    }


@dataclass(frozen=True, slots=True)
class Filling:
    """F-b8 of one seed: how full the database is and what fills it."""

    database_gb: float
    most: str
    objects: Mapping[str, int] = field(default_factory=dict)


def filling_of(names: Names) -> Filling:
    """F-b8 of one seed; seed 0 is 7.5 of 8 GB."""
    rng = Random(f"filling/{names.seed}")
    most, second = rng.sample(("configmaps", "secrets", "events", "replicasets.apps"), 2)
    if names.seed == 0:
        most, second = "configmaps", "secrets"
    size = 7.5 if names.seed == 0 else round(rng.uniform(7.3, 7.8), 1)
    count = rng.randint(30_000, 90_000)
    return Filling(size, most, {most: count, second: count // rng.randint(2, 4)})


def _filling(stage: Stage, names: Names, rng: Random) -> None:
    told = filling_of(names)
    meter = stage.aws.area(ControlPlaneMeter)
    meter.database_bytes = int(told.database_gb * GIB)
    meter.objects = dict(told.objects)
    meter.p99_s["LIST"] = rng.uniform(2, 9)
    for number in range(6):
        left_over = config_map(HOME, f"{names.others[0]}-build-{number}", {"log": "x" * 200})
        stage.put_at(rng.uniform(1, 40) * DAY_S, left_over)
    # Nothing runs that reads this one, and it is in use all the same.
    name = f"{names.others[0]}-asleep"
    image = stage.publish(names.image(name, "1.0.0"), Image(serving("app")))
    reads = [{"configMapRef": {"name": f"{name}-settings"}}]
    pod = template({"app": name}, [container("app", image, envFrom=reads)])
    stage.put_at(
        3 * DAY_S, config_map(HOME, f"{name}-settings", {"MODE": "batch"}), deployment(HOME, name, 0, pod)
    )


SCENARIOS = (
    Scenario(
        "addon-inventory",
        "Add-ons behind, degraded and missing",
        "A CNI with an update, a CoreDNS that EKS calls DEGRADED, the starters of observability missing, and "
        "charts that do an add-on's work without EKS.",
        "F13",
        _inventory,
        lambda names: _ill_addon("coredns"),
        lead_s=70 * DAY_S,
    ),
    Scenario(
        "maturity-0",
        "A bare cluster",
        "Networking add-ons only; an agent installed on top makes it no more mature.",
        "F18",
        _level_0,
        lead_s=30 * DAY_S,
    ),
    Scenario(
        "maturity-1",
        "A cluster that is observed",
        "Observability add-ons are ACTIVE, twelve alarms stand.",
        "F18",
        _level_1,
    ),
    Scenario(
        "maturity-1-degraded",
        "Observability that is installed and does not work",
        "One of its add-ons is DEGRADED: present does not count.",
        "F18",
        _level_1_ill,
        lambda names: _ill_addon(ill_of(names)),
    ),
    Scenario(
        "maturity-2",
        "A cluster with Argo CD, ACK and KRO",
        "EKS Capabilities are ACTIVE and most Deployments belong to Argo CD.",
        "F18",
        level_2,
        lead_s=90 * DAY_S,
    ),
    Scenario(
        "etcd-near-quota",
        "The control plane's database is nearly full",
        "7.5 of 8 GB, mostly of one kind; lists are slow.",
        "F-b8",
        _filling,
        lambda names: (Expected("ETCD_NEAR_QUOTA", "Cluster", "", CLUSTER, "Cluster", CLUSTER),),
        lead_s=45 * DAY_S,
    ),
)
