"""EC2's, EKS's and IAM's answers about the ground as our models; what is misshapen reads as absent.

Called by `aws_ground`. Names on the left are those of the EC2, EKS and IAM API references.
"""

import json
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any
from urllib.parse import unquote

from aiops_eks.models.aws_ground import (
    AccessEntry,
    FargateProfile,
    NodeNetwork,
    PodIdentityAssociation,
    Reservation,
    RoleTrust,
    SubnetRoom,
    TrustRule,
    TypeLimits,
)
from aiops_eks.models.fields import Obj, count, items, part, text, words


def subnet(told: Obj) -> SubnetRoom:
    """One row of DescribeSubnets, its blocks not counted yet."""
    tags = {text(one, "Key"): text(one, "Value") for one in items(told, "Tags")}
    cidr = text(told, "CidrBlock")
    return SubnetRoom(
        id=text(told, "SubnetId"),
        cidr=cidr,
        zone=text(told, "AvailabilityZone"),
        free=count(told, "AvailableIpAddressCount"),
        size=_size(cidr),
        for_pods=tags.get("kubernetes.io/role/cni", ""),
        tags=tags,
    )


def _size(cidr: str) -> int:
    try:
        return IPv4Network(cidr).num_addresses
    except ValueError:
        return 0


def kept(cidr: str) -> list[str]:
    """The five addresses of a subnet that EC2 keeps."""
    if _size(cidr) < 8:
        return []
    network = IPv4Network(cidr)
    return [str(network[place]) for place in (0, 1, 2, 3, -1)]


def reservations(told: Obj) -> tuple[Reservation, ...]:
    """GetSubnetCidrReservations, the IPv4 side."""
    rows = items(told, "SubnetIpv4CidrReservations")
    return tuple(Reservation(text(one, "Cidr"), text(one, "ReservationType")) for one in rows)


def type_limits(told: Obj) -> TypeLimits:
    """One row of DescribeInstanceTypes."""
    network = part(told, "NetworkInfo")
    return TypeLimits(
        instance_type=text(told, "InstanceType"),
        interfaces=count(network, "MaximumNetworkInterfaces"),
        addresses_each=count(network, "Ipv4AddressesPerInterface"),
        nitro=text(told, "Hypervisor") != "xen",
    )


def node_networks(rows: Iterable[Mapping[str, Any]]) -> list[NodeNetwork]:
    """Interfaces by the instance they are attached to."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if instance := text(row, "Attachment", "InstanceId"):
            found.setdefault(instance, []).append(row)
    return [
        NodeNetwork(
            instance_id=instance,
            subnets=tuple(sorted({text(one, "SubnetId") for one in held})),
            interfaces=len(held),
            addresses=sum(len(items(one, "PrivateIpAddresses")) - 1 for one in held),
            prefixes=sum(len(items(one, "Ipv4Prefixes")) for one in held),
        )
        for instance, held in found.items()
    ]


def access_entry(told: Obj, principal: str) -> AccessEntry:
    """DescribeAccessEntry, its policies not read yet."""
    entry = part(told, "accessEntry")
    return AccessEntry(
        principal=text(entry, "principalArn") or principal,
        kind=text(entry, "type") or "STANDARD",
        username=text(entry, "username"),
        groups=tuple(words(entry, "kubernetesGroups")),
    )


def policy(told: Obj) -> tuple[str, str]:
    """An associated access policy: its name and how far it reaches."""
    scope = part(told, "accessScope")
    reach = text(scope, "type")
    if reach == "namespace":
        reach = f"namespace: {', '.join(words(scope, 'namespaces'))}"
    return text(told, "policyArn").rpartition("/")[2], reach


def association(told: Obj) -> PodIdentityAssociation:
    """One Pod Identity association, listed or described."""
    return PodIdentityAssociation(
        id=text(told, "associationId"),
        namespace=text(told, "namespace"),
        service_account=text(told, "serviceAccount"),
        role_arn=text(told, "roleArn"),
        target_role_arn=text(told, "targetRoleArn"),
    )


def fargate_profile(told: Obj) -> FargateProfile:
    """DescribeFargateProfile's `fargateProfile`."""
    return FargateProfile(
        name=text(told, "fargateProfileName"),
        status=text(told, "status"),
        subnets=tuple(words(told, "subnets")),
        selectors=tuple(
            (
                text(one, "namespace"),
                tuple((key, text(one, "labels", key)) for key in sorted(part(one, "labels"))),
            )
            for one in items(told, "selectors")
        ),
        issues=tuple(
            f"{text(one, 'code')}: {text(one, 'message')}" for one in items(told, "health", "issues")
        ),
    )


def role(told: Obj) -> RoleTrust:
    """GetRole's `Role`; botocore gives the policy as an object, IAM's wire as URL-encoded JSON."""
    document: object = told.get("AssumeRolePolicyDocument")
    if isinstance(document, str):
        try:
            document = json.loads(unquote(document))
        except ValueError:
            document = {}
    found = part({"document": document}, "document").get("Statement")
    statements = found if isinstance(found, list) else [found]
    rules = tuple(
        _rule(one) for one in statements if isinstance(one, Mapping) and text(one, "Effect") == "Allow"
    )
    return RoleTrust(text(told, "Arn"), rules)


def _rule(told: Obj) -> TrustRule:
    principal = told.get("Principal")
    named = principal if isinstance(principal, Mapping) else {"AWS": principal}
    return TrustRule(
        actions=_many(told.get("Action")),
        principals=tuple(f"{kind} {one}" for kind, held in named.items() for one in _many(held)),
        conditions=tuple(
            (str(operator), str(key), _many(values))
            for operator, keys in part(told, "Condition").items()
            if isinstance(keys, Mapping)
            for key, values in keys.items()
        ),
    )


def _many(value: object) -> tuple[str, ...]:
    """IAM writes one value alone and several as a list."""
    held = value if isinstance(value, list) else [value]
    return tuple(one for one in held if isinstance(one, str))
