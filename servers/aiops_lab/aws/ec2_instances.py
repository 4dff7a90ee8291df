"""EC2's instances and network interfaces: the nodes of the world, and who holds which address.

The world's CNI makes them (`world/cni.py`); what an instance type can hold is `instance_types.py`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, VPC_ID, Account
from aiops_lab.aws.ec2_asking import filtered, in_pages
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.vpc import Instance, Interface, Vpc
from aiops_lab.instance_types import TYPES, InstanceType

_INTERFACE_FILTERS = {
    "subnet-id": "SubnetId",
    "vpc-id": "VpcId",
    "network-interface-id": "NetworkInterfaceId",
    "availability-zone": "AvailabilityZone",
    "description": "Description",
    "status": "Status",
    "private-ip-address": "PrivateIpAddress",
    "addresses.private-ip-address": "PrivateIpAddresses.PrivateIpAddress",
    "attachment.instance-id": "Attachment.InstanceId",
    "interface-type": "InterfaceType",
    "requester-id": "RequesterId",
}
_INSTANCE_FILTERS = {
    "instance-id": "InstanceId",
    "instance-type": "InstanceType",
    "instance-state-name": "State.Name",
    "subnet-id": "SubnetId",
    "vpc-id": "VpcId",
    "availability-zone": "Placement.AvailabilityZone",
    "private-dns-name": "PrivateDnsName",
    "private-ip-address": "PrivateIpAddress",
    "instance-lifecycle": "InstanceLifecycle",
}
_TYPE_FILTERS = {
    "instance-type": "InstanceType",
    "hypervisor": "Hypervisor",
    "current-generation": "CurrentGeneration",
    "bare-metal": "BareMetal",
    "processor-info.supported-architecture": "ProcessorInfo.SupportedArchitectures",
    "vcpu-info.default-vcpus": "VCpuInfo.DefaultVCpus",
    "memory-info.size-in-mib": "MemoryInfo.SizeInMiB",
}


def ec2_instance_operations(account: Account) -> Operations:
    """The operations of service `ec2` about instances, bound to one account."""
    served = {
        "DescribeNetworkInterfaces": describe_network_interfaces,
        "DescribeInstances": describe_instances,
        "DescribeInstanceTypes": describe_instance_types,
    }
    return {("ec2", name): partial(act, account) for name, act in served.items()}


def describe_network_interfaces(account: Account, call: Call) -> Mapping[str, Any]:
    """Interfaces by id and filter. Raises AwsError InvalidNetworkInterfaceID.NotFound."""
    held = account.in_world(lambda: _interfaces(account)) if call.region == REGION else {}
    wanted = call.params.get("NetworkInterfaceIds") or list(held)
    for each in wanted:
        if each not in held:
            words = f"The networkInterface ID '{each}' does not exist"
            raise AwsError("InvalidNetworkInterfaceID.NotFound", words)
    rows = [held[each] for each in wanted]
    return in_pages("NetworkInterfaces", filtered(rows, call, _INTERFACE_FILTERS), call)


def describe_instances(account: Account, call: Call) -> Mapping[str, Any]:
    """Instances by id and filter, each in a reservation of its own. Raises InvalidInstanceID.NotFound."""
    held = account.in_world(lambda: _instances(account)) if call.region == REGION else {}
    wanted = call.params.get("InstanceIds") or list(held)
    for each in wanted:
        if each not in held:
            raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{each}' does not exist")
    rows = filtered([held[each] for each in wanted], call, _INSTANCE_FILTERS)
    page = in_pages("Reservations", rows, call)
    page["Reservations"] = [
        {"ReservationId": f"r-{row['InstanceId'][2:]}", "OwnerId": ACCOUNT_ID, "Instances": [row]}
        for row in page["Reservations"]
    ]
    return page


def describe_instance_types(account: Account, call: Call) -> Mapping[str, Any]:
    """What types can hold. Raises AwsError InvalidInstanceType."""
    del account
    wanted = call.params.get("InstanceTypes") or list(TYPES)
    unknown = [each for each in wanted if each not in TYPES]
    if unknown:
        words = f"The following supplied instance types do not exist: [{', '.join(unknown)}]"
        raise AwsError("InvalidInstanceType", words)
    rows = [_type(TYPES[each]) for each in wanted]
    return in_pages("InstanceTypes", filtered(rows, call, _TYPE_FILTERS), call)


def _interfaces(account: Account) -> dict[str, dict[str, Any]]:
    vpc = account.area(Vpc)
    return {key: _interface(account, one) for key, one in vpc.interfaces.items()}


def _interface(account: Account, one: Interface) -> dict[str, Any]:
    subnet = account.subnets.get(one.subnet_id)
    row: dict[str, Any] = {
        "NetworkInterfaceId": one.interface_id,
        "SubnetId": one.subnet_id,
        "VpcId": VPC_ID,
        "AvailabilityZone": subnet.zone if subnet else "",
        "Description": one.description,
        "OwnerId": ACCOUNT_ID,
        "RequesterManaged": bool(one.requester),
        "Status": "in-use",
        "InterfaceType": "interface",
        "PrivateIpAddress": one.primary,
        "PrivateIpAddresses": [
            {"PrivateIpAddress": address, "Primary": address == one.primary}
            for address in (one.primary, *one.secondary)
        ],
        "Ipv4Prefixes": [{"Ipv4Prefix": prefix} for prefix in one.prefixes],
        "Groups": [{"GroupId": group} for group in one.groups],
        "SourceDestCheck": True,
        "TagSet": [{"Key": key, "Value": value} for key, value in one.tags.items()],
    }
    if one.requester:
        row["RequesterId"] = one.requester
    if one.instance_id:
        row["Attachment"] = {
            "AttachmentId": one.interface_id.replace("eni-", "eni-attach-"),
            "DeviceIndex": one.device_index,
            "InstanceId": one.instance_id,
            "InstanceOwnerId": ACCOUNT_ID,
            "Status": "attached",
            "DeleteOnTermination": True,
        }
    return row


def _instances(account: Account) -> dict[str, dict[str, Any]]:
    vpc = account.area(Vpc)
    held: dict[str, list[Interface]] = {}
    for interface in vpc.interfaces.values():
        held.setdefault(interface.instance_id, []).append(interface)
    return {key: _instance(account, one, held.get(key, [])) for key, one in vpc.instances.items()}


def _instance(account: Account, one: Instance, interfaces: list[Interface]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "InstanceId": one.instance_id,
        "InstanceType": one.instance_type,
        "LaunchTime": account.created_at,
        "State": {"Code": 16, "Name": "running"},
        "PrivateIpAddress": one.address,
        "PrivateDnsName": one.name,
        "SubnetId": one.subnet_id,
        "VpcId": VPC_ID,
        "Placement": {"AvailabilityZone": one.zone, "Tenancy": "default"},
        "NetworkInterfaces": [
            {key: value for key, value in _interface(account, each).items() if key in _OF_INSTANCE}
            for each in interfaces
        ],
        "SecurityGroups": [{"GroupId": "sg-0lab"}],
        "Tags": [{"Key": f"kubernetes.io/cluster/{account.cluster}", "Value": "owned"}],
    }
    return row | ({"InstanceLifecycle": "spot"} if one.spot else {})


_OF_INSTANCE = (
    "NetworkInterfaceId",
    "SubnetId",
    "VpcId",
    "PrivateIpAddress",
    "PrivateIpAddresses",
    "Ipv4Prefixes",
)


def _type(one: InstanceType) -> dict[str, Any]:
    gpus = {"GpuInfo": {"Gpus": [{"Count": one.gpus}]}} if one.gpus else {}
    return gpus | {
        "InstanceType": one.name,
        "CurrentGeneration": one.hypervisor == "nitro",
        "Hypervisor": one.hypervisor,
        "BareMetal": False,
        "BurstablePerformanceSupported": one.family in {"t3", "t4g"},
        "SupportedUsageClasses": ["on-demand", "spot"],
        "ProcessorInfo": {"SupportedArchitectures": ["arm64" if one.arm else "x86_64"]},
        "VCpuInfo": {"DefaultVCpus": one.cpus},
        "MemoryInfo": {"SizeInMiB": int(one.memory_gib * 1024)},
        "NetworkInfo": {
            "MaximumNetworkInterfaces": one.interfaces,
            "MaximumNetworkCards": 1,
            "DefaultNetworkCardIndex": 0,
            "Ipv4AddressesPerInterface": one.addresses,
            "Ipv6AddressesPerInterface": one.addresses,
            "Ipv6Supported": one.hypervisor == "nitro",
        },
    }
