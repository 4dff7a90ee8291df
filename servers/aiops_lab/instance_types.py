"""What EC2 instance types are, as far as the suite asks: size, processor, and addresses they can hold.

Network limits: amazon-vpc-cni-k8s `pkg/vpc/vpc_ip_resource_limit.go`, which AWS generates from
DescribeInstanceTypes; see also the EC2 guide, "IP addresses per network interface per instance type".
What they cost is `billing/price_table.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type; addresses per interface count the interface's own."""

    name: str
    cpus: int
    memory_gib: float
    interfaces: int
    addresses: int
    hypervisor: str = "nitro"
    arm: bool = False
    gpus: int = 0

    @property
    def family(self) -> str:
        """`m5` of m5.xlarge."""
        return self.name.partition(".")[0]


_LIMITS: dict[str, tuple[int, int, int]] = {  # CPUs, interfaces, addresses of each
    "medium": (1, 2, 4),
    "large": (2, 3, 10),
    "xlarge": (4, 4, 15),
    "2xlarge": (8, 4, 15),
    "4xlarge": (16, 8, 30),
    "8xlarge": (32, 8, 30),
    "9xlarge": (36, 8, 30),
    "12xlarge": (48, 8, 30),
    "16xlarge": (64, 15, 50),
    "18xlarge": (72, 15, 50),
    "24xlarge": (96, 15, 50),
    "32xlarge": (128, 15, 50),
}
_SMALL = ("large", "xlarge", "2xlarge", "4xlarge")
_SIZES: dict[str, tuple[str, ...]] = {  # by generation
    "5": (*_SMALL, "8xlarge", "12xlarge", "16xlarge", "24xlarge"),
    "6i": (*_SMALL, "8xlarge", "12xlarge", "16xlarge", "24xlarge", "32xlarge"),
    "7i": (*_SMALL, "8xlarge", "12xlarge", "16xlarge", "24xlarge"),
    "6g": ("medium", *_SMALL, "8xlarge", "12xlarge", "16xlarge"),
    "7g": ("medium", *_SMALL, "8xlarge", "12xlarge", "16xlarge"),
}
_C5 = (*_SMALL, "9xlarge", "12xlarge", "18xlarge", "24xlarge")
_GIB_PER_CPU = {"c": 2, "m": 4, "r": 8}


def _families() -> Iterator[InstanceType]:
    for letter, gib in _GIB_PER_CPU.items():
        for generation, sizes in _SIZES.items():
            for size in _C5 if letter + generation == "c5" else sizes:
                cpus, interfaces, addresses = _LIMITS[size]
                name = f"{letter}{generation}.{size}"
                yield InstanceType(
                    name, cpus, cpus * gib, interfaces, addresses, arm=generation.endswith("g")
                )


def _burstable(family: str, *, arm: bool) -> Iterator[InstanceType]:
    for size, memory, interfaces, addresses in (
        ("small", 2, 3, 4),
        ("medium", 4, 3, 6),
        ("large", 8, 3, 12),
    ):
        yield InstanceType(f"{family}.{size}", 2, memory, interfaces, addresses, arm=arm)
    yield InstanceType(f"{family}.xlarge", 4, 16, 4, 15, arm=arm)


TYPES: dict[str, InstanceType] = {
    one.name: one
    for one in (
        *_burstable("t3", arm=False),
        *_burstable("t4g", arm=True),
        InstanceType("m4.large", 2, 8, 2, 10, "xen"),
        InstanceType("c4.large", 2, 3.75, 3, 10, "xen"),
        InstanceType("g5.xlarge", 4, 16, 4, 15, gpus=1),
        *_families(),
    )
}
UNKNOWN = TYPES["m5.xlarge"]  # what a node of a type that is not listed here can hold
