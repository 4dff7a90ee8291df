"""Trials of nodes and places: addresses (F5), images, kube-proxy, zones, claims of Karpenter, Fargate.

Texts: Karpenter `pkg/controllers/nodeclaim/lifecycle`, Fargate's scheduler as the EKS user guide quotes it,
the scheduler's `pkg/scheduler/framework/plugins/noderesources`.
"""

from collections.abc import Callable
from random import Random

from aiops_lab.aws.access import Access, FargateProfile
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios import addresses
from aiops_lab.scenarios.addresses import machine
from aiops_lab.scenarios.base import Build, Expected, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.aws_base import (
    DAY_S,
    NODE_GROUP_LABEL,
    NODES,
    expected,
    group_name,
    in_aws,
    label_nodes,
)
from aiops_lab.scenarios.trials.base import HOME, Trial, trial
from aiops_lab.scenarios.trials.pods_base import a_node, at_node, named_pods, put_app, recent_s, wrong

IMAGE = "eks.amazonaws.com/nodegroup-image"
SYSTEM = "kube-system"

# addresses: the stories of F5, seen as trials


def _addresses() -> tuple[Trial, ...]:
    told = {
        one.name.removeprefix("subnet-ip-exhaustion").removeprefix("-"): one for one in addresses.SCENARIOS
    }
    code, node = addresses.CODE, "NODE_ADDRESSES_EXHAUSTED"
    return (
        Trial(code, "positive", told[""], needs_aws=True),
        Trial(code, "positive", told["expired"], needs_aws=True),
        Trial(code, "positive", told["fragmented"], needs_aws=True),
        Trial(code, "look_alike", told["node-limit"], needs_aws=True),
        Trial(code, "look_alike", told["slow-database"], needs_aws=True),
        Trial(code, "recovered", told["recovered"], needs_aws=True),
        Trial(node, "positive", told["node-limit"], needs_aws=True),
    )


# machine images


def _images(*, since_s: float, until_s: float | None = None) -> Build:
    """Nodes of a newer image came that long ago, and those of the older one stayed."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        old, new = f"ami-0{rng.getrandbits(64):016x}", f"ami-0{rng.getrandbits(64):016x}"
        label_nodes(stage, names, 25 * DAY_S, **{IMAGE: old})
        labels = {IMAGE: new, NODE_GROUP_LABEL: group_name(names)}
        for place in range(2 + names.seed % 2):
            name = f"ip-10-0-{place}-{71 + names.seed}.ec2.internal"
            made = machine(name, "us-east-1" + "abc"[place], 0xDEF0 + place, **labels)
            stage.put_at(since_s, made, by="kubelet")
            if until_s is not None:
                stage.delete_at(until_s, "Node", "", name, "eks")

    return build


# kube-proxy


def _without_proxy(*, until_s: float | None = None, also: str = "") -> Build:
    """The DaemonSet leaves a node out by a label, as somebody once wanted it."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        node, began_s = a_node(names), 3 * 3600.0
        rule = {"key": "network.example.com/proxy", "operator": "NotIn", "values": ["none"]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}

        def choose(obj: Obj) -> None:
            obj["spec"]["template"]["spec"]["affinity"] = affinity

        def mark(obj: Obj) -> None:
            obj["metadata"]["labels"] |= {
                "network.example.com/proxy": "none",
                **({also: "auto"} if also else {}),
            }

        def clear(obj: Obj) -> None:
            del obj["spec"]["template"]["spec"]["affinity"]

        stage.change_at(began_s + 60, "Node", "", node, mark)
        stage.change_at(began_s, "DaemonSet", SYSTEM, "kube-proxy", choose)
        if until_s is not None:
            stage.change_at(until_s, "DaemonSet", SYSTEM, "kube-proxy", clear)

    return build


# zones


