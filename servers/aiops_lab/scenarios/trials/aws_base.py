"""What the trials of AWS have in common: what stands in the account is changed at moments of the story."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from aiops_lab.aws.account import Nodegroup
from aiops_lab.aws.eks_state import EksState
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage, nothing
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.trials.base import Role, Trial, trial

HOUR_S, DAY_S = 3600.0, 86_400.0
NODE_GROUP_LABEL = "eks.amazonaws.com/nodegroup"
Change = Callable[[Stage, Names], None]


def in_aws(code: str, role: Role, build: Build, expect: Expect = nothing, **told: str) -> Trial:
    """A trial whose evidence stands in AWS."""
    return trial(code, role, build, expect, needs_aws=True, **told)


def expected(code: str, kind: str, name: str | Callable[[Names], str]) -> Expect:
    """This one finding, at something of AWS that hurts itself."""

    def expect(names: Names) -> tuple[Expected, ...]:
        where = name if isinstance(name, str) else name(names)
        return (Expected(code, kind, "", where, kind, where),)

    return expect


def since(change: Change, *, until: Change | None = None) -> Build:
    """Something is so in the account since a quarter of an hour; with `until` it was, and is over."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(14, 25) * 60 if until is None else rng.uniform(100, 160) * 60
        stage.at(began_s, partial(change, stage, names))
        if until is not None:
            stage.at(began_s - rng.uniform(300, 1500), partial(until, stage, names))

    return build


def always(change: Change) -> Build:
    """Something was always so."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        change(stage, names)

    return build


def addon(stage: Stage, name: str, **values: Any) -> None:
    """An installed add-on with other values."""
    stage.aws.addons = {**stage.aws.addons, name: replace(stage.aws.addons[name], **values)}


def cluster(stage: Stage, **values: Any) -> None:
    """The cluster's settings."""
    state = stage.aws.area(EksState)
    for key, value in values.items():
        setattr(state, key, value)


def group_name(names: Names) -> str:
    """The managed node group of the story."""
    return f"{names.worker}-nodes"


def node_group(stage: Stage, names: Names, **values: Any) -> None:
    """A managed node group, to which the cluster's nodes belong."""
    made = Nodegroup(group_name(names), ("m5.xlarge",), 6, 3, 12)
    stage.aws.nodegroups = {**stage.aws.nodegroups, made.name: replace(made, **values)}


def label_nodes(stage: Stage, names: Names, before_s: float, **labels: str) -> None:
    """The cluster's nodes are of that group."""

    def change(obj: Obj) -> None:
        obj["metadata"]["labels"] |= {NODE_GROUP_LABEL: group_name(names), **labels}

    for name in NODES:
        stage.change_at(before_s, "Node", "", name, change)


NODES = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))
