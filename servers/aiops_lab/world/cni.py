"""The VPC CNI of the world: hands every pod an address of its node's subnet, as long as there are any.

The kubelets ask it for each sandbox; what a node keeps ready is `ipamd.py`, and the subnets are
`aws/vpc.py`. One liberty: a pool is looked after when a pod comes or goes, not every five seconds, so a pod
never waits for an address that the subnet could give.
"""

from datetime import datetime
from ipaddress import ip_address

from aiops_lab.aws.account import Account, Subnet
from aiops_lab.aws.vpc import Instance, Vpc, subnet_of
from aiops_lab.instance_types import TYPES, UNKNOWN
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.ipamd import COOLING_S, Ipamd, Targets
from aiops_lab.world.objects import Key, Obj, key_of, labels_of, meta

NO_ADDRESS = "add cmd: failed to assign an IP address to container"
_ELSEWHERE = int(ip_address("100.64.0.10"))  # nodes that stand in no subnet of the account
_CONTROL_PLANE = ("10.0.0.10", "10.0.1.10")  # the cluster's own interfaces (the Service `kubernetes`)


class Cni(Controller):
    """All nodes' ipamd."""

    kind = "Node"

    def __init__(self, cluster: Cluster, account: Account) -> None:
        super().__init__(cluster)
        self._account = account
        self.nodes: dict[str, Ipamd] = {}
        self._elsewhere: dict[Key, str] = {}
        self._given = 0

    def reset(self) -> None:
        """No node has an address."""
        super().reset()
        self.nodes.clear()
        self._elsewhere.clear()
        self._given = 0

    def reconcile(self, key: Key) -> None:
        """A node came, or went and with it its instance and interfaces."""
        if self.cluster.cache.get("Node", *key) is not None:
            self._of(key[1])
        elif (gone := self.nodes.pop(key[1], None)) is not None:
            gone.end()

    # for the kubelets

    def ask(self, pod: Obj) -> str | None:
        """An address for a pod's sandbox; None when its node has none and gets none."""
        node = self._of(pod["spec"]["nodeName"])
        return node.ask(key_of(pod), self.targets()) if node else self._outside(key_of(pod))

    def release(self, node: str, key: Key) -> None:
        """The pod's sandbox is gone; its address cools down and is used again."""
        self._elsewhere.pop(key, None)
        there = self.nodes.get(node)
        if there is not None and there.release(key):
            self._tidy_later(node, there)

    def lines(self, pod: Obj) -> list[tuple[datetime, str]]:
        """What the ipamd of an aws-node pod wrote; nothing for other pods."""
        there = self.nodes.get(pod["spec"].get("nodeName") or "")
        if there is None or labels_of(pod).get("k8s-app") != "aws-node":
            return []
        return list(there.said)

    # for scenarios and whoever makes nodes

    def place(self, zone: str) -> tuple[Subnet, str] | None:
        """Where a new node of a zone would stand: its subnet and address; None when no subnet has one."""
        vpc = self._account.area(Vpc)
        for subnet in self._account.subnets.values():
            found = vpc.pool(subnet).next_free(1, vpc.reserved(subnet)) if subnet.zone == zone else None
            if found:
                vpc.pool(subnet).give_back(found[0])  # the node itself takes it when it comes
                return subnet, found[0]
        return None

    def targets(self) -> Targets:
        """The warm targets, as the DaemonSet's environment has them."""
        daemon = self.cluster.cache.get("DaemonSet", "kube-system", "aws-node")
        containers = daemon["spec"]["template"]["spec"]["containers"] if daemon else []
        return Targets.of(
            {
                each["name"]: str(each.get("value", ""))
                for one in containers
                if one["name"] == "aws-node"
                for each in one.get("env") or ()
            }
        )

    def _of(self, name: str) -> Ipamd | None:
        if name not in self.nodes:
            self._lay_control_plane()
            node = self.cluster.cache.get("Node", "", name)
            made = self._made(node) if node is not None else None
            if made is None:
                return None
            self.nodes[name] = made
            made.begin()
            made.fill(self.targets())
        return self.nodes[name]

    def _made(self, node: Obj) -> Ipamd | None:
        """None for a node that stands in no subnet of the account."""
        addresses = (node.get("status") or {}).get("addresses") or ()
        address = next((each["address"] for each in addresses if each["type"] == "InternalIP"), "")
        subnet = subnet_of(self._account, address) if address else None
        if subnet is None:
            return None
        instance = _instance(node, subnet, address)
        limits = TYPES.get(instance.instance_type, UNKNOWN)
        most_pods = int((node["status"].get("capacity") or {}).get("pods") or 110)
        return Ipamd(self._account, self.cluster.clock, subnet, instance, limits, most_pods)

    def _tidy_later(self, name: str, there: Ipamd) -> None:
        def tidy() -> None:
            there.tidying = False
            if self.nodes.get(name) is there:
                there.tidy(self.targets())
                if there.cooling:
                    self._tidy_later(name, there)

        if not there.tidying:
            there.tidying = True
            self.cluster.clock.call_later(COOLING_S + 1, tidy)

    def _outside(self, key: Key) -> str:
        """Nodes outside the account's subnets: addresses that cost nothing."""
        if key not in self._elsewhere:
            self._elsewhere[key] = str(ip_address(_ELSEWHERE + self._given))
            self._given += 1
        return self._elsewhere[key]

    def _lay_control_plane(self) -> None:
        vpc = self._account.area(Vpc)
        for address in _CONTROL_PLANE if not vpc.interfaces else ():
            subnet = subnet_of(self._account, address)
            if subnet is not None:
                made = vpc.attach(subnet, f"Amazon EKS {self._account.cluster}", primary=address)
                made.requester = "amazon-eks"


def _instance(node: Obj, subnet: Subnet, address: str) -> Instance:
    labels = labels_of(node)
    capacity = labels.get("karpenter.sh/capacity-type") or labels.get("eks.amazonaws.com/capacityType", "")
    return Instance(
        instance_id=str(node["spec"].get("providerID") or "").rpartition("/")[2] or meta(node)["name"],
        instance_type=labels.get("node.kubernetes.io/instance-type", ""),
        zone=subnet.zone,
        subnet_id=subnet.subnet_id,
        address=address,
        name=meta(node)["name"],
        spot=capacity.lower() == "spot",
    )