def _in_zone(*, replicas: int, prefer: bool = True, settled: bool = True) -> Build:
    """A workload that stands together: it came while only one zone had room."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        zone = names.seed % 3
        cordoned = [name for place, name in enumerate(NODES) if place % 3 != zone] if prefer else []
        began_s = rng.uniform(2, 9) * 3600 if settled else rng.uniform(10, 30) * 60

        def cordon(obj: Obj) -> None:
            obj["spec"]["unschedulable"] = True

        def uncordon(obj: Obj) -> None:
            obj["spec"].pop("unschedulable", None)

        for name in cordoned:
            stage.change_at(began_s + 120, "Node", "", name, cordon)
            stage.change_at(began_s - 120, "Node", "", name, uncordon)
        put_app(stage, names, began_s, serving(names.api), replicas=replicas + names.seed % 3)

    return build


# Karpenter's claims


def _condition(stage: Stage, kind: str, status: str, reason: str, message: str = "") -> Obj:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": stage.stamp(),
    }


_LAUNCHED = ("True", "Launched", "")
_NOT_LAUNCHED = (
    (
        "Unknown",
        "LaunchFailed",
        (
            "creating instance, creating nodeclaim, with fleet error(s), UnauthorizedOperation: You are not "
            "authorized "
            "to perform this operation."
        ),
    ),
    ("Unknown", "LaunchFailed", "resolving security groups, no security groups exist given constraints"),
)
_UNREGISTERED = ("Unknown", "NodeNotFound", "Node not registered with cluster")


def _claim_name(names: Names) -> str:
    return f"default-{names.api[:8].rstrip('-')}"


def _claim(*, launched: bool, age_s: tuple[float, float], joins: bool = False) -> Build:
    """A pod waits for room; Karpenter asked for a node that long ago."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s, name = rng.uniform(*age_s), _claim_name(names)
        resources = {"requests": {"cpu": str(rng.randint(6, 14)), "memory": "256Mi"}}
        put_app(stage, names, began_s + 30, serving(names.api), replicas=1, resources=resources)
        claim: Obj = {
            "apiVersion": "karpenter.sh/v1",
            "kind": "NodeClaim",
            "metadata": {"name": name, "labels": {"karpenter.sh/nodepool": "default"}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
                "requirements": [],
            },
        }

        def far(obj: Obj) -> None:
            how = _LAUNCHED if launched else _NOT_LAUNCHED[names.seed % len(_NOT_LAUNCHED)]
            found = [_condition(stage, "Launched", *how)]
            found += [_condition(stage, "Registered", *_UNREGISTERED)] if launched else []
            obj["status"] = {"conditions": found}

        stage.put_at(began_s, claim, by="karpenter")
        stage.change_at(began_s - 5, "NodeClaim", "", name, far)
        if joins:
            stage.delete_at(began_s - 200, "NodeClaim", "", name, "karpenter")
            stage.change_at(began_s - 210, "Deployment", HOME, names.api, _smaller)

    return build


def _smaller(obj: Obj) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m"}}


def _at_claim(code: str) -> Callable[[Names], tuple[Expected, ...]]:
    return expected(code, "NodeClaim", _claim_name)


# Fargate


def _fargate(
    *, selector: str = "", labelled: bool = False, says: tuple[str, ...] = (), gone: bool = False
) -> Build:
    """Pods that ask for Fargate; `selector` is the label that a profile wants, `says` its scheduler's
    words."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = recent_s(rng)
        labels = (("team", selector),) if selector else ()
        profile = FargateProfile("batch", ((HOME if selector else "staging", labels),))
        stage.aws.area(Access).fargate["batch"] = profile
        pod: Obj = {"nodeSelector": {"eks.amazonaws.com/compute-type": "fargate"}}
        pods = named_pods(stage, names, 2)
        put_app(stage, names, began_s, serving(names.api), replicas=2, pod=pod)
        for name in pods if labelled else ():
            stage.change_at(began_s - 1, "Pod", HOME, name, _of_profile)
            for again in range(3 if says else 0):
                line = says[names.seed % len(says)]
                stage.say_at(began_s - 300 - 120 * again, "Pod", HOME, name, "FailedScheduling", line)
        if gone:
            stage.change_at(began_s - 240, "Deployment", HOME, names.api, _to_nodes)

    return build


_FARGATE = (
    (
        "Misconfigured Fargate Profile: fargate profile batch blocked for new launches due to: Pod "
        "execution role is not "
        "found in auth config or does not have all required permissions for launching fargate pods."
    ),
    (
        "Pod not supported on Fargate: fields not supported: port HostPort: 8080, invalid SecurityContext "
        "fields: "
        "Privileged"
    ),
)


def _of_profile(obj: Obj) -> None:
    obj["metadata"]["labels"]["eks.amazonaws.com/fargate-profile"] = "batch"


def _to_nodes(obj: Obj) -> None:
    obj["spec"]["template"]["spec"].pop("nodeSelector", None)


def _needs(resource: str, *, amount: str = "1", until: bool = False) -> Build:
    """Pods that ask for an extended resource of the nodes."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = recent_s(rng)
        asked = {"requests": {"cpu": "50m", resource: amount}, "limits": {resource: amount}}
        put_app(stage, names, began_s, serving(names.api), replicas=2, resources=asked)
        if until:
            stage.change_at(began_s - 200, "Deployment", HOME, names.api, _smaller)

    return build


