"""What EC2 instance types are, as far as the suite asks: size, and how many addresses they can hold.

Network limits: amazon-vpc-cni-k8s `pkg/vpc/vpc_ip_resource_limit.go`, which AWS generates from
DescribeInstanceTypes; see also the EC2 guide, "IP addresses per network interface per instance type".
"""

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


_SIZES: dict[str, tuple[int, int, int]] = {  # CPUs, interfaces, addresses of each
    "large": (2, 3, 10),
    "xlarge": (4, 4, 15),
    "2xlarge": (8, 4, 15),
    "4xlarge": (16, 8, 30),
}
_GIB_PER_CPU = {
    "c5": 2,
    "c6i": 2,
    "c7g": 2,
    "m5": 4,
    "m6i": 4,
    "m7g": 4,
    "m7i": 4,
    "r5": 8,
    "r6i": 8,
    "r7g": 8,
}
TYPES: dict[str, InstanceType] = {
    one.name: one
    for one in (
        InstanceType("t3.small", 2, 2, 3, 4),
        InstanceType("t3.medium", 2, 4, 3, 6),
        InstanceType("t3.large", 2, 8, 3, 12),
        InstanceType("t3.xlarge", 4, 16, 4, 15),
        InstanceType("m4.large", 2, 8, 2, 10, "xen"),
        InstanceType("c4.large", 2, 3.75, 3, 10, "xen"),
        InstanceType("g5.xlarge", 4, 16, 4, 15),
        *(
            InstanceType(f"{family}.{size}", cpus, cpus * gib, interfaces, addresses)
            for family, gib in _GIB_PER_CPU.items()
            for size, (cpus, interfaces, addresses) in _SIZES.items()
        ),
    )
}
UNKNOWN = TYPES["m5.xlarge"]  # what a node of a type that is not listed here can hold
