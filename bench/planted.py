"""Sixty planted faults and the truth about each: in which state a pod is, and why.

A fault damages a healthy pod of the crowd as kubelet, scheduler or eviction manager would leave it, with the
events they would write. Texts follow Kubernetes 1.33 (pkg/kubelet, pkg/scheduler) and containerd. The truth
holds words that any honest answer must contain, whatever its form: it is matched by code (`naming.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.crowd import NAMESPACES, NODES, REGISTRY, Maker, Obj
from bench.damage import (
    Damage,
    crashing,
    evicted,
    failed_mount,
    held,
    init_failing,
    killed_and_running,
    node_lost,
    probe_failing,
    pull,
    unschedulable,
    waiting,
)


@dataclass(frozen=True)
class Fault:
    """One kind of fault: what is done, and what an answer must say. Patterns ignore case."""

    title: str
    app: str
    pods: int
    state: str
    cause: tuple[str, ...]  # every pattern must be found
    damage: Damage = field(repr=False)


@dataclass(frozen=True)
class Truth:
    """What is wrong with one pod."""

    namespace: str
    name: str
    fault: Fault


def planted(maker: Maker, *, scattered: bool) -> Iterator[tuple[Obj, list[Obj], Truth]]:
    """Damaged pods with their events and the truth.

    Replicas of one workload fail alike, as they mostly do; `scattered`, each has a workload of its own.
    """
    place = 0
    for fault in FAULTS:
        workload = maker.workload(NAMESPACES[place % len(NAMESPACES)], fault.app)
        for at in range(fault.pods):
            if scattered and at:
                workload = maker.workload(NAMESPACES[(place + at) % len(NAMESPACES)], f"{fault.app}-{at}")
            pod = maker.pod(workload)
            events = fault.damage(maker, pod)
            yield pod, events, Truth(workload.namespace, pod["metadata"]["name"], fault)
        place += 7 if not scattered else fault.pods


_NODES = f"0/{NODES} nodes are available: "
_PREEMPTION = f" preemption: 0/{NODES} nodes are available: {NODES} Preemption is not helpful for scheduling."
_RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
    'failed: unable to start container process: error during container init: exec: "/app/serve": '
    "stat /app/serve: no such file or directory: unknown"
)
_UNMOUNTED = 'MountVolume.SetUp failed for volume "tls" : secret "ledger-tls" not found'
_LIVENESS = "Container app failed liveness probe, will be restarted"
_CRASH, _PULLING, _CONFIG = "CrashLoopBackOff", "ImagePullBackOff|ErrImagePull", "CreateContainerConfigError"
_HOST = f"{REGISTRY}/retail"
_PENDING = "Unschedulable|Pending"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "crash loop, last words in the termination message",
        "order-intake",
        4,
        _CRASH,
        ("DATABASE_URL",),
        crashing(1, "Error", "FATAL: environment variable DATABASE_URL is not set\n"),
    ),
    Fault(
        "crash loop, exit code only",
        "price-feed",
        3,
        _CRASH,
        (r"exit(ed)?\W*(code)?\W*(3)\b",),
        crashing(3, "Error"),
    ),
    Fault(
        "crash loop, out of memory", "session-store", 4, _CRASH, ("OOMKilled",), crashing(137, "OOMKilled")
    ),
    Fault(
        "running between two out-of-memory kills",
        "thumbnailer",
        2,
        "restart",
        ("OOMKilled",),
        killed_and_running,
    ),
    Fault(
        "program not in the image",
        "geo-lookup",
        2,
        _CRASH,
        (r"/app/serve", "no such file"),
        crashing(128, "StartError", _RUNC),
    ),
    Fault(
        "crash loop, killed by the liveness probe",
        "chat-hub",
        2,
        _CRASH,
        ("liveness", "fail"),
        crashing(137, "Error", "", ("Killing", _LIVENESS)),
    ),
    Fault(
        "image tag does not exist",
        "coupon-engine",
        4,
        _PULLING,
        ("not found",),
        pull(
            'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": failed to resolve '
            'reference "{image}": {image}: not found'
        ),
    ),
    Fault(
        "registry refuses the credentials",
        "partner-portal",
        3,
        _PULLING,
        ("403|Forbidden|denied",),
        pull(
            'failed to pull and unpack image "{image}": failed to resolve reference "{image}": unexpected '
            f"status from HEAD request to https://{_HOST}/manifests/9: 403 Forbidden"
        ),
    ),
    Fault(
        "registry cannot be reached",
        "tax-rules",
        2,
        _PULLING,
        ("i/o timeout",),
        pull(
            'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do '
            f'request: Head "https://{_HOST}/manifests/9": dial tcp 10.4.4.4:443: i/o timeout'
        ),
    ),
    Fault(
        "image name is no name",
        "banner-rotator",
        1,
        "InvalidImageName",
        ("invalid reference format",),
        waiting(
            "InvalidImageName",
            'Failed to apply default image tag "registry//Banner:1": couldn\'t parse image name '
            '"registry//Banner:1": invalid reference format',
        ),
    ),
    Fault(
        "ConfigMap is missing",
        "mail-sender",
        4,
        _CONFIG,
        (r"config-?map", "smtp-relay", "not found"),
        waiting("CreateContainerConfigError", 'configmap "smtp-relay" not found'),
    ),
    Fault(
        "Secret is missing",
        "card-vault",
        3,
        _CONFIG,
        ("secret", "vault-seal", "not found"),
        waiting("CreateContainerConfigError", 'secret "vault-seal" not found'),
    ),
    Fault(
        "key of a ConfigMap is missing",
        "ab-tester",
        2,
        _CONFIG,
        ("bucket_count", "ab-flags"),
        waiting(
            "CreateContainerConfigError", "couldn't find key bucket_count in ConfigMap {namespace}/ab-flags"
        ),
    ),
    Fault(
        "too little cpu",
        "report-builder",
        4,
        _PENDING,
        ("Insufficient cpu",),
        unschedulable(f"{_NODES}{NODES} Insufficient cpu.{_PREEMPTION}"),
    ),
    Fault(
        "taint not tolerated",
        "gpu-ranker",
        2,
        _PENDING,
        ("taint", "dedicated"),
        unschedulable(
            f"{_NODES}{NODES - 6} Insufficient nvidia.com/gpu, 6 node(s) had untolerated taint "
            "{dedicated: ml}." + _PREEMPTION
        ),
    ),
    Fault(
        "no node carries the label",
        "edge-cache",
        2,
        _PENDING,
        ("affinity|selector",),
        unschedulable(f"{_NODES}{NODES} node(s) didn't match Pod's node affinity/selector.{_PREEMPTION}"),
    ),
    Fault(
        "volume claim is not bound",
        "ledger-db",
        2,
        _PENDING,
        ("unbound", "PersistentVolumeClaim"),
        unschedulable(f"{_NODES}pod has unbound immediate PersistentVolumeClaims.{_PREEMPTION}"),
    ),
    Fault(
        "volume cannot be mounted",
        "ledger-api",
        2,
        "ContainerCreating",
        ("ledger-tls", "not found"),
        failed_mount(_UNMOUNTED),
    ),
    Fault("not ready", "review-api", 4, r"not ready|0/1|ready\W+false", ("readiness", "503"), probe_failing),
    Fault("evicted", "log-shipper", 3, "Evicted", ("low on resource", "ephemeral-storage"), evicted),
    Fault(
        "held by a finalizer",
        "batch-export",
        2,
        r"terminating|deletionTimestamp",
        (r"backup\.example\.com/snapshot",),
        held,
    ),
    Fault(
        "its node is gone",
        "stock-counter",
        1,
        r"terminating|deletionTimestamp",
        ("DeletionByTaintManager|NodeNotReady|Node is not ready",),
        node_lost,
    ),
    Fault(
        "init container fails",
        "user-profile",
        2,
        r"Init|CrashLoopBackOff",
        ("migrate", "relation .?users.? does not exist"),
        init_failing(
            {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off 5m0s restarting failed container",
                }
            },
            'ERROR: relation "users" does not exist (SQLSTATE 42P01)',
        ),
    ),
)
