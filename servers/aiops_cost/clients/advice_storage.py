"""Disks that cost more than they need to: old types, nobody's, far too large, and what hangs on nothing.

Only volumes of the cluster are judged: those of its claims, of its instances, and those that carry its tag.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import numpy as np

from aiops_cost.analysis.patches_workload import manifest, written
from aiops_cost.analysis.storage import Disk, gp3_cost, gp3_like, smaller
from aiops_cost.clients.cluster_disks import DEFAULT, EBS, DiskRoom, old_classes, peaks_of, room_of
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_usage import USE_WINDOW
from aiops_cost.models.money import HOURS_PER_MONTH, nano, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError
from aiops_shared.results import Table
from aiops_shared.results.wording import brief, counted

OLD_TYPE, IDLE_IOPS, UNATTACHED = "VOLUME_OLD_TYPE", "VOLUME_IOPS_IDLE", "VOLUME_UNATTACHED"
OVERSIZED, SNAPSHOTS, ADDRESSES = "VOLUME_OVERSIZED", "SNAPSHOTS_OLD", "ADDRESS_UNUSED"
LEAST: Final = nano("0.50")
RESTING_DAYS, OLD_DAYS = 7.0, 365.0
MOST_ROWS: Final = 10
FILLS: Final = "max by (namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes)"


class StorageAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "storage"

    async def advise(self, scene: Scene) -> Advice:
        """Types, sizes and leftovers. Raises what EC2 and the Price List raise."""
        eks, fleet = await scene.eks(), await scene.fleet()
        room = await room_of(scene, eks, fleet)
        warnings = list(room.warnings)
        made = [*_newer(room, await old_classes(scene, warnings)), *_nobodys(room)]
        made += await _idle(eks, scene.now, room, warnings)
        made += await _large(scene, room, warnings)
        made += await _leftovers(scene, eks, room, warnings)
        whole = sum(room.cost(one) for one in room.disks)
        says = f"storage: {counted(len(room.disks), 'volume')} of the cluster, {worded(whole)} a month"
        return Advice(
            recommendations=tuple(one for one in made if one.nano_usd >= LEAST or one.code == SNAPSHOTS),
            says=says,
            warnings=tuple(warnings),
        )


def _newer(room: DiskRoom, classes: Sequence[tuple[str, bool]]) -> list[Recommendation]:
    """gp2 to gp3: no slower, and cheaper for most sizes."""
    rows: list[tuple[str, str, int, float]] = []
    now = then = 0
    for one in room.disks:
        if _is_nobodys(one):
            continue
        made = gp3_like(one) if one.kind == "gp2" and {"gp2", "gp3"} <= set(room.prices) else None
        if made is not None and (saved := room.cost(one) - gp3_cost(made, room.prices)) > 0:
            rows.append((one.volume_id, one.claim or one.name, one.gib, shown(saved)))
            now, then = now + room.cost(one), then + gp3_cost(made, room.prices)
    if not rows:
        return []
    rows.sort(key=lambda row: (-row[3], row[0]))
    gib = sum(row[2] for row in rows)
    default = any(is_default for _, is_default in classes)
    return [
        Recommendation(
            key="storage/gp2",
            code=OLD_TYPE,
            scope="storage",
            target=counted(len(rows), "gp2 volume"),
            current=f"gp2, {gib:,} GiB",
            proposed="gp3 with the same IOPS and throughput (modify-volume, in use)",
            nano_usd=now - then,
            monthly_usd=shown(now - then),
            percent=round(100 * (now - then) / now, 1),
            arithmetic=(
                f"now {gib:,} GiB x {worded(room.prices['gp2'])} = {worded(now)}",
                f"gp3: {gib:,} GiB x {worded(room.prices['gp3'])}, IOPS, throughput = {worded(then)}",
                f"saved {worded(now - then)}",
            ),
            assumptions=("a volume is changed at most once in six hours; it stays in use meanwhile",),
            risk=Risk(level="low", why="slower while it is optimised, up to a day"),
            patch=_gp3_class(default=default) if classes or default else "",
            validated=_class_note(classes),
            alternatives=Table(columns=("volume", "claim", "GiB", "USD/month"), rows=tuple(rows[:MOST_ROWS])),
        )
    ]


def _class_note(classes: Sequence[tuple[str, bool]]) -> str:
    if not classes:
        return "no StorageClass makes gp2 any more: only the volumes there are change"
    names = brief([name for name, _ in classes], 3)
    return f"parameters of a class cannot change: a new class beside {names}, whose default mark is taken off"


def _gp3_class(*, default: bool) -> str:
    made = manifest("StorageClass", "", "gp3")
    made["metadata"]["annotations"] = {DEFAULT: "true"} if default else {}
    return written(
        made
        | {
            "provisioner": EBS[0],
            "parameters": {"type": "gp3"},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
        }
    )


def _nobodys(room: DiskRoom) -> list[Recommendation]:
    """Volumes that hang on nothing and belong to no claim."""
    found = [one for one in room.disks if _is_nobodys(one)]
    cost = sum(room.cost(one) for one in found)
    if not found:
        return []
    rows = sorted(
        ((one.volume_id, one.kind, one.gib, shown(room.cost(one))) for one in found),
        key=lambda row: (-row[3], row[0]),
    )
    return [
        Recommendation(
            key="storage/unattached",
            code=UNATTACHED,
            scope="storage",
            target=counted(len(found), "volume") + " without instance and claim",
            current=f"{sum(one.gib for one in found):,} GiB that nothing uses",
            proposed="snapshot and delete them",
            nano_usd=cost,
            monthly_usd=shown(cost),
            percent=100.0,
            arithmetic=(f"{', '.join(f'{row[0]} ${row[3]:,.2f}' for row in rows[:5])}: {worded(cost)}",),
            assumptions=(
                "the snapshots are not counted: they cost what is stored in them",
                f"older than {RESTING_DAYS:.0f} days; since when they hang on nothing EC2 does not say",
            ),
            risk=Risk(
                level="medium", why="a deleted volume does not come back: look into the snapshot first"
            ),
            patch="".join(f"aws ec2 delete-volume --volume-id {row[0]}\n" for row in rows[:MOST_ROWS]),
            alternatives=Table(columns=("volume", "type", "GiB", "USD/month"), rows=tuple(rows[:MOST_ROWS])),
        )
    ]


def _is_nobodys(one: Disk) -> bool:
    return not one.attached and not one.claim and one.age_days > RESTING_DAYS


async def _idle(eks: EksCluster, now: datetime, room: DiskRoom, warnings: list[str]) -> list[Recommendation]:
    """Provisioned IOPS that nobody uses: what io1 and io2 volumes did at most over two weeks."""
    fast = [one for one in room.disks if one.kind in {"io1", "io2"} and one.attached][:50]
    if not fast:
        return []
    try:
        peaks = await peaks_of(eks, fast, now)
    except AiopsError as error:
        warnings.append(f"coverage_gap: storage: {error.wire()}"[:300])
        return []
    unknown = [one.volume_id for one in fast if one.volume_id not in peaks]
    if unknown:
        warnings.append(f"storage: CloudWatch has no operations of {brief(unknown, 3)}: left alone")
    made = []
    for one in fast:
        like = gp3_like(one, peaks.get(one.volume_id))
        if like is None or (saved := room.cost(one) - gp3_cost(like, room.prices)) <= 0:
            continue
        cost = room.cost(one)
        made.append(
            Recommendation(
                key=f"storage/iops/{one.volume_id}",
                code=IDLE_IOPS,
                scope="storage",
                target=f"{one.kind} volume {one.volume_id}",
                current=f"{one.gib:,} GiB with {one.iops:,} provisioned IOPS",
                proposed=f"gp3 with {like.iops:,} IOPS and {like.mibps} MiB/s",
                nano_usd=saved,
                monthly_usd=shown(saved),
                percent=round(100 * saved / cost, 1),
                arithmetic=(
                    f"busiest five minutes of two weeks: {peaks[one.volume_id]:,.0f} IOPS x 1.25",
                    f"{worded(cost)} now, {worded(gp3_cost(like, room.prices))} then",
                ),
                assumptions=("seconds within five minutes may be busier; latency of gp3 is enough",),
                risk=Risk(level="medium", why="gp3 is less durable and slower than io2: ask its owner"),
                patch=f"aws ec2 modify-volume --volume-id {one.volume_id} --volume-type gp3"
                f" --iops {like.iops} --throughput {like.mibps}\n",
            )
        )
    return made


async def _large(scene: Scene, room: DiskRoom, warnings: list[str]) -> list[Recommendation]:
    """Claims that hold far less than they have, where the kubelet's own figures are scraped."""
    from aiops_shared.metrics.series import Window

    claimed = {one.claim: one for one in room.disks if one.claim}
    try:
        backend = await scene.once("metrics", lambda: scene.sources.metrics.open(scene.ask.cluster))
        if not claimed or backend.name not in {"prometheus", "amp"}:
            return []
        answer = await backend.range(FILLS, Window.over(scene.now - USE_WINDOW, scene.now, 3600))
    except AiopsError as error:
        warnings.append(f"coverage_gap: storage: how full volumes are: {error.wire()}"[:300])
        return []
    made = []
    for series in answer.series:
        name = f"{series.labels.get('namespace', '')}/{series.labels.get('persistentvolumeclaim', '')}"
        disk = claimed.get(name)
        if disk is None or series.window.span_s * (1 - series.missing) < 7 * 86_400:
            continue
        held = float(np.nanmax(series.values))
        gib = smaller(disk, held)
        if gib is not None:
            made.append(_shrunk(room, disk, held, gib))
    return made


