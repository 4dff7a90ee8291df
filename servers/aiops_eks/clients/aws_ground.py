"""Asks EC2, EKS and IAM for the ground a cluster stands on: subnets' room, interfaces, access, roles.

Called by the views of `describe_cluster` and by the gathering of `diagnose`. As `aws_addons`: nothing raises
for what AWS answers; a source that fails is a gap that names the IAM action, and what the others said stands.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from aiops_eks.clients import aws_ground_shapes as shapes
from aiops_eks.clients.aws_addons import gap
from aiops_eks.clients.gathering import gathered
from aiops_eks.models.aws_addons import Read
from aiops_eks.models.aws_ground import (
    AccessEntry,
    FargateProfile,
    NodeNetwork,
    PodIdentityAssociation,
    Reservation,
    RoleTrust,
    SubnetRoom,
    TypeLimits,
    addresses_of,
    count_taken,
    free_blocks,
)
from aiops_shared.aws import EksCluster
from aiops_shared.errors import AiopsError, NotFoundError

Item = TypeVar("Item")
MOST_INTERFACES = 20_000
MOST_ENTRIES = 500
VALUES_PER_FILTER = 200  # EC2 takes no more values in one filter
CNI_TAG = "kubernetes.io/role/cni"


@dataclass(frozen=True, slots=True)
class AwsGround:
    """One cluster's ground."""

    eks: EksCluster

    # the network

    async def subnets(self, ids: Iterable[str], vpc: str = "") -> Read[SubnetRoom]:
        """Subnets with their free addresses and free /28 blocks, and with `vpc` those that the CNI discovers.

        The blocks need ec2:DescribeNetworkInterfaces and ec2:GetSubnetCidrReservations; without the first
        they stay unknown.
        """
        rows, gaps = await self._subnet_rows(sorted(set(ids)), vpc)
        if rows is None:
            return Read(gaps=tuple(gaps), known=False)
        counted = await self.counted([shapes.subnet(row) for row in rows])
        return replace(counted, gaps=(*gaps, *counted.gaps))

    async def vpc_subnets(self, vpc: str) -> Read[SubnetRoom]:
        """Every subnet of a VPC, its blocks not counted: a VPC may hold hundreds."""
        asked = [{"Name": "vpc-id", "Values": [vpc]}]
        return await self._list("ec2", "describe_subnets", "Subnets", shapes.subnet, Filters=asked)

    async def counted(self, found: Sequence[SubnetRoom]) -> Read[SubnetRoom]:
        """The same subnets with their free /28 blocks."""
        interfaces = await self.interfaces([one.id for one in found])
        gaps = list(interfaces.gaps)
        reserved = await self._reservations([one.id for one in found], gaps)
        held: dict[str, list[str]] = {}
        for each in interfaces.items:
            held.setdefault(str(each.get("SubnetId")), []).extend(addresses_of(each))
        known = interfaces.known
        done = (_with_blocks(one, held.get(one.id, []), reserved.get(one.id, ())) for one in found)
        return Read(tuple(done) if known else tuple(found), tuple(gaps))

    async def interfaces(self, subnets: Sequence[str]) -> Read[Mapping[str, Any]]:
        """Every network interface in these subnets, as EC2 describes it. Cut off counts as not known."""
        rows: list[Mapping[str, Any]] = []
        for start in range(0, len(subnets), VALUES_PER_FILTER):
            asked = [{"Name": "subnet-id", "Values": list(subnets[start : start + VALUES_PER_FILTER])}]
            page = await self._list(
                "ec2",
                "describe_network_interfaces",
                "NetworkInterfaces",
                dict,
                MOST_INTERFACES,
                Filters=asked,
            )
            if not page.known:
                return Read(gaps=page.gaps, known=False)
            rows += page.items
        return Read(tuple(rows))

    async def node_networks(self, subnets: Sequence[str]) -> Read[NodeNetwork]:
        """What each instance in these subnets holds."""
        found = await self.interfaces(subnets)
        return Read(tuple(shapes.node_networks(found.items)), found.gaps, found.known)

    async def type_limits(self, types: Iterable[str]) -> Read[TypeLimits]:
        """How many addresses machines of these types can hold."""
        wanted = sorted({each for each in types if each})[:100]
        if not wanted:
            return Read()
        return await self._list(
            "ec2", "describe_instance_types", "InstanceTypes", shapes.type_limits, InstanceTypes=wanted
        )

    async def _subnet_rows(
        self, ids: Sequence[str], vpc: str
    ) -> tuple[list[Mapping[str, Any]] | None, list[str]]:
        asked: list[dict[str, Any]] = [{"SubnetIds": ids}] if ids else []
        if vpc:
            tagged = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": f"tag:{CNI_TAG}", "Values": ["0", "1"]}]
            asked.append({"Filters": tagged})
        rows: dict[str, Mapping[str, Any]] = {}
        gaps: list[str] = []
        for each in asked:
            page = await self._list("ec2", "describe_subnets", "Subnets", dict, **each)
            gaps += page.gaps
            rows |= {str(one.get("SubnetId")): one for one in page.items}
        return (list(rows.values()) if rows or not gaps else None), list(dict.fromkeys(gaps))

    async def _reservations(self, ids: Sequence[str], gaps: list[str]) -> dict[str, tuple[Reservation, ...]]:
        async def one(subnet: str) -> tuple[Reservation, ...]:
            answer = await self.eks.call("ec2", "get_subnet_cidr_reservations", SubnetId=subnet)
            return shapes.reservations(answer)

        outcomes = await gathered([partial(one, each) for each in ids])
        failed = [each for each in outcomes if isinstance(each, AiopsError)]
        if failed:
            said = gap("ec2:GetSubnetCidrReservations", failed[0])
            gaps.append(f"{said}; blocks are counted as if nothing were reserved")
        pairs = zip(ids, outcomes, strict=True)
        return {name: found for name, found in pairs if not isinstance(found, AiopsError)}

    # who is let in

    async def access_entries(self, *, policies: bool = True) -> Read[AccessEntry]:
        """The principals that the cluster lets in, with groups and access policies."""
        names = await self._list(
            "eks", "list_access_entries", "accessEntries", str, clusterName=self.eks.name
        )
        outcomes = await gathered(
            [partial(self._entry, each, policies) for each in names.items[:MOST_ENTRIES]]
        )
        failed = [each for each in outcomes if isinstance(each, AiopsError)]
        found = [each for each in outcomes if not isinstance(each, AiopsError)]
        gaps = list(names.gaps)
        if failed:
            gaps.append(f"{gap('eks:DescribeAccessEntry', failed[0])} ({len(failed)} entries unknown)")
        if policies and any(not each.policies_known for each in found):
            gaps.append("eks:ListAssociatedAccessPolicies did not answer: policies of entries are unknown")
        return Read(tuple(found), tuple(gaps), names.known and not failed)

    async def access_entry(self, principal: str) -> AccessEntry | None:
        """The entry of one principal; None when there is none. Raises `AiopsError`."""
        try:
            return await self._entry(principal, True)
        except NotFoundError:
            return None

    async def _entry(self, principal: str, policies: bool) -> AccessEntry:
        asked: dict[str, Any] = {"clusterName": self.eks.name, "principalArn": principal}
        answer = await self.eks.call("eks", "describe_access_entry", **asked)
        entry = shapes.access_entry(answer, principal)
        if not policies:
            return replace(entry, policies_known=False)
        try:
            found = await self.eks.every(
                "eks", "list_associated_access_policies", "associatedAccessPolicies", **asked
            )
        except AiopsError:
            return replace(entry, policies_known=False)
        return replace(entry, policies=tuple(shapes.policy(one) for one in found.items))

    async def associations(self, namespace: str = "", account: str = "") -> Read[PodIdentityAssociation]:
        """Pod Identity associations, of one ServiceAccount or of all; their roles come with a detail call."""
        asked = {"namespace": namespace, "serviceAccount": account}
        given: dict[str, Any] = {key: value for key, value in asked.items() if value}
        listed = await self._list(
            "eks",
            "list_pod_identity_associations",
            "associations",
            shapes.association,
            clusterName=self.eks.name,
            **given,
        )

        async def told(one: PodIdentityAssociation) -> PodIdentityAssociation:
            answer = await self.eks.call(
                "eks", "describe_pod_identity_association", clusterName=self.eks.name, associationId=one.id
            )
            return shapes.association(answer.get("association") or {})

        outcomes = await gathered([partial(told, one) for one in listed.items[:MOST_ENTRIES]])
        failed = [each for each in outcomes if isinstance(each, AiopsError)]
        said = (gap("eks:DescribePodIdentityAssociation", failed[0]),) if failed else ()
        pairs = zip(listed.items, outcomes, strict=False)
        items = tuple(one if isinstance(found, AiopsError) else found for one, found in pairs)
        return Read(items, (*listed.gaps, *said), listed.known)

    async def fargate_profiles(self) -> Read[FargateProfile]:
        """The Fargate profiles of the cluster."""
        names = await self._list(
            "eks", "list_fargate_profiles", "fargateProfileNames", str, clusterName=self.eks.name
        )

        async def told(name: str) -> FargateProfile:
            answer = await self.eks.call(
                "eks", "describe_fargate_profile", clusterName=self.eks.name, fargateProfileName=name
            )
            return shapes.fargate_profile(answer.get("fargateProfile") or {})

        outcomes = await gathered([partial(told, name) for name in names.items])
        failed = [each for each in outcomes if isinstance(each, AiopsError)]
        said = (gap("eks:DescribeFargateProfile", failed[0]),) if failed else ()
        items = tuple(each for each in outcomes if not isinstance(each, AiopsError))
        return Read(items, (*names.gaps, *said), names.known)

    # IAM

    async def role(self, name: str) -> RoleTrust | None:
        """A role's trust policy; None when there is no such role. Raises `AiopsError`."""
        try:
            answer = await self.eks.call("iam", "get_role", RoleName=name)
        except NotFoundError:
            return None
        return shapes.role(answer.get("Role") or {})

    async def providers(self) -> tuple[str, ...]:
        """The account's OIDC providers, by ARN. Raises `AiopsError`."""
        answer = await self.eks.call("iam", "list_open_id_connect_providers")
        rows = answer.get("OpenIDConnectProviderList") or []
        return tuple(str(one.get("Arn")) for one in rows if isinstance(one, Mapping))

    async def _list(
        self,
        service: str,
        operation: str,
        key: str,
        read: Callable[[Any], Item],
        at_most: int = 1000,
        **asked: Any,
    ) -> Read[Item]:
        action = f"{service}:" + "".join(word.capitalize() for word in operation.split("_"))
        try:
            found = await self.eks.every(service, operation, key, at_most=at_most, **asked)
        except AiopsError as error:
            return Read(gaps=(gap(action, error),), known=False)
        said = (f"{action}: more than {at_most}, the rest was not read",) if found.truncated else ()
        return Read(tuple(read(one) for one in found.items), said, known=not found.truncated)


def _with_blocks(one: SubnetRoom, taken: Sequence[str], reservations: tuple[Reservation, ...]) -> SubnetRoom:
    unseen = one.size - count_taken(one.cidr, [*taken, *shapes.kept(one.cidr)]) - one.free
    return replace(
        one,
        free_blocks=free_blocks(one.cidr, taken, reservations),
        exact=unseen <= 0,
        reservations=reservations,
    )
