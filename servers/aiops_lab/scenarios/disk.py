"""F7: nodes out of disk: one that a clean-up helps, one that it does not, one that fills again, four at once.

The numbers of the specification hold for every seed; names, node, times and neighbours vary. Why the kubelet
does not help itself: its calls to delete images run into their deadline on a slow disk, so unused images
stay; a patient `crictl` gets through.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import (
    container,
    deployment,
    disruption_budget,
    http_probe,
    namespace,
    service,
    template,
)

HOME, DAY_S, MIN_S, GIB = "production", 86_400.0, 60.0, 2**30
SIZE = 83_873_772 * 1024
SYSTEM_SPACE = "aiops-system"
HOG_BYTES, SPAM_BYTES = 3 * GIB, 41 * GIB
LEFT_BYTES = 7_549_747 * 1024  # what is free at T0: 7.2 GiB, below a tenth
UNUSED_BYTES, TMP_BYTES = 19 * GIB // 2, 2 * GIB
_SLOW = "[rpc error: code = DeadlineExceeded desc = context deadline exceeded]"
BACK_S = 3600.0  # F7c: how soon it is full again
_NODES = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))


def the_node(names: Names) -> str:
    """The node on which the story plays; 10.0.1.42 with seed 0."""
    return _NODES[(names.seed + 1) % 6]


def the_four(names: Names) -> tuple[str, ...]:
    """F7e's nodes: three zones, one of them twice."""
    return tuple(_NODES[(names.seed + 1 + step) % 6] for step in range(4))


def hog(names: Names) -> str:
    """The workload whose pods were thrown out."""
    return f"{names.others[-1]}-render"


def spammer(names: Names) -> str:
    """F7b: who fills the disk with its log."""
    return "log-spammer" if names.seed == 0 else f"{names.others[-2]}-tracer"


def guarded(names: Names) -> str:
    """F7b: whose budget lets one pod go at a time."""
    return f"{names.others[-3]}-gate"


def scratch(names: Names) -> str:
    """F7b: who keeps something in an emptyDir."""
    return f"{names.others[-4]}-scratch"


def quiet(names: Names) -> str:
    """F7b: who only lives there."""
    return f"{names.others[-5]}-batch"


def _image(stage: Stage, names: Names, app: str) -> str:
    return stage.publish(names.image(app, "1.4.2"), Image(serving(app, memory_mi=48)))


def _app(stage: Stage, names: Names, app: str, replicas: int, **pod: object) -> Obj:
    volumes = pod.get("volumes")
    main = container("app", _image(stage, names, app), memory="32Mi", readinessProbe=http_probe())
    if volumes:
        main["volumeMounts"] = [{"name": "scratch", "mountPath": "/scratch"}]
    return deployment(HOME, app, replicas, template({"app": app}, [main], **pod))


def _only_here(stage: Stage, node: str, before_s: float, *objects: Obj) -> None:
    """Objects whose pods all land on one node: the others take none for a minute, days ago."""

    def switch(closed: bool) -> Callable[[Obj], None]:
        def change(obj: Obj) -> None:
            if closed:
                obj["spec"]["unschedulable"] = True
            else:
                obj["spec"].pop("unschedulable", None)

        return change

    for other in _NODES:
        if other != node:
            stage.change_at(before_s + 30, "Node", "", other, switch(closed=True))
            stage.change_at(before_s - 60, "Node", "", other, switch(closed=False))
    stage.put_at(before_s, *objects)


def _ground(stage: Stage) -> None:
    """Where debug pods may live (D14): a namespace of the operators' own, admitted as privileged. And the
    pool of the nodes, whose class gives them 80 GiB."""
    stage.put_at(20 * DAY_S, namespace(SYSTEM_SPACE, **{"pod-security.kubernetes.io/enforce": "privileged"}))
    root = {"deviceName": "/dev/xvda", "rootVolume": True, "ebs": {"volumeSize": "80Gi", "volumeType": "gp3"}}
    made = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    spec = {"role": "my-cluster-nodes", "blockDeviceMappings": [root]}
    node_class = {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": "default"},
    }
    stage.put_at(20 * DAY_S, {**node_class, "spec": spec}, by="platform")
    pool: Obj = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "default"},
        "spec": {
            "limits": {"cpu": "64"},
            "template": {"spec": {"nodeClassRef": made, "requirements": []}},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "1m"},
        },
    }
    stage.serve_pool(DAY_S, pool)


@dataclass(frozen=True, slots=True)
class _Held:
    """What stands on the disk at the end, besides the system."""

    unused: int
    tmp: int
    logs: int = 0
    gc_error: str = ""

    @property
    def system(self) -> int:
        """The rest, so that exactly LEFT_BYTES are free."""
        return SIZE - LEFT_BYTES - self.unused - self.tmp - self.logs


