"""The Pod Security Standards, control by control, for pods and everything that makes pods.

Source of every list in here: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""

from collections.abc import Iterator
from typing import Any

from aiops_eks.diagnosis.scanning.checking import STANDARDS, Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Obj, Spot, container_spots, ensured, mapping, mappings

USER = 1000
BASELINE_CAPABILITIES = frozenset(
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
RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
RESTRICTED_VOLUMES = frozenset(
    {
        "name",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
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
    }
)
SECCOMP = frozenset({"RuntimeDefault", "Localhost"})
# The order in which a hardened container's securityContext is written.
ORDER = (
    "runAsNonRoot",
    "runAsUser",
    "runAsGroup",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "capabilities",
)


def context_of(spot: Spot) -> Obj:
    """The securityContext to write to."""
    return ensured(spot.container if spot.container is not None else spot.pod or {}, "securityContext")


def ordered(spot: Spot) -> None:
    """Put a container's settings in their usual order."""
    context = context_of(spot)
    known = {key: context[key] for key in ORDER if key in context}
    rest = {key: value for key, value in context.items() if key not in known}
    context.clear()
    context.update(known | rest)


# baseline


def privileged(spot: Spot) -> Iterator[Hit]:
    """Host Processes and Privileged Containers."""
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
        (spot.pod or {}).pop(key, None)
    return "host namespaces were removed: node agents that need them must stay as they are"


def host_path(spot: Spot) -> Iterator[Hit]:
    """HostPath Volumes: what to use instead only its owner knows."""
    for place, volume in enumerate(mappings(spot.pod, "volumes")):
        if "hostPath" in volume:
            says = "hostPath: the node's files inside the pod"
            yield Hit(spot.at(f"volumes[{place}].hostPath"), says, fixable=False)


def host_ports(spot: Spot) -> Iterator[Hit]:
    """Host Ports."""
    for place, port in enumerate(mappings(spot.container, "ports")):
        if port.get("hostPort"):
            yield Hit(spot.at(f"ports[{place}].hostPort"), f"hostPort {port['hostPort']}: a port of the node")


def _drop_host_ports(spot: Spot) -> str | None:
    for port in mappings(spot.container, "ports"):
        port.pop("hostPort", None)
    return "host ports were removed: reach the pod through a Service"


def _added(spot: Spot) -> list[str]:
    added = mapping(spot.context, "capabilities").get("add")
    return [str(one).upper().removeprefix("CAP_") for one in added] if isinstance(added, list) else []


def capabilities_baseline(spot: Spot) -> Iterator[Hit]:
    """Capabilities, baseline."""
    if wrong := [one for one in _added(spot) if one not in BASELINE_CAPABILITIES]:
        yield Hit(spot.at("securityContext.capabilities.add"), f"adds {', '.join(wrong[:5])}")


def _keep_capabilities(spot: Spot, allowed: frozenset[str]) -> None:
    capabilities = mapping(context_of(spot), "capabilities")
    kept = [one for one in _added(spot) if one in allowed]
    capabilities.pop("add", None)
    if kept:
        capabilities["add"] = kept


def _keep_baseline(spot: Spot) -> str | None:
    _keep_capabilities(spot, BASELINE_CAPABILITIES)
    return "added capabilities beyond the standard were removed: test what the program does with them"


def unconfined(spot: Spot) -> Iterator[Hit]:
    """Seccomp, AppArmor, SELinux and /proc mount, baseline."""
    context = spot.context
    if mapping(context, "seccompProfile").get("type") == "Unconfined":
        yield Hit(spot.at("securityContext.seccompProfile"), "seccomp is switched off")
    if mapping(context, "appArmorProfile").get("type") == "Unconfined":
        yield Hit(spot.at("securityContext.appArmorProfile"), "AppArmor is switched off")
    if context.get("procMount") not in {None, "Default"}:
        yield Hit(spot.at("securityContext.procMount"), "unmasks /proc")
    options = mapping(context, "seLinuxOptions")
    if options.get("user") or options.get("role"):
        yield Hit(spot.at("securityContext.seLinuxOptions"), "sets its own SELinux user or role")


def _confine(spot: Spot) -> str | None:
    context = context_of(spot)
    for key in ("seccompProfile", "appArmorProfile"):
        if mapping(context, key).get("type") == "Unconfined":
            context[key] = {"type": "RuntimeDefault"}
    context.pop("procMount", None)
    for key in ("user", "role"):
        mapping(context, "seLinuxOptions").pop(key, None)
    return None


def sysctls(spot: Spot) -> Iterator[Hit]:
    """Sysctls."""
    for place, one in enumerate(mappings(spot.context, "sysctls")):
        if one.get("name") not in SAFE_SYSCTLS:
            yield Hit(spot.at(f"securityContext.sysctls[{place}]"), "an unsafe sysctl", fixable=False)


def host_process(spot: Spot) -> Iterator[Hit]:
    """Host Processes of Windows."""
    if mapping(spot.context, "windowsOptions").get("hostProcess") is True:
        yield Hit(
            spot.at("securityContext.windowsOptions.hostProcess"), "runs as a host process", fixable=False
        )


# restricted


def runs_as_root(spot: Spot) -> Iterator[Hit]:
    """Running as Non-root user: an explicit user 0."""
    if spot.container is not None and spot.effective("runAsUser") == 0:
        own = "runAsUser" in spot.context
        yield Hit(
            spot.at("securityContext.runAsUser") if own else "pod securityContext.runAsUser", "runs as root"
        )


