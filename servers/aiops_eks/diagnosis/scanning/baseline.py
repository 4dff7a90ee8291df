"""The Pod Security Standard `baseline`, control by control, in its newest version.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks that enforce it,
k8s.io/pod-security-admission/policy, whose ids stand in `Check.control`; a test compares the verdicts with an
API server's. The user namespace relaxations that some clusters switch on are not applied: a pod that passes
here passes everywhere.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import STANDARDS, Check, Hit, Scope
from aiops_eks.diagnosis.scanning.contexts import added_capabilities, context_of, keep_capabilities
from aiops_eks.diagnosis.scanning.subjects import Spot, mapping, mappings, numbered
from aiops_shared.results import Severity

CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
PROFILES = frozenset({"RuntimeDefault", "Localhost"})
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"


def privileged(spot: Spot) -> Iterator[Hit]:
    """Privileged Containers."""
    if spot.context.get("privileged") is True:
        yield Hit(spot.at("securityContext.privileged"), "privileged: all of the node's power")


def _unprivilege(spot: Spot) -> str | None:
    context_of(spot).pop("privileged", None)
    return None


def host_namespaces(spot: Spot) -> Iterator[Hit]:
    """Host Namespaces."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if (spot.pod or {}).get(key) is True:
            yield Hit(spot.at(key), f"{key}: shares the node's namespace")


def _leave_host(spot: Spot) -> str | None:
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if (spot.pod or {}).get(key) is True:
            (spot.pod or {}).pop(key)
    return "host namespaces were removed: node agents that need them must stay as they are"


def host_path(spot: Spot) -> Iterator[Hit]:
    """HostPath Volumes: what to use instead only its owner knows."""
    for place, volume in numbered(spot.pod, "volumes"):
        if volume.get("hostPath") is not None:
            says = "hostPath: the node's files inside the pod"
            yield Hit(spot.at(f"volumes[{place}].hostPath"), says, fixable=False)


def host_ports(spot: Spot) -> Iterator[Hit]:
    """Host Ports."""
    for place, port in numbered(spot.container, "ports"):
        if port.get("hostPort"):
            says = f"hostPort {str(port['hostPort'])[:20]}: a port of the node"
            yield Hit(spot.at(f"ports[{place}].hostPort"), says)


def _drop_host_ports(spot: Spot) -> str | None:
    for port in mappings(spot.container, "ports"):
        port.pop("hostPort", None)
    return "host ports were removed: reach the pod through a Service"


def capabilities(spot: Spot) -> Iterator[Hit]:
    """Capabilities."""
    if wrong := [one for one in added_capabilities(spot) if one not in CAPABILITIES]:
        yield Hit(spot.at("securityContext.capabilities.add"), f"adds {', '.join(wrong[:5])}")


def _keep_baseline(spot: Spot) -> str | None:
    keep_capabilities(spot, CAPABILITIES)
    return "added capabilities beyond the standard were removed: test what the program does with them"


def seccomp(spot: Spot) -> Iterator[Hit]:
    """Seccomp: an explicit profile that is none."""
    profile = spot.context.get("seccompProfile")
    if isinstance(profile, dict) and str(profile.get("type")) not in PROFILES:
        yield Hit(
            spot.at("securityContext.seccompProfile"), f"seccompProfile {str(profile.get('type'))[:40]}"
        )


def _default_seccomp(spot: Spot) -> str | None:
    context_of(spot)["seccompProfile"] = {"type": "RuntimeDefault"}
    return None


def app_armor(spot: Spot) -> Iterator[Hit]:
    """AppArmor: the fields, and the annotations that were before them."""
    profile = spot.context.get("appArmorProfile")
    if isinstance(profile, dict) and str(profile.get("type")) not in PROFILES:
        yield Hit(spot.at("securityContext.appArmorProfile"), "AppArmor is switched off")
    if spot.container is None:
        for key, value in mapping(spot.about, "annotations").items():
            if key.startswith(_APPARMOR_PREFIX) and not _is_profile(value):
                yield Hit(f"{spot.about_path}.annotations['{key[:100]}']", "AppArmor is switched off")


def _is_profile(value: Any) -> bool:
    return isinstance(value, str) and (value in {"", "runtime/default"} or value.startswith("localhost/"))


def _default_app_armor(spot: Spot) -> str | None:
    if isinstance(spot.context.get("appArmorProfile"), dict):
        context_of(spot)["appArmorProfile"] = {"type": "RuntimeDefault"}
    notes = mapping(spot.about, "annotations") if spot.container is None else {}
    for key in [key for key in notes if key.startswith(_APPARMOR_PREFIX) and not _is_profile(notes[key])]:
        notes[key] = "runtime/default"
    return None


