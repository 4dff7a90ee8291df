"""Profiles of one pod (D27, F3): which pod, over which door, what is kept, and what is said of it. Pure.

The door is pprof, served by the program itself: a container port that is named for it, Go's customary 6060,
or the annotation that scrapers of profiles use (`profiles.grafana.com/…port`). The artefact stays sealed;
names of functions and numbers leave.
"""

import hashlib
from collections.abc import Iterable, Sequence

from aiops_eks.diagnosis.quantities import memory_text
from aiops_eks.models import fields
from aiops_eks.models.changes import ProfileOf
from aiops_eks.planning.drafts import Draft, Obj, Wish, at, name_of, uid_of
from aiops_eks.planning.pprof import Holder, Profile
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import FieldChange, GateCheck, ObjectRef, Step

GROUP = "profile.aiops/v1"
CPU_S = 10
# pprof's paths (net/http/pprof); what a caller asks for only chooses one of them.
PATHS: dict[ProfileOf, tuple[str, dict[str, str]]] = {
    "heap": ("/debug/pprof/heap", {}),
    "cpu": ("/debug/pprof/profile", {"seconds": str(CPU_S)}),
    "threads": ("/debug/pprof/goroutine", {}),
}
_NAMES = ("pprof", "profiling", "debug")
_CUSTOMARY = 6060
_NOTES = ("profiles.grafana.com/memory.port", "profiles.grafana.com/cpu.port", "phlare.grafana.com/port")
_HALF = 5


def check_profile(action: str, kind: str, profile: str | None, wish: Wish) -> None:
    """Raises InvalidInputError for a pod that would be changed, and for arguments of another action."""
    if action == "profile" and (foreign := sorted(wish.given())):
        raise InvalidInputError(", ".join(foreign), "not an argument of profile", "it takes `profile` alone")
    if action != "profile" and kind == "Pod":
        raise InvalidInputError("kind", f"{action} changes workloads, not pods", "name the workload")
    if action != "profile" and profile:
        raise InvalidInputError("profile", f"not an argument of {action}", "it belongs to action=profile")


def pprof_port(pod: Obj) -> int:
    """The port at which the pod's program serves pprof; 0 when nothing says so."""
    notes = fields.part(pod, "metadata", "annotations")
    for key in _NOTES:
        if str(notes.get(key, "")).isdecimal():
            return int(notes[key])
    ports = [port for each in fields.items(pod, "spec", "containers") for port in fields.items(each, "ports")]
    named = [port for port in ports if any(word in fields.text(port, "name") for word in _NAMES)]
    customary = [port for port in ports if fields.count(port, "containerPort") == _CUSTOMARY]
    return next((fields.count(port, "containerPort") for port in (*named, *customary)), 0)


def is_running(pod: Obj) -> bool:
    """Whether its program can answer."""
    ready = fields.text(fields.conditions_of(pod).get("Ready"), "status") == "True"
    return (
        fields.text(pod, "status", "phase") == "Running"
        and ready
        and not at(pod, "metadata", "deletionTimestamp")
    )


def chosen(pods: Iterable[Obj], used_bytes: dict[str, int], thing: str) -> Obj:
    """The running pod that uses most memory. Raises InvalidInputError when none runs."""
    running = sorted((pod for pod in pods if is_running(pod)), key=name_of)
    if not running:
        raise InvalidInputError(thing, "has no running pod", "a profile is taken of a program that runs")
    return max(running, key=lambda pod: used_bytes.get(name_of(pod), 0))


def draft(ref: ObjectRef, pod: Obj, what: ProfileOf, plan_id: str) -> Draft:
    """The plan to read one profile. Raises InvalidInputError when the pod declares no pprof port."""
    port = pprof_port(pod)
    if not port:
        raise InvalidInputError(
            f"profile of {ref}",
            "declares no pprof port (named pprof, 6060, or annotation profiles.grafana.com/memory.port)",
            "declare it; profiles over exec (jcmd, py-spy) are not built",
        )
    token = hashlib.sha256(f"{plan_id}/{uid_of(pod)}".encode()).hexdigest()[:10]
    body = {"what": what, "port": port, "key": f"profile-{what}-{token}"}
    steps = tuple(
        Step(
            name=f"{word} {token}",
            verb="run",
            body=body,
            gate=GateCheck(check="profile_kept", within_s=30, args={"key": body["key"], "part": word}),
        )
        for word in ("collect", "top 1-5", "top 6-10")
    )
    lasts = (
        f"samples for {CPU_S} s, some per cent of a core" if what == "cpu" else "one read, a moment's pause"
    )
    return Draft(
        action="profile",
        ref=ref.model_copy(update={"api_version": GROUP}),
        confirm=f"take a {what} profile of pod {ref.namespace}/{ref.name} over pprof at port {port}",
        steps=steps,
        reads=("spec.nodeName",),
        diff=(FieldChange(path=str(ref), before="", after="nothing is changed"),),
        reversible="full",
        shows={
            "door": f"GET {PATHS[what][0]} of port {port} through pods/proxy",
            "cost": lasts,
            "artefact": "sealed in the state directory, never answered: it may hold secrets. Names of "
            "functions and numbers are shown in the action's steps.",
        },
    )


def collected_text(profile: Profile, sha256: str, size_bytes: int) -> str:
    """What was kept."""
    return (
        f"{profile.kind} {_amount(profile.total, profile.unit)} in all; artefact sha256 {sha256[:16]}, "
        f"{size_bytes} bytes, sealed in the state directory"
    )


def top_text(profile: Profile, part: str) -> str:
    """The holders of one half."""
    found: Sequence[Holder] = profile.holders[:_HALF] if part.endswith("5") else profile.holders[_HALF:]
    said = [f"{each.function} {each.pct}% ({_amount(each.value, profile.unit)})" for each in found]
    return "; ".join(said) or "no more"


def _amount(value: int, unit: str) -> str:
    if unit == "bytes":
        return memory_text(value)
    return f"{value / 1e9:.2f} s" if unit == "nanoseconds" else f"{value}"