def _shrunk(room: DiskRoom, disk: Disk, held: float, gib: int) -> Recommendation:
    saved = room.cost(disk) - room.cost(replace(disk, gib=gib))
    return Recommendation(
        key=f"storage/size/{disk.claim}",
        code=OVERSIZED,
        scope="storage",
        target=f"PersistentVolumeClaim {disk.claim}",
        current=f"{disk.gib:,} GiB {disk.kind}",
        proposed=f"{gib:,} GiB",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=round(100 * saved / room.cost(disk), 1) if room.cost(disk) else None,
        arithmetic=(
            f"held {held / 2**30:,.1f} GiB at most in two weeks x 1.5 -> {gib:,} GiB",
            f"{disk.gib - gib:,} GiB x {worded(room.prices[disk.kind])} = {worded(saved)}",
        ),
        assumptions=("volumes do not shrink: a new claim is made and the data copied", "it does not grow"),
        risk=Risk(level="high", why="data is moved; a volume that runs full stops its writer"),
        excludes=("storage/gp2",) if disk.kind == "gp2" else (),
    )


async def _leftovers(
    scene: Scene, eks: EksCluster, room: DiskRoom, warnings: list[str]
) -> list[Recommendation]:
    """Addresses that nothing holds, and snapshots of volumes that are gone."""
    made: list[Recommendation] = []
    try:
        rows = (await eks.call("ec2", "describe_addresses")).get("Addresses") or []
        loose = [str(one.get("PublicIp")) for one in rows if not one.get("AssociationId")]
        if loose:
            hour = (await scene.prices.other("public_ipv4", await scene.region())).nano_usd
            made.append(_addresses(loose, hour))
        made += _old_snapshots(
            (await eks.every("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"])).items,
            eks.name,
            scene,
        )
    except AiopsError as error:
        warnings.append(f"coverage_gap: storage: {error.wire()}"[:300])
    return made


