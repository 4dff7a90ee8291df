"""The checks of the Pod Security Standards, each with its reason and detail.

After k8s.io/pod-security-admission/policy, newest versions. Not played: AppArmor, SELinux and Windows
options, and the older versions of a check that a `-version` label would choose.
"""

from collections.abc import Callable, Iterator
from typing import Any

from aiops_lab.kube.wire import Obj, dig

Result = tuple[str, str]  # reason, detail
Check = Callable[[Obj], "Result | None"]

_DEFAULT_CAPABILITIES = frozenset(
    (
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
    )
)
_SAFE_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    )
)
_VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim")
_MORE_VOLUMES = ("projected", "secret")
_PROFILES = ("Localhost", "RuntimeDefault")


def _containers(spec: Obj) -> Iterator[Obj]:
    for part in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(part) or []


def _named(spec: Obj, bad: Callable[[Obj], bool]) -> list[str]:
    return [str(each.get("name")) for each in _containers(spec) if bad(each)]


def _security(container: Obj, *path: str) -> Any:
    return dig(container, "securityContext", *path)


def _quoted(names: list[str] | set[str]) -> str:
    listed = names if isinstance(names, list) else sorted(names)
    return ", ".join(f'"{name}"' for name in listed)


def _who(names: list[str]) -> str:
    return f"{'container' if len(names) == 1 else 'containers'} {_quoted(names)}"


def _by(pod: bool, names: list[str]) -> str:
    return " and ".join([*(["pod"] if pod else []), *([_who(names)] if names else [])])


def _capabilities(spec: Obj) -> Result | None:
    added = {each["name"]: set(_security(each, "capabilities", "add") or ()) for each in _containers(spec)}
    bad = {name: held - _DEFAULT_CAPABILITIES for name, held in added.items() if held - _DEFAULT_CAPABILITIES}
    if not bad:
        return None
    detail = f"must not include {_quoted(set().union(*bad.values()))} in securityContext.capabilities.add"
    return "non-default capabilities", f"{_who(list(bad))} {detail}"


def _host_namespaces(spec: Obj) -> Result | None:
    found = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return ("host namespaces", ", ".join(found)) if found else None


def _host_paths(spec: Obj) -> Result | None:
    found = [each["name"] for each in spec.get("volumes") or [] if each.get("hostPath") is not None]
    return ("hostPath volumes", f"volume{'s' * (len(found) != 1)} {_quoted(found)}") if found else None


def _host_ports(spec: Obj) -> Result | None:
    ports = {
        str(each["name"]): [str(port["hostPort"]) for port in each.get("ports") or [] if port.get("hostPort")]
        for each in _containers(spec)
    }
    bad = [name for name, held in ports.items() if held]
    if not bad:
        return None
    numbers = sorted({port for held in ports.values() for port in held})
    verb, noun = "uses" if len(bad) == 1 else "use", "hostPort" if len(numbers) == 1 else "hostPorts"
    return "hostPort", f"{_who(bad)} {verb} {noun} {', '.join(numbers)}"


def _privileged(spec: Obj) -> Result | None:
    bad = _named(spec, lambda each: _security(each, "privileged") is True)
    return ("privileged", f"{_who(bad)} must not set securityContext.privileged=true") if bad else None


def _proc_mount(spec: Obj) -> Result | None:
    kinds = {_security(each, "procMount") for each in _containers(spec)} - {None, "Default"}
    bad = _named(spec, lambda each: _security(each, "procMount") not in (None, "Default"))
    if not bad:
        return None
    return "procMount", f"{_who(bad)} must not set securityContext.procMount to {_quoted(kinds)}"


def _profile_setters(spec: Obj) -> Result | None:
    own = dig(spec, "securityContext", "seccompProfile", "type")
    bad = _named(spec, lambda each: _security(each, "seccompProfile", "type") not in (None, *_PROFILES))
    wrong = {_security(each, "seccompProfile", "type") for each in _containers(spec)} - {None, *_PROFILES}
    pod = own not in (None, *_PROFILES)
    if not pod and not bad:
        return None
    kinds = wrong | ({own} if pod else set())
    return (
        "seccompProfile",
        f"{_by(pod, bad)} must not set securityContext.seccompProfile.type to {_quoted(kinds)}",
    )


