"""The CNI of the world: addresses come from subnets through interfaces, run out, and come back."""

import json
import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from aiops_lab.aws.account import Subnet
from aiops_lab.aws.vpc import Interface, Reservation, Vpc
from aiops_lab.kube.wire import Obj
from aiops_lab.world.world import World
from tests.lab.world.stage import edit, events, load, new_app, pods, ready, seen, waiting

SUBNET = "subnet-0bbb"
SANDBOX = (
    r"^(\(combined from similar events\): )?Failed to create pod sandbox: rpc error: code = Unknown desc = "
    r'failed to setup network for sandbox "[0-9a-f]{64}": plugin type="aws-cni" name="aws-cni" '
    r"failed \(add\): add cmd: failed to assign an IP address to container$"
)


def vpc(world: World) -> Vpc:
    return world.aws.area(Vpc)


def free(world: World, subnet: str = SUBNET) -> int:
    return vpc(world).pool(world.aws.subnets[subnet]).free


def blocks(world: World, subnet: str = SUBNET) -> int:
    return len(vpc(world).pool(world.aws.subnets[subnet]).free_blocks())


def nodes_in(world: World, subnet: str = SUBNET) -> list[str]:
    return [name for name, node in world.cni.nodes.items() if node.subnet.subnet_id == subnet]


def interfaces(world: World, node: str) -> list[Interface]:
    return world.cni.nodes[node].interfaces


def set_env(world: World, **env: str) -> None:
    def change(daemon: Obj) -> None:
        main = daemon["spec"]["template"]["spec"]["containers"][0]
        kept = [each for each in main["env"] if each["name"] not in env]
        main["env"] = [*kept, *({"name": key, "value": value} for key, value in env.items())]

    edit(world, "DaemonSet", "kube-system", "aws-node", change)


def crowd_the_nodes(world: World, app: str, node: str, replicas: int) -> list[Obj]:
    """Pods of an app, all on one node."""
    new_app(world, app, replicas=0)

    def pin(obj: Obj) -> None:
        obj["spec"]["replicas"] = replicas
        obj["spec"]["template"]["spec"]["nodeName"] = node
        obj["spec"]["template"]["spec"]["containers"][0].pop("resources", None)

    edit(world, "Deployment", "production", app, pin)
    world.clock.advance(20)
    return pods(world, app)


def said(world: World, node: str) -> str:
    found = [
        pod
        for pod in world.store.list("Pod", "kube-system", labels="k8s-app=aws-node")
        if pod["spec"]["nodeName"] == node
    ]
    lines = world.lines("kube-system", found[0]["metadata"]["name"], "aws-node", previous=False) or []
    return "\n".join(line for _, line in lines)


def test_every_pod_has_an_address_of_its_nodes_interfaces() -> None:
    world = seen("healthy", 0)
    held = {
        node: {address for each in interfaces(world, node) for address in each.secondary}
        for node in world.cni.nodes
    }
    used = set()
    for pod in world.store.list("Pod"):
        address = pod["status"].get("podIP")
        if pod["spec"].get("hostNetwork") or not address or pod["status"]["phase"] != "Running":
            continue
        assert address in held[pod["spec"]["nodeName"]]
        assert address not in used
        used.add(address)
    assert used


def test_a_subnet_counts_what_its_interfaces_hold() -> None:
    world = seen("healthy", 0)
    for subnet in world.aws.subnets.values():
        there = [each for each in vpc(world).interfaces.values() if each.subnet_id == subnet.subnet_id]
        taken = {address for each in there for address in (each.primary, *each.secondary)}
        assert free(world, subnet.subnet_id) == 256 - 5 - len(taken)
        assert all(IPv4Address(address) in IPv4Network(subnet.cidr) for address in taken)


def test_an_interface_holds_no_more_than_its_type_and_a_warm_one_waits() -> None:
    world = load()
    node = nodes_in(world)[0]
    assert [each.slots_used for each in interfaces(world, node)] == [15, 15]
    crowd_the_nodes(world, "many", node, 30)
    assert [each.slots_used for each in interfaces(world, node)] == [15, 15, 15, 15]
    assert ready(world, "many") == 30


