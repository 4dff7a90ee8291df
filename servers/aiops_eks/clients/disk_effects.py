"""The executor's hand for node disks: starts fixed commands, and reads back how they ended.

One adapter, two ways to reach a node: SSM Run Command (`SsmCommands`) and a debug pod (`PodCommands`). A
step's name carries a token of its plan; it is the comment of the SSM command and the name of the pod, so
whoever carries the action on finds what was started and does not start it again (D1). SendCommand knows no
client token: an unanswered one is looked for by its comment before it is sent again, and the texts may run
twice.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import anyio

from aiops_eks.clients.node_surroundings import NodeSurroundings
from aiops_eks.clients.one_way import OneWay
from aiops_eks.models import fields
from aiops_eks.planning.disk import command_done, disk_freed, node_pressure_gone, word_of
from aiops_eks.planning.disk_commands import (
    LABEL,
    OWNER,
    RUNS_S,
    SPACE,
    STEP_NOTE,
    Reading,
    debug_pod,
    read_output,
    script_of,
)
from aiops_eks.planning.disk_facts import disk_facts
from aiops_eks.planning.drafts import Obj, at, name_of, uid_of
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.wording import one_line
from aiops_eks.ports import Clusters, KubeReadWrite
from aiops_shared.clock import Clock
from aiops_shared.errors import (
    AccessDeniedError,
    ActionRefusedError,
    ConflictError,
    NotFoundError,
    PlanStaleError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
)
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step
from aiops_shared.guardrails.permits import Permit
from aiops_shared.results import Frozen

DOCUMENT = "AWS-RunShellScript"
PREFIX = "eks-aiops disk: "
DELIVERED_WITHIN_S = 60
LOOKS_BACK = timedelta(hours=24)
SEEN_AFTER_S = (1.0, 2.0)  # a command may be listed a moment after it was accepted
_RUNNING = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})


class Started(Frozen):
    """A command that was started on a node: where it is found again."""

    handle: str  # command id, or pod name
    uid: str = ""
    status: str = ""


class Ended(Frozen):
    """How a command stands."""

    state: str  # running, done, failed
    reading: Reading = Reading()
    says: str = ""


class Commands(Protocol):
    """One way to run our commands on a node. Raises `AiopsError` only."""

    async def started(self, node: Obj) -> dict[str, Started]:
        """What was started on a node within a day, by step name."""
        ...

    async def start(self, node: Obj, step: str, command: str, permit: Permit) -> None:
        """Start a command under a step's name. Nothing happens when it was started already."""
        ...

    async def ended(self, node: Obj, run: Started) -> Ended:
        """How it ended, or that it runs."""
        ...

    async def tidy(self, node: Obj, token: str, permit: Permit) -> int:
        """Take away what a plan left behind; how many things."""
        ...


def instance_of(node: Obj) -> str:
    """The EC2 instance id of a node (`aws:///zone/i-…`); empty when it names none."""
    last = str(at(node, "spec", "providerID") or "").rpartition("/")[2]
    return last if last.startswith("i-") else ""


