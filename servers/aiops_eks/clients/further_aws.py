"""Asks AWS what explains a diagnosis: subnets when pods get no address, node groups when nodes are missing.

Called by `facts.py` beside the details, and once more behind them: a log or the first answers may make a
source worth its calls. A healthy cluster costs DescribeCluster with its version's support, ListInsights (only
those that do not pass) and its add-ons; one namespace without trouble costs nothing. What fails is a gap, and
a cluster whose AWS side is not known has one gap for all of it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import anyio

from aiops_eks.clients import aws_shapes as shapes
from aiops_eks.clients.aws_addons import AwsAddons, gap
from aiops_eks.clients.aws_ground import AwsGround
from aiops_eks.clients.control_plane import control_plane
from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import aws
from aiops_eks.diagnosis.further.aws import StorageSize
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.models.aws_addons import Issue, Read, Support
from aiops_eks.models.fields import Obj, part, text, words
from aiops_eks.ports import Clusters, Kube
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, UpstreamError

WITHIN_S = 12.0
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Brought:
    """What AWS answered, to be laid beside the other facts."""

    others: Mapping[type[Any], tuple[Any, ...]] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()


@dataclass
class Asked:
    """AWS asked about one cluster; what several sources need is asked once."""

    eks: EksCluster
    redact: Callable[[str], str]
    facts: Facts
    _lock: anyio.Lock = field(default_factory=anyio.Lock)
    _described: Obj | None = None

    @property
    def addons(self) -> AwsAddons:
        """What EKS itself says, by name."""
        return AwsAddons(self.eks)

    @property
    def ground(self) -> AwsGround:
        """The network below the cluster, and who is let in."""
        return AwsGround(self.eks)

    def issue(self, one: Issue) -> Issue:
        """A health issue with its words redacted."""
        return replace(one, message=self.redact(one.message))

    async def described(self) -> Obj:
        """DescribeCluster's `cluster`."""
        async with self._lock:
            if self._described is None:
                told = self.clean(await self.eks.describe())
                if not told:
                    raise UpstreamError(f"cluster {self.eks.name}", "its answer was cut off")
                self._described = told
        return self._described

    def clean(self, value: Any) -> Any:
        """With every text redacted."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {key: self.clean(one) for key, one in value.items()}
        return [self.clean(one) for one in value] if isinstance(value, list) else value


@dataclass
class FurtherAws:
    """The AWS side of one diagnosis."""

    clusters: Clusters
    cluster: str | None
    redact: Callable[[str], str]
    kube: Kube | None = None
    asked: set[type[Any]] = field(default_factory=set)  # a source is asked once, whatever came of it
    _side: Asked | None = None
    _none: bool = False

    async def of(self, facts: Facts) -> Brought:
        """What is worth asking now and was not asked yet: AWS, and the control plane that it runs."""
        found: dict[type[Any], tuple[Any, ...]] = {}
        gaps: list[str] = []
        async with anyio.create_task_group() as group:
            group.start_soon(self._database, facts, found, gaps)
            group.start_soon(self._of_aws, facts, found, gaps)
        return Brought(found, tuple(gaps))

    async def _of_aws(self, facts: Facts, found: dict[type[Any], tuple[Any, ...]], gaps: list[str]) -> None:
        wanted = [one for one in aws.AWS if one.type not in self.asked and one.when(facts)]
        if not wanted or self._none:
            return
        self.asked.update(one.type for one in wanted)
        try:
            side = await self._aws(facts)
        except AiopsError as problem:
            self._none = True
            gaps.append(f"AWS: {problem.wire()[:200]}")
            return
        with anyio.move_on_after(WITHIN_S) as deadline:
            await gathered([partial(_ask, one, side, found, gaps) for one in wanted])
        if deadline.cancelled_caught:
            late = [one.what for one in wanted if one.type not in found]
            gaps.extend(f"AWS: {what}: no answer within {WITHIN_S:.0f} s" for what in late)

    async def _database(self, facts: Facts, found: dict[type[Any], tuple[Any, ...]], gaps: list[str]) -> None:
        """How full the control plane's database is, by the API server's own measurements."""
        if self.kube is None or StorageSize in self.asked or not aws.whole(facts):
            return
        self.asked.add(StorageSize)
        with anyio.move_on_after(WITHIN_S) as deadline:
            try:
                size = (await control_plane(self.kube)).database_bytes
            except AiopsError as problem:
                gaps.append(f"control plane metrics: {problem.wire()[:200]}")
                return
            if size is not None:
                found[StorageSize] = (StorageSize(Ref("Cluster", "", facts.cluster), size),)
        if deadline.cancelled_caught:
            gaps.append(f"control plane metrics: no answer within {WITHIN_S:.0f} s")

    async def _aws(self, facts: Facts) -> Asked:
        if self._side is None:
            self._side = Asked(await self.clusters.eks(self.cluster), self.redact, facts)
        self._side.facts = facts
        return self._side


async def _ask(
    one: aws.AwsKind, side: Asked, found: dict[type[Any], tuple[Any, ...]], gaps: list[str]
) -> None:
    try:
        found[one.type] = tuple(await _READ[one.type](side, gaps))
    except AiopsError as problem:
        gaps.append(f"AWS: {gap(one.what, problem)}")
    except _UnreadError:
        return


def _kept(read: Read[Item], gaps: list[str]) -> tuple[Item, ...]:
    """What a source gave. Raises UnreadError when not even its names came."""
    gaps.extend(f"AWS: {gap}" for gap in read.gaps)
    if not read.known:
        raise _UnreadError
    return read.items


class _UnreadError(Exception):
    """Its gap is said already: the source stays unread, and nothing is concluded from its absence."""


async def _cluster(side: Asked, gaps: list[str]) -> list[aws.AwsCluster]:
    told = await side.described()
    version = text(told, "version")
    support: tuple[Support, ...] = ()
    if version:
        read = await side.addons.support(version)
        gaps.extend(f"AWS: {gap}" for gap in read.gaps)
        support = read.items
    issues = tuple(side.issue(one) for one in shapes.issues(told))
    return [aws.cluster(side.eks.name, told, issues, support[0] if support else None)]


async def _insights(side: Asked, gaps: list[str]) -> list[aws.AwsInsight]:
    found = _kept(await side.addons.insights(), gaps)
    return [
        aws.AwsInsight(replace(one, reason=side.redact(one.reason), name=side.redact(one.name)))
        for one in found
        if one.status in {"ERROR", "WARNING"}
    ]


async def _addons(side: Asked, gaps: list[str]) -> list[aws.AwsAddon]:
    found = _kept(await side.addons.installed(), gaps)
    return [aws.AwsAddon(replace(one, issues=tuple(map(side.issue, one.issues)))) for one in found]


async def _node_groups(side: Asked, gaps: list[str]) -> list[aws.AwsNodeGroup]:
    found = _kept(await side.addons.node_groups(), gaps)
    return [aws.AwsNodeGroup(replace(one, issues=tuple(map(side.issue, one.issues)))) for one in found]


async def _subnets(side: Asked, gaps: list[str]) -> list[aws.AwsSubnet]:
    """The subnets of the cluster, of its node groups, and those that the network plugin discovers."""
    network = part(await side.described(), "resourcesVpcConfig")
    ids = set(words(network, "subnetIds"))
    ids |= {each for group in side.facts.all(aws.AwsNodeGroup) for each in group.told.subnets}
    found = _kept(await side.ground.subnets(ids, text(network, "vpcId")), gaps)
    return [aws.subnet(one) for one in found]


async def _instance_types(side: Asked, gaps: list[str]) -> list[aws.AwsInstanceType]:
    nodes = {pod.node for pod in aws.without_sandbox(side.facts)}
    kinds = {n.labels.get(aws.INSTANCE_TYPE, "") for n in side.facts.nodes if n.name in nodes}
    return [aws.AwsInstanceType(one) for one in _kept(await side.ground.type_limits(kinds), gaps)]


async def _fargate(side: Asked, gaps: list[str]) -> list[aws.AwsFargateProfile]:
    return [aws.AwsFargateProfile(one) for one in _kept(await side.ground.fargate_profiles(), gaps)]


async def _associations(side: Asked, gaps: list[str]) -> list[aws.AwsAssociation]:
    rows = _kept(await side.ground.associations(side.facts.namespace), gaps)
    return [aws.AwsAssociation(Ref("ServiceAccount", one.namespace, one.service_account)) for one in rows]


async def _access(side: Asked, gaps: list[str]) -> list[aws.AwsAccess]:
    """Whether the roles of nodes that do not join are let in; one entry that fails leaves the source
    unread."""
    del gaps
    found: list[aws.AwsAccess] = []
    for role in aws.roles_not_joined(side.facts):
        entry = await side.ground.access_entry(role)
        found.append(aws.AwsAccess(Ref("AccessEntry", "", role), exists=entry is not None))
    return found


_READ: Mapping[type[Any], Callable[[Asked, list[str]], Awaitable[Iterable[Any]]]] = {
    aws.AwsCluster: _cluster,
    aws.AwsInsight: _insights,
    aws.AwsAddon: _addons,
    aws.AwsNodeGroup: _node_groups,
    aws.AwsSubnet: _subnets,
    aws.AwsInstanceType: _instance_types,
    aws.AwsFargateProfile: _fargate,
    aws.AwsAssociation: _associations,
    aws.AwsAccess: _access,
}