def test_without_an_address_a_pod_stays_in_creation_and_gets_one_when_there_is_one() -> None:
    world = load()
    node = nodes_in(world)[0]
    vpc(world).crowd(world.aws.subnets[SUBNET], free=0)
    found = crowd_the_nodes(world, "late", node, 30)
    stuck = [pod for pod in found if not pod["status"].get("podIP")]
    assert 0 < len(stuck) < 30
    assert {waiting(pod) for pod in stuck} == {"ContainerCreating"}
    assert {pod["status"]["phase"] for pod in stuck} == {"Pending"}
    told = events(world, stuck[0]["metadata"]["name"], "FailedCreatePodSandBox")
    assert told
    assert told[0]["source"] == {"component": "kubelet", "host": node}
    for each in told:
        assert re.search(SANDBOX, each["message"])
    log = said(world, node)
    assert (
        "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses" in log
    )
    assert {json.loads(line)["level"] for line in log.splitlines() if line[0] == "{"} == {"warn", "error"}
    vpc(world).make_room(world.aws.subnets[SUBNET])
    world.clock.advance(200)
    assert ready(world, "late") == 30
    assert "InsufficientFree" not in said(world, nodes_in(world, "subnet-0aaa")[0])


def test_the_limit_of_the_machine_is_not_the_subnets() -> None:
    world = load()
    node = nodes_in(world)[0]

    def allow_more(obj: Obj) -> None:
        obj["status"]["capacity"]["pods"] = "110"

    world.change_at(0, "Node", "", node, allow_more)
    world.settle()
    world.cni.nodes[node].most_pods = 110
    found = crowd_the_nodes(world, "more", node, 70)
    stuck = [pod for pod in found if not pod["status"].get("podIP")]
    assert stuck
    assert events(world, stuck[0]["metadata"]["name"], "FailedCreatePodSandBox")
    assert "max ENI limit is already reached" in said(world, node)
    assert "Insufficient" not in said(world, node)
    assert free(world) > 50


def test_prefix_mode_takes_whole_blocks_and_finds_none_in_a_scattered_subnet() -> None:
    world = load()
    node = nodes_in(world)[0]
    set_env(world, ENABLE_PREFIX_DELEGATION="true")
    before = blocks(world)
    crowd_the_nodes(world, "first", node, 40)
    assert ready(world, "first") == 40
    prefixes = [prefix for each in interfaces(world, node) for prefix in each.prefixes]
    assert prefixes
    assert blocks(world) <= before - len(prefixes)
    vpc(world).crowd(world.aws.subnets[SUBNET], free=9)
    assert (free(world), blocks(world)) == (9, 0)
    other = nodes_in(world)[1]
    found = crowd_the_nodes(world, "second", other, 40)
    assert any(not pod["status"].get("podIP") for pod in found)
    assert "InsufficientCidrBlocks: The specified subnet does not have enough free cidr blocks" in said(
        world, other
    )
    assert free(world) == 9


def test_addresses_cool_down_and_go_back_to_the_subnet() -> None:
    world = load()
    node = nodes_in(world)[0]
    before = free(world)
    crowd_the_nodes(world, "brief", node, 35)
    assert free(world) < before
    edit(world, "Deployment", "production", "brief", lambda obj: obj["spec"].update(replicas=0))
    world.clock.advance(10)
    assert world.cni.nodes[node].cooling
    world.clock.advance(200)
    assert free(world) == before


def test_warm_ip_target_takes_few_and_gives_the_rest_back() -> None:
    world = load()
    node = nodes_in(world)[0]
    set_env(world, WARM_IP_TARGET="2", MINIMUM_IP_TARGET="4")
    crowd_the_nodes(world, "few", node, 20)
    edit(world, "Deployment", "production", "few", lambda obj: obj["spec"].update(replicas=0))
    world.clock.advance(120)
    pool = world.cni.nodes[node]
    assert len(pool.free) == 2 or pool.total == 4


