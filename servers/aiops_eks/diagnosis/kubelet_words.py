"""What the kubelet says of a full disk, read once for rules and plans.

Texts of `pkg/kubelet/eviction/helpers.go` and `pkg/kubelet/images/image_gc_manager.go`, Kubernetes 1.33 and
1.35. Words from a cluster only choose and are quoted (T7).
"""

import re

_IMAGES_FREED = re.compile(r"freed ([0-9]{1,18}) bytes|only found ([0-9]{1,18}) bytes eligible")
_EVICTED_FOR_DISK = re.compile(
    r"low on resource: ephemeral-storage\. .{0,120}?"
    r"Container ([a-z0-9-]{1,63}) was using ([0-9]{1,18}[KMGT]?i?)\b"
)


def images_freed(message: str) -> int | None:
    """The bytes that a FreeDiskSpaceFailed event says image collection freed; None when it says none."""
    found = _IMAGES_FREED.search(message)
    return int(found[1] or found[2]) if found else None


def disk_user(message: str) -> tuple[str, str] | None:
    """Container and usage that an eviction for disk names."""
    found = _EVICTED_FOR_DISK.search(message)
    return (found[1], found[2]) if found else None