def _sysctls(spec: Obj) -> Result | None:
    names = [each.get("name", "") for each in dig(spec, "securityContext", "sysctls", default=[]) or []]
    bad = [name for name in names if name not in _SAFE_SYSCTLS]
    return ("forbidden sysctls", ", ".join(bad)) if bad else None


def _escalation(spec: Obj) -> Result | None:
    bad = _named(spec, lambda each: _security(each, "allowPrivilegeEscalation") is not False)
    detail = f"{_who(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", detail) if bad else None


def _all_dropped(spec: Obj) -> Result | None:
    said = []
    if kept := _named(spec, lambda each: "ALL" not in (_security(each, "capabilities", "drop") or ())):
        said.append(f'{_who(kept)} must set securityContext.capabilities.drop=["ALL"]')
    added = {each["name"]: set(_security(each, "capabilities", "add") or ()) for each in _containers(spec)}
    bad = {name: held - {"NET_BIND_SERVICE"} for name, held in added.items() if held - {"NET_BIND_SERVICE"}}
    if bad:
        names = _quoted(set().union(*bad.values()))
        said.append(f"{_who(list(bad))} must not include {names} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(said)) if said else None


def _volume_types(spec: Obj) -> Result | None:
    allowed = {*_VOLUMES, *_MORE_VOLUMES}
    bad = {
        each["name"]: next((kind for kind in each if kind != "name"), "unknown")
        for each in spec.get("volumes") or []
        if not allowed & set(each)
    }
    if not bad:
        return None
    kinds = set(bad.values())
    verb, noun = "uses" if len(bad) == 1 else "use", f"restricted volume type{'s' * (len(kinds) != 1)}"
    who = f"volume{'s' * (len(bad) != 1)} {_quoted(list(bad))}"
    return "restricted volume types", f"{who} {verb} {noun} {_quoted(kinds)}"


def _not_root(spec: Obj) -> Result | None:
    own = dig(spec, "securityContext", "runAsNonRoot")
    said = _named(spec, lambda each: _security(each, "runAsNonRoot") is False)
    if own is False or said:
        return (
            "runAsNonRoot != true",
            f"{_by(own is False, said)} must not set securityContext.runAsNonRoot=false",
        )
    silent = [] if own else _named(spec, lambda each: _security(each, "runAsNonRoot") is None)
    detail = f"pod or {_who(silent)} must set securityContext.runAsNonRoot=true"
    return ("runAsNonRoot != true", detail) if silent else None


def _user(spec: Obj) -> Result | None:
    pod = dig(spec, "securityContext", "runAsUser") == 0
    bad = _named(spec, lambda each: _security(each, "runAsUser") == 0)
    return ("runAsUser=0", f"{_by(pod, bad)} must not set runAsUser=0") if pod or bad else None


def _profile(spec: Obj) -> Result | None:
    if found := _profile_setters(spec):
        return found
    own = dig(spec, "securityContext", "seccompProfile")
    silent = [] if own else _named(spec, lambda each: _security(each, "seccompProfile") is None)
    detail = (
        f"pod or {_who(silent)} must set securityContext.seccompProfile.type to "
        '"RuntimeDefault" or "Localhost"'
    )
    return ("seccompProfile", detail) if silent else None


# Ordered by check id; a restricted check takes the place of the baseline check it overrides.
BASELINE: tuple[Check, ...] = (
    _capabilities,
    _host_namespaces,
    _host_paths,
    _host_ports,
    _privileged,
    _proc_mount,
    _profile_setters,
    _sysctls,
)
RESTRICTED: tuple[Check, ...] = (
    _host_namespaces,
    _host_ports,
    _privileged,
    _proc_mount,
    _sysctls,
    _escalation,
    _all_dropped,
    _volume_types,
    _not_root,
    _user,
    _profile,
)
