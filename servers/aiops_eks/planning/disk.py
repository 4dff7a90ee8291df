"""Cleaning the disks of nodes: facts -> draft, its gates' verdicts, the way out where cleaning is no answer.

Rows S73, C10, C15; decisions D9, D11, D14, D26. The kubelet holds DiskPressure for five minutes after the
last shortage (`eviction-pressure-transition-period`) and reports every ten seconds, so the condition is
judged after 5 min 30 s and not before; the free space is judged at once, by the node's own `df`. Pure.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import Field

from aiops_eks.diagnosis.quantities import whole_bytes
from aiops_eks.models import fields
from aiops_eks.planning.disk_commands import COMMANDS, RUNS_S, TMP_AGE_MIN, Heap, Reading, gib
from aiops_eks.planning.drafts import Obj, at, name_of, uid_of
from aiops_eks.planning.nodes_scene import Nodes, NodesDraft, Spot, names_of, pool_of, target_of, wave_order
from aiops_eks.planning.wording import one_line
from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.models import FieldChange, GateCheck, GateResult, Step, TargetChange
from aiops_shared.results import Frozen

Executor = Literal["ssm", "pod"]
GROUPS: dict[Executor, str] = {"ssm": "ssm.disk.aiops/v1", "pod": "pod.disk.aiops/v1"}
EVICT_PCT = 10  # kubelet's default: nodefs.available<10%
SETTLES_S = 330.0
MOST_A_DAY = 2  # D9
RUN_WITHIN_S = RUNS_S + 120.0
_NO_SHELL = ("bottlerocket", "windows")


class Victim(Frozen):
    """A pod that the kubelet threw out for disk, and what it used."""

    pod: str
    container: str
    used: str


class DiskLook(Frozen):
    """What is known of one node's disk before anything runs on it."""

    executor: Executor
    why: str  # why this executor and not the other
    instance: str = ""
    pressed_for_s: int | None = None  # how long DiskPressure has held; None: it does not
    gc_freed_bytes: int | None = None  # what the kubelet's last image collection found to delete
    gc_error: str = ""  # why the kubelet could not delete images
    victims: tuple[Victim, ...] = ()


class PastClean(Frozen):
    """An earlier clean of the pool within a day."""

    ago_s: int
    node: str
    state: str
    said: str


class DiskScene(Frozen):
    """What a plan reasons from, beside the nodes."""

    plan_id: str
    looks: dict[str, DiskLook]  # by node
    past: tuple[PastClean, ...] = ()
    node_class: str = ""  # EC2NodeClass of the pool
    devices: tuple[dict[str, Any], ...] = Field(default_factory=tuple)  # its blockDeviceMappings
    gaps: tuple[str, ...] = ()


def token_of(plan_id: str, node: Obj) -> str:
    """What marks the commands of one plan on one node, so that none is sent twice."""
    return hashlib.sha256(f"{plan_id}/{uid_of(node)}".encode()).hexdigest()[:10]


def refuse_unfit(node: Obj) -> None:
    """Raises ActionRefusedError for nodes without a shell or a disk of their own."""
    labels, image = fields.labels_of(node), str(at(node, "status", "nodeInfo", "osImage") or "")
    compute = labels.get("eks.amazonaws.com/compute-type", "")
    if compute in {"auto", "fargate"}:
        why = f"is run by EKS itself (compute type {compute})"
    elif any(word in image.lower() for word in _NO_SHELL):
        why = f"has no shell that could clean it ({one_line(image, 60)})"
    else:
        return
    raise ActionRefusedError(
        f"clean_disk node {name_of(node)}", why, "plan_node_change(action=drain): the pool makes a new one"
    )


def clean_disk(nodes: Nodes, scene: DiskScene) -> NodesDraft:
    """Measure, remove unused images, remove old temporary files, measure again, wait for the condition.

    Raises ActionRefusedError for a node that cannot be cleaned.
    """
    for spot in nodes.spots:
        refuse_unfit(spot.obj)
    spots, waves = wave_order(nodes.spots)
    ways = sorted({_WAYS[scene.looks[spot.ref.name].executor] for spot in spots})
    return NodesDraft(
        action="clean_disk",
        confirm=f"clean the disk of {names_of(spots)}: remove unused images and temporary files older than a "
        f"day, by {' and '.join(ways)}",
        targets=tuple(_target(spot, scene) for spot in spots),
        waves=waves,
        diff=tuple(_row(spot, scene.looks[spot.ref.name]) for spot in spots),
        reversible="none",
        lost=(
            "images that no container uses (pulled again when a pod needs one)",
            f"files in /tmp and /var/tmp older than {TMP_AGE_MIN // 60} h",
        ),
        warnings=tuple(_warnings(spots, scene)),
        shows=_shows(spots, scene),
    )