def _addresses(loose: Sequence[str], hour: int) -> Recommendation:
    saved = len(loose) * hour * HOURS_PER_MONTH
    return Recommendation(
        key="storage/addresses",
        code=ADDRESSES,
        scope="storage",
        target=counted(len(loose), "elastic address", "elastic addresses") + " that nothing holds",
        current=brief(loose, 3),
        proposed="release them",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=100.0,
        arithmetic=(f"{len(loose)} x {worded(hour * HOURS_PER_MONTH)} a month = {worded(saved)}",),
        assumptions=("the whole region's, not the cluster's alone",),
        risk=Risk(level="medium", why="an address that others have on their allow-lists is lost"),
    )


def _old_snapshots(rows: Sequence[Any], cluster: str, scene: Scene) -> list[Recommendation]:
    """Told without an amount: EC2 says the volume's size, not what a snapshot stores."""
    old = [
        row
        for row in rows
        if (scene.now - row["StartTime"]).total_seconds() > OLD_DAYS * 86_400
        and any(f"kubernetes.io/cluster/{cluster}" == tag.get("Key") for tag in row.get("Tags") or ())
    ]
    if not old:
        return []
    gib = sum(int(row.get("VolumeSize") or 0) for row in old)
    return [
        Recommendation(
            key="storage/snapshots",
            code=SNAPSHOTS,
            scope="storage",
            target=f"{counted(len(old), 'snapshot')} older than a year",
            current=f"of volumes of {gib:,} GiB together",
            proposed="delete what no rule keeps, or move it to the archive tier",
            arithmetic=("EC2 does not say what a snapshot stores: no amount is promised",),
            risk=Risk(level="medium", why="they may be the only copy"),
        )
    ]
