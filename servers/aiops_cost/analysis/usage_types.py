"""What a usage type of the bill is about: `USE2-BoxUsage:c5.4xlarge` is an instance, c5.4xlarge, on demand.

AWS writes `[region-]kind[:what]`; the region's short code is left out in us-east-1 (Cost and Usage Report
guide, "Usage type"). Read here once, for the decomposition and for the rules of causes.
"""

import re

# A region's short code before the kind: USE2-, EUC1-, EU- (Ireland), APN1-, UGW1-; also pairs, as USE1-USW2-.
_REGION = re.compile(r"^(?:(?:[A-Z]{2,4}\d{1,2}|EU|APN|CPT|DUB|MES|AFS)-)+")
_INSTANCE = re.compile(r"^(BoxUsage|SpotUsage|HeavyUsage|DedicatedUsage|HostBoxUsage|UnusedBox)(?::(.+))?$")
_ARM = re.compile(r"^(?:a1|t4g[a-z]*|[a-z]+\d+g[a-z]*)$")
_VOLUME = re.compile(r"^EBS:VolumeUsage(?:\.(.+))?$")
CROSS_ZONE = "DataTransfer-Regional-Bytes"
LOG_BYTES = "DataProcessing-Bytes"
NAT_BYTES, NAT_HOURS = "NatGateway-Bytes", "NatGateway-Hours"
EXTENDED_SUPPORT = "AmazonEKS-Hours:extendedSupport"
INSTANCES, VOLUMES = "instances", "volumes"


def plain(usage_type: str) -> str:
    """Without the region's code."""
    return _REGION.sub("", usage_type)


def family(usage_type: str) -> str:
    """Usage that may stand in for each other has one family: instances of any type and way of paying,
    volumes of any type; everything else is its own.
    """
    word = plain(usage_type)
    if _INSTANCE.match(word):
        return INSTANCES
    return VOLUMES if _VOLUME.match(word) else word


def instance_type(usage_type: str) -> str:
    """`c5.4xlarge`; empty where it is none. The oldest usage types name none: m1.small."""
    found = _INSTANCE.match(plain(usage_type))
    return (found[2] or "m1.small") if found else ""


def instance_family(kind: str) -> str:
    """`c5` of `c5.4xlarge`."""
    return kind.partition(".")[0]


def on_spot(usage_type: str) -> bool:
    """Paid as a Spot instance."""
    return plain(usage_type).startswith("SpotUsage")


def on_graviton(usage_type: str) -> bool:
    """An instance whose processor is AWS's own (a `g` after the generation's number)."""
    return _ARM.match(instance_family(instance_type(usage_type))) is not None


def is_extended_support(usage_type: str) -> bool:
    """The control plane of a version in extended support (EKS pricing page)."""
    return "extendedsupport" in usage_type.lower()