@dataclass(frozen=True)
class SsmCommands:
    """Over SSM Run Command: ssm:SendCommand on the document and the instance, ssm:ListCommandInvocations,
    ssm:GetCommandInvocation.
    """

    accounts: Clusters
    cluster: str
    clock: Clock

    async def started(self, node: Obj) -> dict[str, Started]:
        """By the comment that we gave each command."""
        since = await self.clock.now() - LOOKS_BACK
        aws = await self.accounts.eks(self.cluster)
        found = await aws.every(
            "ssm",
            "list_command_invocations",
            "CommandInvocations",
            InstanceId=instance_of(node),
            Filters=[{"key": "InvokedAfter", "value": since.strftime("%Y-%m-%dT%H:%M:%SZ")}],
        )
        runs: dict[str, Started] = {}
        for each in found.items:
            comment = str(each.get("Comment") or "")
            if comment.startswith(PREFIX):
                told = Started(handle=str(each.get("CommandId")), status=str(each.get("Status")))
                runs[comment.removeprefix(PREFIX)] = told
        return runs

    async def start(self, node: Obj, step: str, command: str, permit: Permit) -> None:
        """Send it, unless its comment stands in the list. An answer that was lost is looked for."""
        del permit  # asked by DiskEffects; AWS has no use for it
        if step in await self.started(node):
            return
        try:
            await self._send(node, step, command)
        except ThrottledError:
            raise
        except UpstreamError as error:
            if "InvalidInstanceId" in str(error):
                raise ActionRefusedError(
                    f"node {name_of(node)}", error.reason, "SSM no longer manages it: plan again"
                ) from error
            for seconds in SEEN_AFTER_S:
                await anyio.sleep(seconds)
                if step in await self.started(node):
                    return
            raise

    async def _send(self, node: Obj, step: str, command: str) -> None:
        aws = await self.accounts.eks(self.cluster)
        await aws.call(
            "ssm",
            "send_command",
            DocumentName=DOCUMENT,
            InstanceIds=[instance_of(node)],
            Comment=f"{PREFIX}{step}"[:100],
            TimeoutSeconds=DELIVERED_WITHIN_S,
            Parameters={"commands": [script_of(command)], "executionTimeout": [str(RUNS_S)]},
        )

    async def ended(self, node: Obj, run: Started) -> Ended:
        """GetCommandInvocation; a command is known there a moment after it was accepted."""
        aws = await self.accounts.eks(self.cluster)
        try:
            told: dict[str, Any] = await aws.call(
                "ssm", "get_command_invocation", CommandId=run.handle, InstanceId=instance_of(node)
            )
        except UpstreamError as error:
            if "InvocationDoesNotExist" in str(error):
                return Ended(state="running", says="SSM does not show it yet")
            raise
        status, reading = str(told.get("Status")), read_output(str(told.get("StandardOutputContent") or ""))
        if status in _RUNNING:
            return Ended(state="running", says=f"SSM command {run.handle} is {status}")
        if status == "Success" or (status == "Failed" and reading.freed_kib > 0):
            return Ended(state="done", reading=reading)
        why = reading.error or f"exit code {told.get('ResponseCode')}"
        details = str(told.get("StatusDetails") or status)
        return Ended(
            state="failed",
            says=f"SSM command {run.handle} ended {one_line(details, 40)}: {_why(details, why)}",
        )

    async def tidy(self, node: Obj, token: str, permit: Permit) -> int:
        """SSM leaves nothing on the cluster."""
        del node, token, permit
        return 0


def _why(details: str, why: str) -> str:
    if details == "DeliveryTimedOut":
        return f"the node's agent did not take it within {DELIVERED_WITHIN_S} s"
    return f"it ran longer than {RUNS_S} s" if details == "ExecutionTimedOut" else one_line(why, 200)


@dataclass(frozen=True)
class PodCommands:
    """By a pod of ours in namespace aiops-system, which the operator admits there (D14)."""

    kube: KubeReadWrite
    image: str

    async def started(self, node: Obj) -> dict[str, Started]:
        """Our pods on the node, by the step they were made for."""
        chosen = self.kube.every(
            "Pod", SPACE, selector=f"{LABEL}={OWNER}", fields=f"spec.nodeName={name_of(node)}", at_most=200
        )
        return {
            str(notes[STEP_NOTE]): Started(
                handle=name_of(pod), uid=uid_of(pod), status=fields.text(pod, "status", "phase")
            )
            async for pod in chosen
            if (notes := fields.part(pod, "metadata", "annotations")).get(STEP_NOTE)
        }

    async def start(self, node: Obj, step: str, command: str, permit: Permit) -> None:
        """Create the pod; one of that name is this step's own."""
        body = debug_pod(name_of(node), _pod_name(step), command, step, self.image)
        await self._sweep(node, step.rpartition(" ")[2], permit)
        try:
            await self.kube.create(body, dry_run=False, permit=permit)
        except ConflictError:
            if step not in await self.started(node):
                raise

    async def ended(self, node: Obj, run: Started) -> Ended:
        """The pod's phase and its termination message."""
        del node
        try:
            pod = await self.kube.get("Pod", SPACE, run.handle)
        except NotFoundError:
            return Ended(state="failed", says=f"debug pod {run.handle} is gone")
        phase = fields.text(pod, "status", "phase")
        told = (fields.items(pod, "status", "containerStatuses") or [{}])[0]
        message = fields.text(told, "state", "terminated", "message")
        reading = read_output(message)
        if phase == "Succeeded" or (phase == "Failed" and reading.freed_kib > 0):
            return Ended(state="done", reading=reading)
        if phase == "Failed":
            why = (
                reading.error
                or fields.text(pod, "status", "message")
                or one_line(message, 160)
                or "no reason"
            )
            return Ended(state="failed", says=f"debug pod {run.handle} failed: {one_line(why, 200)}")
        waits = fields.text(told, "state", "waiting", "reason")
        return Ended(state="running", says=f"debug pod {run.handle} is {phase or 'Pending'} {waits}".strip())

    async def tidy(self, node: Obj, token: str, permit: Permit) -> int:
        """Delete the plan's pods, each by its uid."""
        ours = [run for step, run in (await self.started(node)).items() if step.endswith(token)]
        for run in ours:
            await self._delete(run, permit)
        return len(ours)

    async def _sweep(self, node: Obj, token: str, permit: Permit) -> None:
        """Finished pods of earlier plans, whose process died before it tidied up."""
        for step, run in (await self.started(node)).items():
            if not step.endswith(token) and run.status in {"Succeeded", "Failed"}:
                await self._delete(run, permit)

    async def _delete(self, run: Started, permit: Permit) -> None:
        with suppress(NotFoundError):
            await self.kube.delete("Pod", SPACE, run.handle, uid=run.uid, dry_run=False, permit=permit)