def _be_somebody(spot: Spot) -> str | None:
    context_of(spot).update({"runAsUser": USER, "runAsNonRoot": True})
    ordered(spot)
    return f"runs as user {USER} now: the image's files must be readable by it (fsGroup for volumes)"


def may_run_as_root(spot: Spot) -> Iterator[Hit]:
    """Running as Non-root."""
    if spot.container is not None and spot.effective("runAsNonRoot") is not True:
        yield Hit(spot.at("securityContext.runAsNonRoot"), "runAsNonRoot is not true: the image decides")


def _never_root(spot: Spot) -> str | None:
    context = context_of(spot)
    context["runAsNonRoot"] = True
    note = None
    if spot.effective("runAsUser") in {None, 0}:
        context["runAsUser"] = USER
        note = f"runs as user {USER} now: the image's files must be readable by it (fsGroup for volumes)"
    ordered(spot)
    return note


def escalation(spot: Spot) -> Iterator[Hit]:
    """Privilege Escalation."""
    if spot.context.get("allowPrivilegeEscalation") is not False:
        yield Hit(
            spot.at("securityContext.allowPrivilegeEscalation"), "allowPrivilegeEscalation is not false"
        )


def _no_escalation(spot: Spot) -> str | None:
    context_of(spot)["allowPrivilegeEscalation"] = False
    ordered(spot)
    return None


def capabilities_restricted(spot: Spot) -> Iterator[Hit]:
    """Capabilities, restricted: drop ALL, add back at most NET_BIND_SERVICE."""
    dropped: Any = mapping(spot.context, "capabilities").get("drop")
    names = [str(one).upper() for one in dropped] if isinstance(dropped, list) else []
    if "ALL" not in names:
        yield Hit(spot.at("securityContext.capabilities.drop"), "does not drop ALL capabilities")
    if wrong := [one for one in _added(spot) if one not in RESTRICTED_CAPABILITIES]:
        yield Hit(spot.at("securityContext.capabilities.add"), f"adds {', '.join(wrong[:5])}")


def _drop_all(spot: Spot) -> str | None:
    _keep_capabilities(spot, RESTRICTED_CAPABILITIES)
    capabilities = ensured(context_of(spot), "capabilities")
    added = capabilities.pop("add", None)
    capabilities["drop"] = ["ALL"]
    if added:
        capabilities["add"] = added
    ordered(spot)
    return None


def seccomp(spot: Spot) -> Iterator[Hit]:
    """Seccomp, restricted: the pod's profile, or each container's."""
    if mapping(spot.context, "seccompProfile").get("type") in SECCOMP:
        return
    own = [mapping(one.context, "seccompProfile").get("type") for one in container_spots(spot)]
    if not own or any(kind not in SECCOMP for kind in own):
        yield Hit(spot.at("securityContext.seccompProfile"), "no seccompProfile")


def _default_seccomp(spot: Spot) -> str | None:
    context_of(spot)["seccompProfile"] = {"type": "RuntimeDefault"}
    return None


def volume_types(spot: Spot) -> Iterator[Hit]:
    """Volume Types; hostPath has its own rule."""
    for place, volume in enumerate(mappings(spot.pod, "volumes")):
        if wrong := sorted(set(volume) - RESTRICTED_VOLUMES - {"hostPath"}):
            yield Hit(spot.at(f"volumes[{place}]"), f"volume type {wrong[0]}", fixable=False)


def _b(rule: str, severity: Any, scope: Any, fix: str, look: Any, repair: Any = None) -> Check:
    return Check(rule, severity, "baseline", scope, fix, STANDARDS, look, repair)


def _r(rule: str, severity: Any, scope: Any, fix: str, look: Any, repair: Any = None) -> Check:
    return Check(rule, severity, "restricted", scope, fix, STANDARDS, look, repair)


CHECKS = (
    _b("privileged", "critical", "container", "remove privileged", privileged, _unprivilege),
    _b("host-namespace", "high", "pod", "remove hostNetwork, hostPID, hostIPC", host_namespaces, _leave_host),
    _b("host-path", "high", "pod", "use a PersistentVolumeClaim, configMap or emptyDir", host_path),
    _b("host-port", "medium", "container", "remove hostPort, use a Service", host_ports, _drop_host_ports),
    _b("capabilities-added", "high", "container", "remove them", capabilities_baseline, _keep_baseline),
    _b("unconfined", "high", "container", "RuntimeDefault, default /proc", unconfined, _confine),
    _b("unconfined", "high", "pod", "RuntimeDefault", unconfined, _confine),
    _b("unsafe-sysctl", "high", "pod", "remove it", sysctls),
    _b("host-process", "high", "container", "remove hostProcess", host_process),
    _r("runs-as-root", "high", "container", f"runAsUser: {USER}", runs_as_root, _be_somebody),
    _r("may-run-as-root", "medium", "container", "runAsNonRoot: true", may_run_as_root, _never_root),
    _r(
        "privilege-escalation",
        "medium",
        "container",
        "allowPrivilegeEscalation: false",
        escalation,
        _no_escalation,
    ),
    _r("capabilities", "medium", "container", "capabilities.drop: [ALL]", capabilities_restricted, _drop_all),
    _r("no-seccomp", "medium", "pod", "pod seccompProfile: RuntimeDefault", seccomp, _default_seccomp),
    _r("volume-type", "medium", "pod", "use a type that the standard lists", volume_types),
)