_RESOLVABLE = _Held(UNUSED_BYTES, TMP_BYTES, gc_error=_SLOW)
_LOGGED = _Held(0, 3 * GIB // 10, logs=SPAM_BYTES)


def _fill(stage: Stage, node: str, held: _Held, before_s: float, hogs: int = 0) -> None:
    """`hogs`: how many pods of 3 GiB still stand on it."""
    act = partial(
        stage.fill_disk,
        node,
        system=held.system - hogs * HOG_BYTES,
        unused_images=held.unused,
        tmp=held.tmp,
        gc_error=held.gc_error,
    )
    stage.at(before_s, act)


def _runs_full(stage: Stage, names: Names, held: _Held, rng: Random) -> None:
    """Four times below the threshold: three times a hog is thrown out, then none is left."""
    node, app = the_node(names), hog(names)
    began_s = 27 * MIN_S if names.seed == 0 else rng.uniform(22, 40) * MIN_S
    _ground(stage)
    _only_here(stage, node, 2 * DAY_S, _app(stage, names, app, 3))
    stage.at(began_s + 90, partial(stage.fill_disk, node, system=GIB))
    stage.at(began_s + 60, partial(stage.write_to_disk, HOME, app, local=HOG_BYTES))
    if held.logs:
        stage.at(began_s + 60, partial(stage.write_to_disk, HOME, spammer(names), logs=held.logs))
    for step in range(4):
        _fill(stage, node, held, began_s - 240 * step, hogs=3 - step)


def _resolvable(stage: Stage, names: Names, rng: Random) -> None:
    _runs_full(stage, names, _RESOLVABLE, rng)


def _recurring(stage: Stage, names: Names, rng: Random) -> None:
    """As above, and one and two hours later all that was cleaned is back."""
    _runs_full(stage, names, _RESOLVABLE, rng)
    for again in (1, 2):
        _fill(stage, the_node(names), _RESOLVABLE, -again * BACK_S)


def _logs(stage: Stage, names: Names, rng: Random) -> None:
    """One pod's log fills the disk. The kubelet may not throw it out: somebody made it critical."""
    node = the_node(names)
    web, temp = guarded(names), scratch(names)
    spam = _app(stage, names, spammer(names), 1, priorityClassName="system-cluster-critical")
    gate = _app(stage, names, web, 3)
    room = _app(stage, names, temp, 1, volumes=[{"name": "scratch", "emptyDir": {}}])
    filler = _app(stage, names, quiet(names), 2 if names.seed == 0 else rng.randint(1, 4))
    _only_here(stage, node, 3 * DAY_S, spam, gate, service(HOME, web, web), room, filler)
    stage.put_at(3 * DAY_S, disruption_budget(HOME, web, web, maxUnavailable=1))
    _runs_full(stage, names, _LOGGED, rng)


def _four_nodes(stage: Stage, names: Names, rng: Random) -> None:
    _runs_full(stage, names, _RESOLVABLE, rng)
    for node in the_four(names)[1:]:
        _fill(stage, node, _RESOLVABLE, rng.uniform(8, 20) * MIN_S)


def _expect(nodes: Callable[[Names], tuple[str, ...]]) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return tuple(
            Expected("NODE_DISK_PRESSURE", "Node", "", node, "Node", node, headline=node.split(".")[0])
            for node in nodes(names)
        )

    return expect


def _one(names: Names) -> tuple[str, ...]:
    return (the_node(names),)


def _scenario(suffix: str, title: str, says: str, fixture: str, build: Build, expect: Expect) -> Scenario:
    name = f"disk-pressure{suffix}"
    return Scenario(name, title, says, fixture, build, expect, lead_s=4 * DAY_S)


SCENARIOS = (
    _scenario(
        "",
        "A node is out of disk, and unused images are in the way",
        "7.2 GiB of 80 are free, three pods were thrown out; the kubelet cannot delete 9.5 GiB of unused "
        "images, and 2 GiB of old temporary files lie about: cleaning helps.",
        "F7a",
        _resolvable,
        _expect(_one),
    ),
    _scenario(
        "-logs",
        "A node is out of disk, and one pod's log is why",
        "41 GiB of a pod's log fill the disk; the kubelet freed 0 bytes: cleaning does not help, the node "
        "has to be drained, past a budget that lets one pod go at a time and a pod with an emptyDir.",
        "F7b",
        _logs,
        _expect(_one),
    ),
    _scenario(
        "-again",
        "A node that is out of disk again after each clean-up",
        "An hour after a clean-up everything is back: the third one in a day is not made, the disk is "
        "too small.",
        "F7c",
        _recurring,
        _expect(_one),
    ),
    _scenario(
        "-four",
        "Four nodes of production are out of disk at once",
        "Four nodes over three zones, two of them in one zone.",
        "F7e",
        _four_nodes,
        _expect(the_four),
    ),
)