_WAYS: dict[Executor, str] = {"ssm": "SSM Run Command", "pod": "a debug pod"}


def _target(spot: Spot, scene: DiskScene) -> TargetChange:
    look = scene.looks[spot.ref.name]
    names = {word: f"{word} {token_of(scene.plan_id, spot.obj)}" for word in _STEPS}
    steps = tuple(
        Step(
            name=names[word],
            verb="run",
            body={"command": command},
            gate=GateCheck(check=check, within_s=within_s, every_s=every_s, args=_args(word, names)),
        )
        for word, (command, check, within_s, every_s) in _STEPS.items()
    )
    ref = spot.ref.model_copy(update={"api_version": GROUPS[look.executor]})
    return target_of(Spot(ref=ref, obj=spot.obj), steps, ("spec.providerID",))


# Name of the step -> its command, what must hold after it, for how long, how often it is looked at.
_STEPS: dict[str, tuple[str, str, float, float]] = {
    "snapshot": ("measure", "command_done", RUN_WITHIN_S, 5.0),
    "clean images": ("prune_images", "command_done", RUN_WITHIN_S, 5.0),
    "clean tmp": ("clean_tmp", "command_done", RUN_WITHIN_S, 5.0),
    "verify disk": ("measure", "disk_freed", RUN_WITHIN_S, 5.0),
    "verify condition": ("tidy", "node_pressure_gone", SETTLES_S, 15.0),
}


def _args(word: str, names: dict[str, str]) -> dict[str, str]:
    """Which run a gate reads, and which one it compares with."""
    return {"run": names[word], "first": names["snapshot"]}


def word_of(step: str) -> str:
    """A step's name without its token."""
    return step.rpartition(" ")[0]


def _row(spot: Spot, look: DiskLook) -> FieldChange:
    held = (
        f"DiskPressure for {_minutes(look.pressed_for_s)}"
        if look.pressed_for_s is not None
        else "no pressure"
    )
    return FieldChange(
        path=f"{spot.ref} disk", before=held, after="unused images and old temporary files removed"
    )