def se_linux(spot: Spot) -> Iterator[Hit]:
    """SELinux: no own user or role, and only the container types."""
    options = mapping(spot.context, "seLinuxOptions")
    if options.get("user") or options.get("role") or str(options.get("type") or "") not in _SELINUX_TYPES:
        yield Hit(spot.at("securityContext.seLinuxOptions"), "sets its own SELinux user, role or type")


def _plain_se_linux(spot: Spot) -> str | None:
    options = mapping(context_of(spot), "seLinuxOptions")
    for key in ("user", "role"):
        options.pop(key, None)
    if str(options.get("type") or "") not in _SELINUX_TYPES:
        options.pop("type")
    if not options:
        context_of(spot).pop("seLinuxOptions", None)
    return None


def proc_mount(spot: Spot) -> Iterator[Hit]:
    """/proc Mount Type."""
    if spot.container is not None and str(spot.context.get("procMount", "Default")) not in {
        "None",
        "Default",
    }:
        yield Hit(spot.at("securityContext.procMount"), "unmasks /proc")


def _mask_proc(spot: Spot) -> str | None:
    context_of(spot).pop("procMount", None)
    return None


def sysctls(spot: Spot) -> Iterator[Hit]:
    """Sysctls."""
    for place, one in numbered(spot.context, "sysctls"):
        if str(one.get("name")) not in SAFE_SYSCTLS:
            says = f"sysctl {str(one.get('name'))[:60]} reaches beyond the pod"
            yield Hit(spot.at(f"securityContext.sysctls[{place}]"), says, fixable=False)


def host_process(spot: Spot) -> Iterator[Hit]:
    """Host Processes of Windows."""
    if mapping(spot.context, "windowsOptions").get("hostProcess") is True:
        yield Hit(
            spot.at("securityContext.windowsOptions.hostProcess"), "runs as a host process", fixable=False
        )


_HANDLERS = (
    ("livenessProbe",),
    ("readinessProbe",),
    ("startupProbe",),
    ("lifecycle", "postStart"),
    ("lifecycle", "preStop"),
)


def probe_hosts(spot: Spot) -> Iterator[Hit]:
    """Host Probes and Lifecycle Hooks (since 1.34): the kubelet would ask another host."""
    for path in _HANDLERS:
        handler: Any = spot.container
        for key in path:
            handler = mapping(handler, key)
        for how in ("httpGet", "tcpSocket"):
            if mapping(handler, how).get("host"):
                says = "the kubelet is sent to another host than the pod"
                yield Hit(spot.at(".".join((*path, how, "host"))), says)


def _ask_the_pod(spot: Spot) -> str | None:
    for path in _HANDLERS:
        handler: Any = spot.container
        for key in path:
            handler = mapping(handler, key)
        for how in ("httpGet", "tcpSocket"):
            mapping(handler, how).pop("host", None)
    return "probes ask the pod itself now"


def _c(
    control: str, rule: str, severity: Severity, scope: Scope, fix: str, look: Any, repair: Any = None
) -> Check:
    return Check(rule, severity, "baseline", scope, fix, STANDARDS, look, repair, control)


def _both(control: str, rule: str, fix: str, look: Any, repair: Any = None) -> tuple[Check, Check]:
    """What a pod and a container may each set."""
    return (
        _c(control, rule, "high", "pod", fix, look, repair),
        _c(control, rule, "high", "container", fix, look, repair),
    )


CHECKS = (
    _c("privileged", "privileged", "critical", "container", "remove privileged", privileged, _unprivilege),
    _c(
        "hostNamespaces",
        "host-namespace",
        "high",
        "pod",
        "remove hostNetwork, hostPID, hostIPC",
        host_namespaces,
        _leave_host,
    ),
    _c("hostPathVolumes", "host-path", "high", "pod", "use a claim, configMap or emptyDir", host_path),
    _c(
        "hostPorts",
        "host-port",
        "medium",
        "container",
        "remove hostPort, use a Service",
        host_ports,
        _drop_host_ports,
    ),
    _c(
        "capabilities_baseline",
        "capabilities-added",
        "high",
        "container",
        "remove them",
        capabilities,
        _keep_baseline,
    ),
    *_both("seccompProfile_baseline", "seccomp-off", "RuntimeDefault", seccomp, _default_seccomp),
    *_both("appArmorProfile", "app-armor-off", "RuntimeDefault", app_armor, _default_app_armor),
    *_both("seLinuxOptions", "selinux-options", "remove them", se_linux, _plain_se_linux),
    _c("procMount", "proc-mount", "high", "container", "remove procMount", proc_mount, _mask_proc),
    _c("sysctls", "unsafe-sysctl", "high", "pod", "remove it", sysctls),
    *_both("windowsHostProcess", "host-process", "remove hostProcess", host_process),
    _c(
        "hostProbesAndHostLifecycle",
        "probe-host",
        "medium",
        "container",
        "remove host",
        probe_hosts,
        _ask_the_pod,
    ),
)
