"""The cluster's EBS volumes, what they cost, what they do at most, and which classes make old ones.

Called by the adviser of storage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiops_cost.analysis.fleet import Fleet
from aiops_cost.analysis.storage import Disk, disk_cost
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_usage import USE_WINDOW
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError
from aiops_shared.kube.shapes import mapping, meta, text

MOST_VOLUMES: Final = 5000
PRICES: Final = (
    "gp2",
    "gp3",
    "io1",
    "io2",
    "st1",
    "sc1",
    "gp3_iops",
    "gp3_throughput",
    "io1_iops",
    "io2_iops",
)
PERIOD_S: Final = 300
DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
EBS: Final = ("ebs.csi.aws.com", "kubernetes.io/aws-ebs")


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """The cluster's disks and what things cost, with what could not be read."""

    disks: tuple[Disk, ...]
    prices: Mapping[str, int]
    warnings: tuple[str, ...]

    def cost(self, disk: Disk) -> int:
        """A month of it; 0 where its type has no known price."""
        try:
            return disk_cost(disk, self.prices)
        except KeyError:
            return 0


async def room_of(scene: Scene, eks: EksCluster, fleet: Fleet) -> DiskRoom:
    """The cluster's disks and their prices. Raises what EC2 and the Price List raise."""
    found = await eks.every("ec2", "describe_volumes", "Volumes", at_most=MOST_VOLUMES)
    disks = tuple(_own(found.items, eks.name, fleet, scene.now))
    region, warnings, prices = await scene.region(), list[str](), dict[str, int]()
    if found.truncated:
        warnings.append(f"storage: only the first {MOST_VOLUMES} volumes were read")
    for kind in PRICES if disks else ():
        try:
            prices[kind] = (await scene.prices.other(kind, region)).nano_usd
        except AiopsError as error:
            if error.code != "not_found":
                raise
            warnings.append(f"coverage_gap: storage: {error.wire()}"[:200])
    return DiskRoom(disks, prices, tuple(warnings))


def _own(rows: Sequence[Any], cluster: str, fleet: Fleet, now: datetime) -> list[Disk]:
    """The cluster's volumes: of its claims, of its instances, or with its tag."""
    claims = {one.volume_id: f"{one.namespace}/{one.claim}" for one in fleet.volumes if one.claim}
    known = {one.volume_id for one in fleet.volumes}
    instances = {one.instance_id for one in fleet.nodes if one.instance_id}
    made = []
    for row in rows:
        tags = {str(tag.get("Key")): str(tag.get("Value")) for tag in row.get("Tags") or ()}
        held = {str(one.get("InstanceId")) for one in row.get("Attachments") or ()}
        name = str(row.get("VolumeId"))
        if name in known or held & instances or f"kubernetes.io/cluster/{cluster}" in tags:
            born = row.get("CreateTime")
            made.append(
                Disk(
                    volume_id=name,
                    kind=str(row.get("VolumeType")),
                    gib=int(row.get("Size") or 0),
                    iops=int(row.get("Iops") or 0),
                    mibps=int(row.get("Throughput") or 0),
                    attached=bool(held),
                    age_days=(now - born).total_seconds() / 86_400 if isinstance(born, datetime) else 0.0,
                    claim=claims.get(name, ""),
                    name=tags.get("kubernetes.io/created-for/pvc/name", ""),
                )
            )
    return made


async def old_classes(scene: Scene, warnings: list[str]) -> list[tuple[str, bool]]:
    """StorageClasses that make gp2 volumes, and whether one is the default."""
    kube = await scene.kube()
    try:
        found = [one async for one in kube.every("storageclasses.storage.k8s.io")]
    except AiopsError as error:
        warnings.append(f"coverage_gap: storage: {error.wire()}"[:300])
        return []
    return [
        (text(meta(one).get("name")), mapping(meta(one).get("annotations")).get(DEFAULT) == "true")
        for one in found
        if text(one.get("provisioner")) in EBS
        and text(mapping(one.get("parameters")).get("type")) in ({"gp2", ""} if _old(one) else {"gp2"})
    ]


def _old(one: Mapping[str, Any]) -> bool:
    """The in-tree provisioner makes gp2 where nothing is said, the CSI driver gp3."""
    return text(one.get("provisioner")) == EBS[1]


async def peaks_of(eks: EksCluster, disks: Sequence[Disk], now: datetime) -> dict[str, float]:
    """The most operations a second of five minutes, by volume; absent where CloudWatch has none."""
    end = int(now.timestamp()) // PERIOD_S * PERIOD_S
    queries = [
        {
            "Id": f"{short}{place}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/EBS",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "VolumeId", "Value": one.volume_id}],
                },
                "Period": PERIOD_S,
                "Stat": "Sum",
            },
        }
        for place, one in enumerate(disks)
        for short, metric in (("r", "VolumeReadOps"), ("w", "VolumeWriteOps"))
    ]
    sums: dict[str, dict[float, float]] = {}
    token: str | None = None
    while True:
        answer = await eks.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=queries,
            StartTime=end - int(USE_WINDOW / timedelta(seconds=1)),
            EndTime=end,
            **({"NextToken": token} if token else {}),
        )
        for one in answer.get("MetricDataResults") or ():
            held = sums.setdefault(disks[int(str(one["Id"])[1:])].volume_id, {})
            for at, value in zip(one.get("Timestamps") or (), one.get("Values") or (), strict=False):
                held[at.timestamp()] = held.get(at.timestamp(), 0.0) + float(value)
        token = answer.get("NextToken")
        if not token:
            return {name: max(held.values()) / PERIOD_S for name, held in sums.items() if held}
