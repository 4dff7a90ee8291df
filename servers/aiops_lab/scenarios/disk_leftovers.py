"""Volumes that cost more than they need to: gp2, far too large, and what a deleted StatefulSet left behind.

Look-alikes: a gp3 volume, another cluster's, one that was made yesterday, one that is well filled.
`leftovers(names)` says what a right answer is.
"""

from dataclasses import dataclass, replace
from random import Random

from aiops_lab.aws.ec2_storage import Spare, SpareSnapshot, SpareVolume
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.telemetry.facts import GI, function
from aiops_lab.telemetry.signals import Signal

HOME = "production"
DAY_S = 86_400.0
SINCE_S = 25 * DAY_S


@dataclass(frozen=True, slots=True)
class Leftovers:
    """GiB by what is wrong with them; `claim` is the one that is far too large."""

    old: tuple[int, ...]
    nobodys: tuple[int, ...]
    claim: str
    claim_gib: int
    held_gib: float
    addresses: int


def leftovers(names: Names) -> Leftovers:
    """The story of one cast."""
    rng = Random(f"leftovers/{names.seed}")
    old = tuple(rng.choice((20, 100, 250, 600, 1500)) for _ in range(rng.randint(3, 6)))
    nobodys = tuple(rng.randrange(20, 400, 10) for _ in range(rng.randint(1, 4)))
    return Leftovers(old, nobodys, f"data-{names.others[-1]}-0", 500, rng.uniform(20, 60), rng.randint(1, 3))


def _build(stage: Stage, names: Names, rng: Random) -> None:
    told, owned = leftovers(names), ((f"kubernetes.io/cluster/{stage.aws.cluster}", "owned"),)

    def made(kind: str, gib: int) -> SpareVolume:
        name = f"vol-0{rng.getrandbits(64):016x}"
        return SpareVolume(name, kind, gib, instance="i-0aaaaaaaaaaaaaaaa", tags=owned)

    large = made("gp3", told.claim_gib)
    filled = made("gp3", 100)
    stage.aws.area(Spare).volumes = (
        *(made("gp2", gib) for gib in told.old),
        *(replace(made("gp3", gib), instance="") for gib in told.nobodys),
        large,
        filled,
        replace(made("gp2", 300), tags=(("kubernetes.io/cluster/another", "owned"),)),
        replace(made("gp3", 80), instance="", age_days=1.0),
    )
    stage.aws.area(Spare).addresses = tuple(
        (f"eipalloc-0{place}", f"203.0.113.{place + 1}") for place in range(told.addresses)
    )
    stage.aws.area(Spare).snapshots = (SpareSnapshot("snap-0old", "vol-0gone", 40, 500.0, owned),)
    for name, volume, held in (
        (told.claim, large, told.held_gib),
        (f"data-{names.others[-2]}-0", filled, 70.0),
    ):
        stage.put_at(SINCE_S, *_claimed(name, volume))
        place = {"namespace": HOME, "persistentvolumeclaim": name}
        stage.telemetry.signals.add(
            Signal("kubelet_volume_stats_used_bytes", place, function(held * GI), "gauge")
        )


def _claimed(name: str, volume: SpareVolume) -> list[Obj]:
    size = f"{volume.gib}Gi"
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"pv-{name}"},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "gp3",
                "claimRef": {"kind": "PersistentVolumeClaim", "namespace": HOME, "name": name},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": volume.volume_id, "fsType": "ext4"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": HOME},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "gp3",
                "volumeName": f"pv-{name}",
                "resources": {"requests": {"storage": size}},
            },
        },
    ]


SCENARIOS = (
    Scenario(
        "disk-leftovers",
        "Disks that cost more than they need to",
        "gp2 volumes, volumes that nothing uses, and a claim that is filled to a tenth.",
        "S83",
        _build,
        lead_s=SINCE_S + 600,
    ),
)
