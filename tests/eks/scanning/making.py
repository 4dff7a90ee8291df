"""Makes pods and manifests for the tests of the scan: each field a rule looks at, right, wrong or not."""

from random import Random
from typing import Any

import yaml

Obj = dict[str, Any]
_CONTEXT: dict[str, tuple[Any, ...]] = {
    "runAsUser": (None, 0, 1000),
    "runAsNonRoot": (None, True, True, False),
    "privileged": (None, None, None, False, True),
    "allowPrivilegeEscalation": (None, False, False, True),
    "readOnlyRootFilesystem": (None, True),
    "procMount": (None, None, None, "Default"),
    "capabilities": (
        None,
        {"drop": ["ALL"]},
        {"drop": ["ALL"]},
        {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        {"drop": ["ALL"], "add": ["CHOWN"]},
        {"drop": ["all"]},
        {"add": ["SYS_ADMIN"]},
        {"add": ["CAP_CHOWN"]},
        {"drop": ["NET_RAW"]},
    ),
}
_BOTH: dict[str, tuple[Any, ...]] = {
    "seccompProfile": (
        None,
        {"type": "RuntimeDefault"},
        {"type": "RuntimeDefault"},
        {"type": "Unconfined"},
        {"type": "Localhost", "localhostProfile": "x.json"},
    ),
    "appArmorProfile": (None, None, None, {"type": "RuntimeDefault"}, {"type": "Unconfined"}),
    "seLinuxOptions": (
        None,
        None,
        None,
        {"type": "container_t"},
        {"type": "spc_t"},
        {"user": "system_u"},
        {"role": "r"},
        {"level": "s0"},
        {"type": "container_engine_t"},
    ),
}
_POD: dict[str, tuple[Any, ...]] = {
    "hostNetwork": (None, None, None, None, False, True),
    "hostPID": (None, None, None, None, True),
    "hostIPC": (None, None, None, None, True),
    "automountServiceAccountToken": (None, False),
}
_POD_CONTEXT: dict[str, tuple[Any, ...]] = {
    "runAsUser": (None, None, 0, 2000),
    "runAsNonRoot": (None, None, True, False),
    "sysctls": (
        None,
        None,
        None,
        [{"name": "net.ipv4.tcp_rmem", "value": "1"}],
        [{"name": "kernel.msgmax", "value": "1"}],
    ),
}
_VOLUMES: tuple[Obj, ...] = (
    {"emptyDir": {}},
    {"configMap": {"name": "x"}},
    {"secret": {"secretName": "x"}},
    {"hostPath": {"path": "/x"}},
    {"nfs": {"server": "s", "path": "/"}},
    {"downwardAPI": {}},
    {"persistentVolumeClaim": {"claimName": "x"}},
    {},
)


def _some(rng: Random, table: dict[str, tuple[Any, ...]]) -> Obj:
    chosen = {key: rng.choice(values) for key, values in table.items()}
    return {key: value for key, value in chosen.items() if value is not None}


def container(rng: Random, name: str) -> Obj:
    """One container."""
    made: Obj = {"name": name, "image": rng.choice(("repo.example/app:1.0", "app:latest"))}
    if context := _some(rng, _CONTEXT | _BOTH):
        if context.get("privileged") and context.get("allowPrivilegeEscalation") is False:
            del context["allowPrivilegeEscalation"]  # the API refuses both together
        if "SYS_ADMIN" in context.get("capabilities", {}).get("add", ()):
            context.pop("allowPrivilegeEscalation", None)
        made["securityContext"] = context
    if rng.random() < 0.2:
        made["ports"] = [{"containerPort": 80, "hostPort": rng.choice((0, 80))}]
    return made


def hardened(rng: Random, name: str) -> Obj:
    """A container that is mostly right, so that single faults decide."""
    made = container(rng, name)
    context = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    own = made.get("securityContext", {})
    for key in rng.sample(sorted(own), k=min(1, len(own))):
        context[key] = own[key]
    if context.get("privileged") or "SYS_ADMIN" in str(context["capabilities"]):
        context.pop("allowPrivilegeEscalation")
    return {**made, "securityContext": context}


def pod(rng: Random, name: str = "one") -> Obj:
    """A pod that an API server takes, security aside."""
    make = hardened if rng.random() < 0.6 else container
    spec: Obj = {"containers": [make(rng, f"c{place}") for place in range(rng.randint(1, 2))]}
    if rng.random() < 0.25:
        spec["initContainers"] = [make(rng, "i0")]
    if rng.random() < 0.5:
        spec |= _some(rng, _POD)
        if context := _some(rng, _POD_CONTEXT | _BOTH):
            spec["securityContext"] = context
    if rng.random() < 0.4:
        volumes = rng.sample(_VOLUMES, k=rng.randint(1, 2))
        spec["volumes"] = [{"name": f"v{place}", **volume} for place, volume in enumerate(volumes)]
    for one in spec["containers"]:
        for port in one.get("ports", ()) if spec.get("hostNetwork") else ():
            port["hostPort"] = port["containerPort"]
    if spec.get("hostNetwork") or spec.get("hostIPC"):  # the API refuses sysctls beside them
        spec.get("securityContext", {}).pop("sysctls", None)
    about: Obj = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec}


def text_of(rng: Random, obj: Obj) -> str:
    """The object as people write it: block or flow, indented or not, with comments, LF or CRLF."""
    flow = rng.choice((False, False, None, True))
    width = rng.choice((60, 1000))
    text = yaml.dump(
        obj,
        Dumper=_Indented if rng.random() < 0.5 else yaml.SafeDumper,
        default_flow_style=flow,
        sort_keys=rng.random() < 0.3,
        width=width,
    )
    lines = text.split("\n")
    if flow is not True and width > 60:
        lines = [_commented(rng, line) for line in lines]
    text = "\n".join(lines)
    if rng.random() < 0.2:
        text = text.rstrip("\n")
    return text.replace("\n", "\r\n") if rng.random() < 0.3 else text


def _commented(rng: Random, line: str) -> str:
    if not line.strip() or rng.random() < 0.6:
        return line
    if rng.random() < 0.5:
        return f"{line}   # why: {rng.randint(0, 99)}"
    indent = len(line) - len(line.lstrip())
    return f"{' ' * indent}# above\n{line}" if rng.random() < 0.8 else f"\n{line}"


class _Indented(yaml.SafeDumper):
    """Sequences two columns in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, indentless=False)