def test_a_tagged_subnet_of_the_zone_takes_the_next_interface() -> None:
    world = load()
    node = nodes_in(world)[0]
    own = world.aws.subnets[SUBNET]
    vpc(world).crowd(own, free=0)
    tags = (("kubernetes.io/role/cni", "1"),)
    world.aws.subnets["subnet-0new"] = Subnet("subnet-0new", "100.64.0.0/24", own.zone, tags)
    world.aws.subnets["subnet-0off"] = Subnet("subnet-0off", "100.64.1.0/24", own.zone)
    crowd_the_nodes(world, "grown", node, 40)
    assert ready(world, "grown") == 40
    assert {each.subnet_id for each in interfaces(world, node)} == {SUBNET, "subnet-0new"}


def test_a_node_that_goes_gives_everything_back() -> None:
    world = load()
    node = nodes_in(world)[0]
    held = sum(each.slots_used for each in interfaces(world, node))
    before, instance = free(world), world.cni.nodes[node].instance.instance_id
    world.store.delete("Node", None, node)
    world.clock.advance(1)
    assert free(world) == before + held
    assert instance not in vpc(world).instances


def test_a_node_outside_the_accounts_subnets_costs_none() -> None:
    world = load()
    gone = nodes_in(world)[0]
    node = world.store.get("Node", None, gone)
    assert node is not None
    world.store.delete("Node", None, gone)
    node["metadata"] = {"name": "hybrid-1", "labels": node["metadata"]["labels"]}
    node["status"]["addresses"] = [{"type": "InternalIP", "address": "192.168.7.7"}]
    node["spec"].pop("providerID")
    before = len(vpc(world).interfaces)
    world.put(node)
    world.store.set_status("Node", None, "hybrid-1", node["status"])
    world.clock.advance(5)
    found = crowd_the_nodes(world, "away", "hybrid-1", 3)
    assert {pod["status"]["podIP"].split(".")[0] for pod in found} == {"100"}
    assert len(vpc(world).interfaces) <= before


def test_a_new_node_is_told_where_it_would_stand() -> None:
    world = load()
    place = world.cni.place("us-east-1b")
    assert place is not None
    subnet, address = place
    assert (subnet.subnet_id, IPv4Address(address) in IPv4Network(subnet.cidr)) == (SUBNET, True)
    vpc(world).crowd(subnet, free=0)
    assert world.cni.place("us-east-1b") is None


def test_a_crowded_subnet_is_left_with_exactly_what_was_asked() -> None:
    world = load()
    subnet = world.aws.subnets["subnet-0aaa"]
    vpc(world).crowd(subnet, free=118, blocks=5)
    assert (free(world, "subnet-0aaa"), blocks(world, "subnet-0aaa")) == (118, 5)
    with pytest.raises(ValueError, match="cannot be left with 119 addresses"):
        vpc(world).crowd(subnet, free=119, blocks=5)


def test_a_reserved_range_is_for_prefixes_alone() -> None:
    world = load()
    subnet = replace(world.aws.subnets["subnet-0ccc"])
    vpc(world).reservations["scr-1"] = Reservation("scr-1", subnet.subnet_id, "10.0.2.240/28", "prefix")
    vpc(world).reservations["scr-2"] = Reservation("scr-2", subnet.subnet_id, "10.0.2.208/28", "prefix")
    made = vpc(world).attach(subnet, "", prefixes=1)
    assert made.prefixes == ["10.0.2.208/28"]  # the other one holds the address that EC2 keeps
    with pytest.raises(Exception, match="InsufficientCidrBlocks"):
        vpc(world).attach(subnet, "", prefixes=1)
    taken = vpc(world).attach(subnet, "", addresses=vpc(world).pool(subnet).free - 15 - 1 - 1)
    assert not [each for each in taken.secondary if each.startswith("10.0.2.24") and len(each) == 10]
