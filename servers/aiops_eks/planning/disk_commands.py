"""What may run on a node to clean its disk: fixed texts, the pod that carries them, and the answers. Pure.

Nobody's argument reaches a shell (T9): a plan names a command of `COMMANDS` and a node, nothing else. Each
text may run twice without harm, since a lost answer can mean that. Sources: crictl's manual (`rmi --prune`
removes images that no container uses), kubelet eviction signals (nodefs holds /var/lib/kubelet).
"""

import re
from typing import Any

from aiops_shared.errors import InvalidInputError
from aiops_shared.results import Frozen

SPACE = "aiops-system"
DEBUG_IMAGE = "public.ecr.aws/amazonlinux/amazonlinux:2023-minimal"
LABEL = "app.kubernetes.io/managed-by"
OWNER = "eks-aiops-disk"
STEP_NOTE = "eks-aiops/step"
TMP_AGE_MIN = 1440
RUNS_S = 300  # a command that takes longer is stopped
_KEPT_PREFIX = "aiops."

_HEAD = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\nR=""\n'
_LEFT = "left() { df -Pk \"$R/var/lib/kubelet\" | awk 'NR==2 {print $4}'; }\n"
_AROUND = (
    _HEAD + _LEFT + "before=$(left)\n{body}code=$?\n"
    'echo "aiops.before_kib=$before"\necho "aiops.after_kib=$(left)"\nexit $code\n'
)

# Reads only. `du` walks directories that hold pods' logs, writable layers' volumes and emptyDirs.
_MEASURE = (
    _HEAD + 'df -Pk "$R/var/lib/kubelet"'
    " | awk 'NR==2 {printf \"aiops.size_kib=%d\\naiops.free_kib=%d\\n\", $2, $4}'\n"
    'timeout 120 du -xsk "$R"/var/log/pods/* "$R"/var/lib/kubelet/pods/* 2>/dev/null'
    " | sort -rn | head -n 5 | awk '{printf \"aiops.top_kib=%d %s\\n\", $1, $2}'\nexit 0\n"
)
_PRUNE = _AROUND.replace(
    "{body}",
    'command -v crictl >/dev/null || { echo "aiops.error=crictl is not installed on this node"; exit 3; }\n'
    "crictl --runtime-endpoint unix:///run/containerd/containerd.sock --timeout 240s rmi --prune"
    " >/dev/null 2>&1\n",
)
_TMP = _AROUND.replace(
    "{body}",
    f'find "$R/tmp" "$R/var/tmp" -xdev -type f -mmin +{TMP_AGE_MIN} -not -path "*/systemd-private-*"'
    " -delete 2>/dev/null\n",
)
COMMANDS = {"measure": _MEASURE, "prune_images": _PRUNE, "clean_tmp": _TMP}

_NUMBER = re.compile(r"aiops\.(size|free|before|after)_kib=([0-9]{1,15})")
_TOP = re.compile(r"aiops\.top_kib=([0-9]{1,15}) (/[\x21-\x7e]{1,400})")
_ERROR = re.compile(r"aiops\.error=([\x20-\x7e]{1,200})")
_POD_LOG = re.compile(r"/var/log/pods/([a-z0-9-]{1,63})_([a-z0-9.-]{1,253})_[0-9a-f-]{4,64}")
_POD_DIR = re.compile(r"/var/lib/kubelet/pods/([0-9a-f-]{4,64})")


def script_of(command: str) -> str:
    """The text of a command. Raises InvalidInputError for a name that is none."""
    try:
        return COMMANDS[command]
    except KeyError:
        raise InvalidInputError("command", "is none of the fixed ones", ", ".join(COMMANDS)) from None


class Heap(Frozen):
    """Something large on the disk: a pod's logs, or its local storage."""

    kib: int
    what: str  # `logs of pod production/web-1`, `local storage of pod uid …`
    pod_uid: str = ""


class Reading(Frozen):
    """What a command answered; numbers that it did not give are None."""

    size_kib: int | None = None
    free_kib: int | None = None
    before_kib: int | None = None
    after_kib: int | None = None
    heaps: tuple[Heap, ...] = ()
    error: str = ""

    @property
    def freed_kib(self) -> int:
        """What became free while it ran; other writers count too, so it may be less than nothing."""
        return (self.after_kib or 0) - (self.before_kib or 0)


def read_output(text: str) -> Reading:
    """The lines that our commands print; whatever else stands there is ignored (T7)."""
    numbers: dict[str, Any] = {}
    heaps: list[Heap] = []
    error = ""
    for line in text.splitlines():
        if not line.startswith(_KEPT_PREFIX):
            continue
        if found := _NUMBER.fullmatch(line):
            numbers[f"{found[1]}_kib"] = int(found[2])
        elif found := _TOP.fullmatch(line):
            heaps.append(_heap(int(found[1]), found[2]))
        elif found := _ERROR.fullmatch(line):
            error = found[1]
    return Reading(**numbers, heaps=tuple(heaps[:5]), error=error)


def _heap(kib: int, path: str) -> Heap:
    if found := _POD_LOG.fullmatch(path):
        return Heap(kib=kib, what=f"logs of pod {found[1]}/{found[2]}")
    if found := _POD_DIR.fullmatch(path):
        return Heap(kib=kib, what=f"local storage of pod uid {found[1]}", pod_uid=found[1])
    return Heap(kib=kib, what="something else under /var")


def gib(kib: int) -> str:
    """KiB as a person reads them."""
    return f"{kib / 2**20:.1f} GiB"


def debug_pod(node: str, name: str, command: str, step: str, image: str) -> dict[str, Any]:
    """The pod that runs one command in the root of a node.

    It is critical, since a node short of disk takes no other pod (kubelet, eviction Admit); it ends by its
    deadline; it has no token. Not privileged: root, the host's files and three capabilities (chroot; files of
    other users).
    """
    capabilities = {"drop": ["ALL"], "add": ["SYS_CHROOT", "DAC_OVERRIDE", "FOWNER"]}
    main = {
        "name": "clean",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-c", 'chroot /host /bin/sh -c "$1" >/dev/termination-log 2>&1', "aiops"],
        "args": [script_of(command)],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": capabilities,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "root", "mountPath": "/host", "mountPropagation": "HostToContainer"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": SPACE,
            "labels": {LABEL: OWNER},
            "annotations": {STEP_NOTE: step},
        },
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": RUNS_S,
            "priorityClassName": "system-node-critical",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [main],
            "volumes": [{"name": "root", "hostPath": {"path": "/", "type": "Directory"}}],
        },
    }