def _minutes(seconds: float | None) -> str:
    minutes = math.floor((seconds or 0) / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _warnings(spots: Sequence[Spot], scene: DiskScene) -> Iterable[str]:
    for spot in spots:
        look, name = scene.looks[spot.ref.name], spot.ref.name
        if look.gc_freed_bytes == 0:
            yield (
                f"{name}: the kubelet found 0 bytes of unused images to delete (freed 0), so cleaning will "
                "hardly help: cordon and drain it sooner (plan_node_change(action=drain))."
            )
        if look.gc_error:
            yield f"{name}: the kubelet could not delete images ({one_line(look.gc_error, 160)}); crictl may."
        if look.pressed_for_s is None:
            yield f"{name} reports no DiskPressure: there may be nothing to win."
    if len(scene.past) >= MOST_A_DAY:
        yield (
            f"Cleaned {len(scene.past)} times within a day already: this one will be refused. "
            "Escalate: the disk is too small for what runs there; see shows."
        )
    yield from scene.gaps


def _shows(spots: Sequence[Spot], scene: DiskScene) -> dict[str, str]:
    looks = [scene.looks[spot.ref.name] for spot in spots]
    shown = {
        "executor": "; ".join(dict.fromkeys(f"{_WAYS[look.executor]}: {look.why}" for look in looks)),
        "commands": "crictl rmi --prune; find /tmp /var/tmp -xdev -type f -mmin +1440 -delete; df and du "
        f"around it; fixed texts ({_digest()}), nothing of yours reaches the shell",
        "verification": "free space at once; DiskPressure after 5 min 30 s (the kubelet holds it for 5 min)",
        "rollout": "",
    }
    if consumer := _consumer(looks, scene.past):
        shown["top consumer"] = consumer
    if len(spots) > 1:
        shown["rollout"] = (
            f"{len(spots)} nodes one after the other, none of one zone twice in a row if avoidable"
        )
    if len(scene.past) >= MOST_A_DAY:
        shown |= _escalation(spots, scene)
    return {key: text for key, text in shown.items() if text}


def _digest() -> str:
    return "sha256 " + hashlib.sha256("\0".join(COMMANDS.values()).encode()).hexdigest()[:12]


def _consumer(looks: Sequence[DiskLook], past: Sequence[PastClean]) -> str:
    """Who fills the disk, as far as events tell: what was thrown out, with what it used."""
    said = [
        f"{v.pod} (container {v.container}, {v.used} when evicted)" for look in looks for v in look.victims
    ]
    measured = next((each.said for each in past if "largest:" in each.said), "")
    if measured:
        said.insert(0, f"measured at the last clean-up: {measured.partition('largest: ')[2]}")
    return "; ".join(said[:4])


def _escalation(spots: Sequence[Spot], scene: DiskScene) -> dict[str, str]:
    history = "; ".join(
        f"{_minutes(each.ago_s)} ago on {each.node}: {each.state}, {each.said}" for each in scene.past[:4]
    )
    return {
        "escalation": f"{len(scene.past)} clean-ups of the pool within a day did not last. A person decides: "
        "a larger root volume (patch), or less on the node (top consumer).",
        "history": history,
        "patch": volume_patch(spots[0].obj, scene),
    }


def volume_patch(node: Obj, scene: DiskScene) -> str:
    """The EC2NodeClass with a root volume twice as large as what the node has."""
    size_gib = 2 * _root_gib(node)
    key, pool = pool_of(node)
    if key and key != "karpenter.sh/nodepool":
        return (
            f"Node group {pool}: set the root volume of its launch template to {size_gib} GiB, then update "
            "the node group to that version."
        )
    devices = [dict(each) for each in scene.devices] or [
        {"deviceName": "/dev/xvda", "ebs": {"volumeType": "gp3"}}
    ]
    root = next((each for each in devices if each.get("rootVolume")), devices[0])
    root["ebs"] = {**(root.get("ebs") or {}), "volumeSize": f"{size_gib}Gi"}
    told = json.dumps({"spec": {"blockDeviceMappings": devices}}, separators=(",", ":"))
    return f"kubectl patch ec2nodeclass {scene.node_class or 'NAME'} --type=merge -p '{told}'"


def _root_gib(node: Obj) -> int:
    """Its disk in GiB, by the capacity that the kubelet reports; 20 (Karpenter's) where it does not."""
    room = whole_bytes(at(node, "status", "capacity", "ephemeral-storage"))
    return math.ceil(room / 2**30) if room else 20


# what a look finds


def command_done(word: str, reading: Reading) -> GateResult:
    """A command ended well: in words for the journal."""
    if word == "snapshot":
        return GateResult(state="met", says=free_text(reading))
    return GateResult(state="met", says=f"freed {gib(reading.freed_kib)}, {gib(reading.after_kib or 0)} free")


def free_text(reading: Reading) -> str:
    """How much is free, and what is largest."""
    size, free = reading.size_kib or 0, reading.free_kib or 0
    share = f" of {gib(size)} ({100 * free // size} %)" if size else ""
    return f"{gib(free)}{share} free{_largest(reading.heaps)}"


def _largest(heaps: Sequence[Heap]) -> str:
    """The first few heaps of 100 MiB or more."""
    large = [f"{heap.what} {gib(heap.kib)}" for heap in heaps if heap.kib >= 100 * 1024]
    return f"; largest: {', '.join(large[:3])}" if large else ""


def disk_freed(first: Reading, last: Reading) -> GateResult:
    """Whether the node has room again by the kubelet's own measure: a tenth of the disk."""
    won = (last.free_kib or 0) - (first.free_kib or 0)
    says = f"freed {gib(won)}: {free_text(last)}"
    if not last.size_kib or last.free_kib is None:
        return GateResult(state="failed", says="the node did not say how much is free")
    if 100 * last.free_kib < EVICT_PCT * last.size_kib:
        return GateResult(
            state="failed",
            says=f"{says}. Below {EVICT_PCT} % the kubelet goes on evicting: cleaning again will not help, "
            "plan cordon and drain of this node",
        )
    return GateResult(state="met", says=says)


def node_pressure_gone(node: Obj) -> GateResult:
    """Whether DiskPressure is over; it cannot be sooner than five minutes after the last shortage."""
    condition = fields.conditions_of(node).get("DiskPressure")
    if fields.text(condition, "status") != "True":
        return GateResult(state="met", says="DiskPressure is gone")
    return GateResult(
        state="waiting",
        says="DiskPressure still holds: the kubelet keeps it for 5 min after the last shortage, judged after "
        "5 min 30 s",
    )
