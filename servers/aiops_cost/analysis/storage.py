"""What a volume costs, what it would cost as gp3, and which ones nobody uses.

Limits of volume types: EBS user guide, "General Purpose SSD volumes" (gp2: 3 IOPS a GiB, 100 to 16,000,
128 MiB/s up to 170 GiB and 250 MiB/s above; gp3: 3,000 IOPS and 125 MiB/s with it, the rest is paid for).
Prices are billionths; those of IOPS and throughput are for one a month. Called by the adviser of storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

GP3_IOPS, GP3_MIBPS = 3000, 125
GP3_MOST_IOPS, GP3_MOST_MIBPS = 16_000, 1000
PEAK: Final = 1.25  # room above the highest operations of an hour's busiest minutes
FILLED: Final = 0.4  # of its size: below it a volume is far too large
ROOM: Final = 1.5  # of the highest fill, for the smaller one
GRAIN_GIB: Final = 10


@dataclass(frozen=True, slots=True)
class Disk:
    """An EBS volume. `iops`, `mibps`: provisioned, 0 where its type has none."""

    volume_id: str
    kind: str
    gib: int
    iops: int = 0
    mibps: int = 0
    attached: bool = True
    age_days: float = 0.0
    claim: str = ""  # namespace/name, where a PersistentVolume is bound to it
    name: str = ""


@dataclass(frozen=True, slots=True)
class Gp3:
    """A gp3 volume that does what another one does."""

    gib: int
    iops: int
    mibps: int


def gp3_like(disk: Disk, peak_iops: float | None = None) -> Gp3 | None:
    """A gp3 volume no slower than this gp2 (up to 170 GiB 125 for 128 MiB/s); for io1 and io2 one that
    carries its measured peak. None for other types, and where gp3 cannot do it.
    """
    if disk.kind == "gp2":
        iops = max(GP3_IOPS, min(GP3_MOST_IOPS, 3 * disk.gib))
        return Gp3(disk.gib, iops, 250 if disk.gib > 170 else GP3_MIBPS)
    if disk.kind in {"io1", "io2"} and peak_iops is not None:
        iops = max(GP3_IOPS, ceil(peak_iops * PEAK / 100) * 100)
        return Gp3(disk.gib, iops, 250) if iops <= GP3_MOST_IOPS else None
    return None


def disk_cost(disk: Disk, prices: Mapping[str, int]) -> int:
    """A month of it, billionths. Raises KeyError for a type without a price."""
    cost = disk.gib * prices[disk.kind]
    if disk.kind == "gp3":
        return cost + _beyond(disk.iops, disk.mibps, prices)
    if disk.kind in {"io1", "io2"}:
        return cost + disk.iops * prices[f"{disk.kind}_iops"]
    return cost


def gp3_cost(made: Gp3, prices: Mapping[str, int]) -> int:
    """A month of it, billionths."""
    return made.gib * prices["gp3"] + _beyond(made.iops, made.mibps, prices)


def _beyond(iops: int, mibps: int, prices: Mapping[str, int]) -> int:
    """What is paid for above the first 3,000 IOPS and 125 MiB/s; throughput is priced by the GiB/s."""
    more = max(0, iops - GP3_IOPS) * prices["gp3_iops"]
    return more + round(max(0, mibps - GP3_MIBPS) * prices["gp3_throughput"] / 1024)


def smaller(disk: Disk, filled_bytes: float) -> int | None:
    """GiB that would do for what it held at most; None where it is filled well enough."""
    held = filled_bytes / 2**30
    if held > FILLED * disk.gib:
        return None
    wanted = max(GRAIN_GIB, ceil(held * ROOM / GRAIN_GIB) * GRAIN_GIB)
    return wanted if wanted < disk.gib else None