_ENI = "vpc.amazonaws.com/pod-eni"
_DRIFT = expected("AMI_DRIFT", "Nodegroup", group_name)
_ONE_ZONE = wrong("WORKLOAD_IN_ONE_ZONE")
TRIALS: tuple[Trial, ...] = (
    *_addresses(),
    trial(
        "AMI_DRIFT", "positive", _images(since_s=12 * DAY_S), _DRIFT, says="The old nodes were left behind."
    ),
    trial("AMI_DRIFT", "look_alike", _images(since_s=0.1 * DAY_S), says="The update began this morning."),
    trial(
        "AMI_DRIFT",
        "recovered",
        _images(since_s=12 * DAY_S, until_s=2 * DAY_S),
        says="The update was rolled back.",
    ),
    trial(
        "KUBE_PROXY_MISSING",
        "positive",
        _without_proxy(),
        at_node("KUBE_PROXY_MISSING"),
        says="One node is left out.",
    ),
    trial(
        "KUBE_PROXY_MISSING",
        "look_alike",
        _without_proxy(also="eks.amazonaws.com/compute-type"),
        says="A node of Auto Mode has it built in.",
    ),
    trial("KUBE_PROXY_MISSING", "recovered", _without_proxy(until_s=3600), says="It was, until an hour ago."),
    trial(
        "WORKLOAD_IN_ONE_ZONE",
        "positive",
        _in_zone(replicas=5),
        _ONE_ZONE,
        says="F-b7: all of it stands in one zone.",
    ),
    trial("WORKLOAD_IN_ONE_ZONE", "look_alike", _in_zone(replicas=6, prefer=False), says="It is spread."),
    trial(
        "WORKLOAD_IN_ONE_ZONE",
        "recovered",
        _in_zone(replicas=5, settled=False),
        says="It came together a moment ago, while other zones were away.",
    ),
    trial(
        "KARPENTER_NODE_NOT_LAUNCHED",
        "positive",
        _claim(launched=False, age_s=(500, 800)),
        _at_claim("KARPENTER_NODE_NOT_LAUNCHED"),
        says="AWS does not launch it.",
    ),
    trial(
        "KARPENTER_NODE_NOT_LAUNCHED",
        "look_alike",
        _claim(launched=True, age_s=(600, 840)),
        _at_claim("KARPENTER_NODE_NOT_REGISTERED"),
        says="Launched, and it does not join.",
    ),
    trial(
        "KARPENTER_NODE_NOT_LAUNCHED",
        "recovered",
        _claim(launched=False, age_s=(2400, 3000), joins=True),
        says="It was given up, and nobody waits.",
    ),
    trial(
        "KARPENTER_NODE_NOT_REGISTERED",
        "positive",
        _claim(launched=True, age_s=(600, 840)),
        _at_claim("KARPENTER_NODE_NOT_REGISTERED"),
        says="An instance runs and does not join.",
    ),
    trial(
        "KARPENTER_NODE_NOT_REGISTERED",
        "look_alike",
        _claim(launched=True, age_s=(150, 240)),
        wrong("INSUFFICIENT_CPU"),
        says="It is still booting.",
    ),
    trial(
        "KARPENTER_NODE_NOT_REGISTERED",
        "recovered",
        _claim(launched=True, age_s=(2400, 3000), joins=True),
        says="It was given up, and nobody waits.",
    ),
    in_aws(
        "FARGATE_PROFILE_MISMATCH",
        "positive",
        _fargate(selector="reports"),
        wrong("FARGATE_PROFILE_MISMATCH"),
        says="The profile wants a label that the pods do not bear.",
    ),
    in_aws(
        "FARGATE_PROFILE_MISMATCH",
        "look_alike",
        _fargate(labelled=True),
        wrong("NODE_SELECTOR_UNMATCHED"),
        says="A profile took them; its nodes do not come.",
    ),
    in_aws("FARGATE_PROFILE_MISMATCH", "recovered", _fargate(gone=True), says="They run on nodes since."),
    in_aws(
        "FARGATE_REFUSED",
        "positive",
        _fargate(labelled=True, says=_FARGATE),
        wrong("FARGATE_REFUSED"),
        says="Its scheduler says what it cannot take.",
    ),
    in_aws(
        "FARGATE_REFUSED",
        "look_alike",
        _fargate(selector="reports"),
        wrong("FARGATE_PROFILE_MISMATCH"),
        says="No profile took them at all.",
    ),
    in_aws(
        "FARGATE_REFUSED",
        "recovered",
        _fargate(labelled=True, says=_FARGATE, gone=True),
        says="They run on nodes since.",
    ),
    trial(
        "SECURITY_GROUP_PODS_LIMIT",
        "positive",
        _needs(_ENI),
        wrong("SECURITY_GROUP_PODS_LIMIT"),
        says="No node has a branch interface.",
    ),
    trial(
        "SECURITY_GROUP_PODS_LIMIT",
        "look_alike",
        _needs("nvidia.com/gpu"),
        wrong("INSUFFICIENT_GPU"),
        says="They want something else that no node has.",
    ),
    trial(
        "SECURITY_GROUP_PODS_LIMIT", "recovered", _needs(_ENI, until=True), says="They ask for none since."
    ),
)
