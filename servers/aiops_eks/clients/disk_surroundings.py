"""Gathers what a plan to clean node disks reasons from. Fulfils `DisksAround` of the disk desk.

Who can reach the node, what the kubelet said, whom it threw out, what the pool's volumes look like.

SSM is taken where the node's agent is online and our rights reach it; else a debug pod, tried as a dry run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from aiops_eks.clients.disk_effects import SsmCommands, instance_of
from aiops_eks.clients.events import events_of
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.surroundings import tried
from aiops_eks.diagnosis.kubelet_words import disk_user, images_freed
from aiops_eks.models import fields
from aiops_eks.models.event_groups import Said
from aiops_eks.planning.disk import MOST_A_DAY, DiskLook, DiskScene, PastClean, Victim
from aiops_eks.planning.disk_commands import SPACE, debug_pod
from aiops_eks.planning.drafts import DryRun, Obj, at, name_of
from aiops_eks.planning.nodes_scene import Nodes, NodesDraft, Spot, pool_of
from aiops_eks.planning.wording import one_line
from aiops_eks.ports import Clusters, KubeReadWrite, SensitiveReads, WritableClusters
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.guardrails.redacting import redact

EVENTS_BACK = timedelta(hours=1)


@dataclass(frozen=True)
class _Way:
    """How a node can be reached, or why not."""

    open: bool
    why: str
    instance: str = ""


@dataclass(frozen=True)
class DiskSurroundings:
    """One server's way to look at disks before anything runs on them."""

    clusters: WritableClusters
    accounts: Clusters
    clock: Clock
    sensitive: SensitiveReads
    image: str

    async def scene(self, nodes: Nodes, plan_id: str, past: Sequence[PastClean]) -> DiskScene:
        """What stands around the disks of these nodes.

        Raises NotConfiguredError when a node can be reached neither way, with both reasons.
        """
        kube = await self.clusters.open(nodes.cluster)
        gaps: list[str] = []
        looked = await gathered([partial(self._look, kube, spot, gaps) for spot in nodes.spots])
        looks: dict[str, DiskLook] = {}
        for spot, look in zip(nodes.spots, looked, strict=True):
            if isinstance(look, AiopsError):
                raise look
            looks[spot.ref.name] = look
        scene = DiskScene(plan_id=plan_id, looks=looks, past=tuple(past), gaps=tuple(dict.fromkeys(gaps)))
        if len(past) < MOST_A_DAY:
            return scene
        return await self._with_volumes(kube, nodes.spots[0], scene)

    async def dry_run(self, draft: NodesDraft, nodes: Nodes) -> DryRun:
        """A debug pod on the API server; SSM knows no dry run, so what it needs was looked at instead."""
        kube = await self.clusters.open(nodes.cluster)
        pods = [target.ref.name for target in draft.targets if target.ref.group == "pod.disk.aiops"]
        for name in pods:
            dry = await self._dry_pod(kube, name)
            if dry.validation == "schema_only":
                return dry
        return DryRun(validation="server_dry_run" if len(pods) == len(draft.targets) else "prechecked")

    async def _look(self, kube: KubeReadWrite, spot: Spot, gaps: list[str]) -> DiskLook:
        ssm = await self._ssm(kube.cluster, spot.obj)
        why = ssm.why
        if not ssm.open:
            pod = await self._pod(kube, spot.ref.name)
            if not pod.open:
                raise NotConfiguredError(
                    f"clean_disk {spot.ref}",
                    f"the node cannot be reached: SSM: {ssm.why}; debug pod: {pod.why}",
                    "let the node's agent register with SSM, or make namespace aiops-system "
                    "(pod-security.kubernetes.io/enforce: privileged) with the right to create pods there",
                )
            why = f"{pod.why}, since SSM is closed: {ssm.why}"
        freed, error = await self._collected(kube, spot.ref.name, gaps)
        pressure = fields.conditions_of(spot.obj).get("DiskPressure") or {}
        since = fields.moment(pressure, "lastTransitionTime")
        held = fields.seconds_since(await self.clock.now(), since) or 0.0
        return DiskLook(
            executor="ssm" if ssm.open else "pod",
            why=why,
            instance=ssm.instance,
            pressed_for_s=round(held) if fields.text(pressure, "status") == "True" else None,
            gc_freed_bytes=freed,
            gc_error=error,
            victims=tuple(_victims(spot.pods)),
        )

    async def _ssm(self, cluster: str, node: Obj) -> _Way:
        """Whether the node's agent is online and its commands may be read."""
        instance = instance_of(node)
        if not instance:
            return _Way(open=False, why="the node names no EC2 instance")
        try:
            aws = await self.accounts.eks(cluster)
            told = await aws.call(
                "ssm",
                "describe_instance_information",
                Filters=[{"Key": "InstanceIds", "Values": [instance]}],
            )
            found = list(told.get("InstanceInformationList") or [])
            if not found:
                return _Way(open=False, why=f"{instance} is not registered with SSM")
            ping = str(found[0].get("PingStatus"))
            if ping != "Online":
                return _Way(open=False, why=f"the agent of {instance} is {one_line(ping, 40)}")
            await SsmCommands(self.accounts, cluster, self.clock).started(node)
        except AiopsError as error:
            return _Way(open=False, why=one_line(error.wire(), 240))
        return _Way(open=True, why=f"the agent of {instance} is online", instance=instance)

    async def _pod(self, kube: KubeReadWrite, node: str) -> _Way:
        """Whether our pod would be admitted. Missing rights make the plan `schema_only`; the way is open."""
        try:
            dry = await self._dry_pod(kube, node)
        except AiopsError as error:
            return _Way(open=False, why=one_line(error.wire(), 240))
        if dry.validation == "schema_only":
            refused = "; ".join(dry.missing)
            if "PodSecurity" in refused:  # admission's no, not a missing right
                return _Way(open=False, why=refused)
            return _Way(open=True, why=f"a pod of {SPACE}, which we may not make")
        return _Way(open=True, why=f"a pod of {SPACE} would be admitted")

    async def _dry_pod(self, kube: KubeReadWrite, node: str) -> DryRun:
        body = debug_pod(node, "eks-aiops-disk-dry-run", "measure", "dry run", self.image)
        return await tried(partial(kube.create, body, dry_run=True))

    async def _collected(self, kube: KubeReadWrite, node: str, gaps: list[str]) -> tuple[int | None, str]:
        """What the kubelet's last image collection found, and why it could not delete (C10)."""
        if not self.sensitive.allowed:
            gaps.append("events of the nodes: sensitive reads are off (AIOPS_SENSITIVE_READS)")
            return None, ""
        try:
            await self.sensitive.allow(f"events of Node {node}")
            since = await self.clock.now() - EVENTS_BACK
            found = await events_of(kube, "", "Node", node, since, redact)
        except AiopsError as error:
            gaps.append(f"events of node {node}: {one_line(error.wire(), 160)}")
            return None, ""
        said = {each.reason: each.message for each in sorted(found, key=_when)}
        failed = said.get("ImageGCFailed", "")
        error_said = failed.partition("errors in image deletion: ")[2]
        return images_freed(said.get("FreeDiskSpaceFailed", "")), error_said

    async def _with_volumes(self, kube: KubeReadWrite, spot: Spot, scene: DiskScene) -> DiskScene:
        """The class of the pool, whose root volume a person may want larger."""
        key, pool = pool_of(spot.obj)
        if key != "karpenter.sh/nodepool":
            return scene
        try:
            found = await kube.get("karpenter.sh/v1/NodePool", "", pool)
            name = str(at(found, "spec", "template", "spec", "nodeClassRef", "name") or "")
            made = await kube.get("karpenter.k8s.aws/v1/EC2NodeClass", "", name)
        except AiopsError as error:
            gap = f"The pool's EC2NodeClass was not read: {one_line(error.wire(), 160)}"
            return scene.model_copy(update={"gaps": (*scene.gaps, gap)})
        devices = tuple(fields.items(made, "spec", "blockDeviceMappings"))
        return scene.model_copy(update={"node_class": name_of(made), "devices": devices})


def _when(event: Said) -> datetime:
    return event.last or event.first or datetime.min.replace(tzinfo=UTC)


def _victims(pods: Sequence[Obj]) -> list[Victim]:
    """Whom the kubelet threw out for disk, by the pods' own words."""
    found = []
    for pod in pods:
        told = disk_user(fields.text(pod, "status", "message"))
        if fields.text(pod, "status", "reason") == "Evicted" and told:
            label = f"{fields.namespace_of(pod)}/{name_of(pod)}"
            found.append(Victim(pod=label, container=told[0], used=told[1]))
    return found[:5]