def _pod_name(step: str) -> str:
    return f"eks-aiops-{step.replace(' ', '-')}"


@dataclass(frozen=True)
class DiskEffects(OneWay):
    """Fulfils `Effects` for targets `ssm.disk.aiops/v1/Node` and `pod.disk.aiops/v1/Node`."""

    never: ClassVar = ("what was cleaned cannot be given back", "nothing to do")

    kube: KubeReadWrite
    commands: Commands
    surroundings: NodeSurroundings

    async def read(self, ref: ObjectRef) -> Json | None:
        """The node now, with what we started on it under `status.runs`."""
        node = await self._node(ref)
        if node is None:
            return None
        runs = await self.commands.started(node)
        told = {step: run.model_dump() for step, run in runs.items()}
        return {**node, "status": {**(node.get("status") or {}), "runs": told}}

    async def _node(self, ref: ObjectRef) -> Obj | None:
        try:
            return await self.kube.get("v1/Node", "", ref.name)
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise
            return None

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Start the step's command. Its outcome is the gate's business."""
        permit.covers(ref)
        if current is None:
            raise PlanStaleError(str(ref), "is gone", "plan again")
        if step.verb != "run":
            raise ActionRefusedError(str(ref), f"a node's disk knows no {step.verb}", "plan again")
        if step.body["command"] == "tidy":
            await self.commands.tidy(current, step.name.rpartition(" ")[2], permit)
            return {**current, "status": {**current["status"], "runs": {step.name: {"handle": ""}}}}
        await self.commands.start(current, step.name, step.body["command"], permit)
        return None

    async def leave(self, ref: ObjectRef, steps: tuple[Step, ...], permit: Permit) -> str:
        """Fulfils `Leaver`: the debug pods of a clean that failed go too."""
        permit.covers(ref)
        node = await self._node(ref)
        if node is None or not steps:
            return ""
        gone = await self.commands.tidy(node, steps[0].name.rpartition(" ")[2], permit)
        return f"{gone} debug pods removed" if gone else ""

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at a command, or at the node's condition."""
        node = await self._node(ref)
        if node is None:
            return GateResult(state="failed", says=f"{ref} is gone")
        if check.check == "node_pressure_gone":
            return node_pressure_gone(node)
        try:
            return await self._look_at_command(node, check)
        except UnauthenticatedError:
            raise
        except AccessDeniedError as error:  # names the action that is missing; waiting would not bring it
            return GateResult(state="failed", says=f"what it did cannot be read: {error}")

    async def _look_at_command(self, node: Obj, check: GateCheck) -> GateResult:
        runs = await self.commands.started(node)
        step = str(check.args["run"])
        if step not in runs:
            return GateResult(state="waiting", says=f"{word_of(step)}: not listed yet")
        last = await self.commands.ended(node, runs[step])
        if last.state != "done":
            return GateResult(state="waiting" if last.state == "running" else "failed", says=last.says)
        if check.check == "command_done":
            return command_done(word_of(step), last.reading)
        first = runs.get(str(check.args["first"]))
        before = (await self.commands.ended(node, first)).reading if first else Reading()
        return disk_freed(before, last.reading)

    async def measure(self, plan: Plan) -> Facts:
        """Whether the nodes are still short of disk, and the rest of the facts, now."""
        refs = [target.ref for target in plan.targets]
        nodes = await self.surroundings.around_refs(self.kube, refs, moves=False)
        return disk_facts(measure_nodes(nodes, plan.action, plan.reversible))
