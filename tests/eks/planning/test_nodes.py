"""Changes of nodes as pure functions: who moves, who waits for what, in which order, judged by what."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_eks.planning import nodes as changes
from aiops_eks.planning.drafts import DryRun
from aiops_eks.planning.judging import Judged, Stamp
from aiops_eks.planning.nodes_budgets import budgets_of, choose, held_by, movable, stays, waiting_text
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.nodes_judging import plan_of, request_of
from aiops_eks.planning.nodes_scene import (
    Nodes,
    NodesAsked,
    NodesDraft,
    NodeWish,
    Spot,
    owner_key,
    pool_of,
    wave_order,
)
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import Caller, Facts, ObjectRef, Verdict
from aiops_shared.guardrails.plans import check_plan
from tests.eks.planning.objects import NOW, Obj, budget, owner, pod

ZONE, POOL = "topology.kubernetes.io/zone", "karpenter.sh/nodepool"
NO_WISH = NodeWish()


def node(name: str = "n1", zone: str = "a", pool: str = "default", **spec: Any) -> Obj:
    labels = {key: value for key, value in ((ZONE, zone), (POOL, pool)) if value}
    about = {"name": name, "uid": f"u-{name}", "resourceVersion": "1", "labels": labels}
    return {"apiVersion": "v1", "kind": "Node", "metadata": about, "spec": dict(spec), "status": {}}


def pressed(found: Obj, kind: str = "DiskPressure") -> Obj:
    return {**found, "status": {"conditions": [{"type": kind, "status": "True"}]}}


def owned(name: str, kind: str = "ReplicaSet", parent: str = "web-h1", **more: Any) -> Obj:
    found = pod(name, **more)
    found["metadata"]["ownerReferences"] = [owner(kind, parent, f"u-{parent}")]
    return found


def spot(found: Obj, *pods: Obj) -> Spot:
    ref = ObjectRef(cluster="lab", api_version="v1", kind="Node", name=found["metadata"]["name"])
    return Spot(ref=ref, obj=found, pods=pods)


def nodes(*spots: Spot, **more: Any) -> Nodes:
    given_: dict[str, Any] = {"pool_sizes": {"default": 20}, **more}
    return Nodes(cluster="lab", now=NOW, spots=spots, **given_)


def drained(*spots: Spot, **more: Any) -> NodesDraft:
    return changes.draft("drain", nodes(*spots, **more), NO_WISH)


def guarded(allowed: int, **more: Any) -> dict[str, tuple[Obj, ...] | None]:
    found = budget(allowed, **more)
    found["metadata"]["uid"] = "u-budget"
    return {"shop": (found,)}


# Who moves.


def test_pods_of_daemonsets_static_pods_and_finished_ones_stay() -> None:
    agent, done = owned("agent", "DaemonSet", "agent"), owned("done")
    done["status"]["phase"] = "Succeeded"
    static = pod("static")
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    pods = [agent, done, static, owned("web-1"), pod("bare")]
    assert [stays(each) for each in pods] == ["DaemonSet", "finished", "static", "", ""]
    assert [each["metadata"]["name"] for each in movable(pods)] == ["web-1", "bare"]


@pytest.mark.fault("R13")
@pytest.mark.parametrize(
    ("found", "allowed", "more", "held"),
    [
        (owned("web-1"), 1, {}, ""),
        (
            owned("web-1"),
            0,
            {"expectedPods": 3},
            "PodDisruptionBudget shop/web-budget (0 of 3 may be disrupted)",
        ),
        (owned("web-1", ready=False), 0, {"currentHealthy": 2, "desiredHealthy": 2}, ""),
        (owned("web-1", ready=False), 0, {"currentHealthy": 1, "desiredHealthy": 2}, "PodDisruptionBudget"),
        (owned("web-1"), 5, {"observedGeneration": 0}, "PodDisruptionBudget shop/web-budget (0 of"),
    ],
)
def test_a_budget_holds_a_pod_as_the_eviction_api_would(
    found: Obj, allowed: int, more: Obj, held: str
) -> None:
    said = held_by(found, guarded(allowed, **more))
    assert said.startswith(held) if held else said == ""


def test_sick_pods_go_where_the_budget_says_always_and_pending_ones_ask_nobody() -> None:
    always = budget(0)
    always["spec"]["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    assert held_by(owned("sick", ready=False), {"shop": (always,)}) == ""
    assert held_by(owned("well"), {"shop": (always,)}) != ""
    pending = owned("pending")
    pending["status"]["phase"] = "Pending"
    assert held_by(pending, guarded(0)) == ""


def test_two_budgets_over_one_pod_and_budgets_that_cannot_be_read_hold_it() -> None:
    two = {"shop": (budget(1), budget(1))}
    assert "more than one PodDisruptionBudget" in held_by(owned("web-1"), two)
    assert "cannot be read" in held_by(owned("web-1"), {"shop": None})
    assert budgets_of(owned("web-1"), {"shop": None}) == ()


# Who goes now.


def test_of_one_controller_one_pod_goes_at_a_time() -> None:
    pods = [owned("web-1"), owned("web-2"), owned("api-1", parent="api"), pod("bare")]
    choice = choose(pods, {})
    assert [each["metadata"]["name"] for each in choice.todo] == ["api-1", "bare", "web-1"]
    assert list(choice.waits.values()) == [("shop/web-2",)]
    going = owned("web-1")
    going["metadata"]["deletionTimestamp"] = "2026-11-22T03:00:00Z"
    choice = choose([going, owned("web-2")], {})
    assert choice.todo == ()
    assert waiting_text([going, owned("web-2")], choice).startswith("1 on their way out; waiting for the pod")


def test_what_is_not_ready_elsewhere_yet_holds_its_next_pod() -> None:
    choice = choose([owned("web-2")], {}, frozenset({"u-web-h1"}))
    assert choice.todo == ()
    assert list(choice.waits) == ["the pod before it of replicaset web-h1"]


def test_one_budget_over_several_controllers_is_spent_once() -> None:
    pods = [owned(f"p{number}", parent=f"rs{number}") for number in range(4)]
    choice = choose(pods, guarded(2))
    assert len(choice.todo) == 2
    assert sum(len(names) for names in choice.waits.values()) == 2


_PODS = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=12
)  # controller, ready, already going


@given(_PODS, st.integers(0, 5))
def test_whatever_stands_there_no_budget_and_no_controller_is_overdrawn(
    drawn: list[tuple[int, bool, bool]], allowed: int
) -> None:
    pods = []
    for number, (parent, ready, going) in enumerate(drawn):
        found = owned(f"p{number}", parent=f"rs{parent}", ready=ready)
        if going:
            found["metadata"]["deletionTimestamp"] = "2026-11-22T03:00:00Z"
        pods.append(found)
    choice = choose(pods, guarded(allowed))
    parents = [each["metadata"]["ownerReferences"][0]["uid"] for each in choice.todo]
    busy = {
        each["metadata"]["ownerReferences"][0]["uid"]
        for each in pods
        if each["metadata"].get("deletionTimestamp")
    }
    assert len(set(parents)) == len(parents)
    assert not set(parents) & busy
    assert len(choice.todo) <= allowed
    waiting = sum(len(names) for names in choice.waits.values())
    assert len(choice.todo) + waiting + sum(going for _, _, going in drawn) == len(pods)


# In which order.


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_no_wave_holds_two_of_a_zone_and_every_node_goes_once(zones: list[str]) -> None:
    spots = [spot(node(f"n{number:02}", zone)) for number, zone in enumerate(zones)]
    order, waves = wave_order(spots)
    assert sum(waves) == len(spots)
    assert {each.ref.name for each in order} == {each.ref.name for each in spots}
    assert len(order) == len(spots)
    assert waves[:1] in {(), (1,)}
    start = 0
    for size in waves:
        found = [each.zone for each in order[start : start + size]]
        assert len(set(found)) == len(found)
        assert size <= max(1, len(spots) // 10)
        start += size


def test_zones_take_turns_and_nodes_without_a_zone_share_one() -> None:
    found = [("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")]
    order, waves = wave_order([spot(node(name, zone)) for name, zone in found])
    assert [each.zone for each in order] == ["a", "b", "a", "b"]
    assert waves == (1, 1, 1, 1)
    _, waves = wave_order([spot(node(f"n{number:02}", "")) for number in range(40)])
    assert set(waves) == {1}


# The change.


@pytest.mark.row("S73")
def test_a_drain_cordons_then_evicts_and_writes_only_the_cordon() -> None:
    found = drained(spot(node(), owned("web-1"), owned("agent", "DaemonSet", "agent")))
    (target,) = found.targets
    assert [(step.name, step.verb) for step in target.steps] == [("cordon", "write"), ("evict", "sweep")]
    assert target.paths == ("spec.unschedulable",)
    assert target.owner == "nodepool default"
    assert found.reversible == "partial"
    assert found.confirm == "drain node n1: cordon, evict 1 pod within 10 min a node"
    assert found.shows["stay"] == "1 DaemonSet"


@pytest.mark.fault("R13")
def test_the_plan_says_which_budget_blocks_now() -> None:
    found = drained(spot(node(), owned("web-1"), owned("web-2")), budgets=guarded(0, expectedPods=3))
    assert found.shows["blocked_now"] == "2 by PodDisruptionBudget shop/web-budget (0 of 3 may be disrupted)"


def test_a_bare_pod_cannot_be_given_back_and_empty_dirs_are_lost() -> None:
    web = owned("web-1")
    web["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    found = drained(spot(node(), pod("bare"), web))
    assert found.reversible == "none"
    assert found.lost[:2] == ("pod shop/bare: no controller makes it again", "emptyDir data of shop/web-1")
    assert "1 pod without a controller" in found.warnings[0]


def test_all_replicas_on_one_node_without_a_budget_are_warned_of() -> None:
    above: Obj = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web-h1", "namespace": "shop", "uid": "u-web-h1"},
        "spec": {"replicas": 2},
        "status": {"readyReplicas": 2},
    }
    here = spot(node(), owned("web-1"), owned("web-2"))
    above["metadata"]["ownerReferences"] = [owner("Deployment", "web", "u-web")]
    found = drained(here, owners={"u-web-h1": above})
    assert found.diff[0].after == "cordoned, evicted: shop/web 2"
    assert found.warnings == ("All 2 replicas of shop/web-h1 run on n1 and no budget guards them.",)
    gate = found.targets[0].steps[1].gate
    assert gate is not None
    assert gate.args["owners"][0]["ready"] == 2
    assert drained(here, owners={"u-web-h1": above}, budgets=guarded(1)).warnings == ()


def test_pods_that_ask_not_to_be_disturbed_and_unknown_drains_are_said() -> None:
    batch = owned("run-1", "Job", "run")
    batch["metadata"]["annotations"] = {"karpenter.sh/do-not-disrupt": "true"}
    said = drained(spot(node(), batch, owned("sick", ready=False)), draining=None)
    assert said.warnings == (
        "Karpenter was asked not to disturb 1 pod (shop/run-1).",
        "Whether other nodes are being drained is not known.",
    )
    assert said.shows["not_ready"] == "1 of the pods that move"


def test_a_drain_of_several_nodes_says_its_order_and_others_no_rollout() -> None:
    found = drained(spot(node("n1")), spot(node("n2", "b")))
    assert found.shows["rollout"].endswith("n1 (a), n2 (b)")
    assert found.shows["blocked_now"] == "nothing"
    many = [pod(f"bare-{number:02}") for number in range(12)]
    assert "and 2 more pods without a controller" in drained(spot(node(), *many)).lost


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [("cordon", "schedulable", "cordoned"), ("uncordon", "cordoned", "schedulable")],
)
def test_cordon_and_uncordon_leave_out_nodes_that_are_so_already(
    action: str, before: str, after: str
) -> None:
    cordoned, free = spot(node("n1", unschedulable=True)), spot(node("n2"))
    found = changes.draft(action, nodes(cordoned, free), NO_WISH)
    assert [(row.before, row.after) for row in found.diff] == [(before, after)]
    assert len(found.warnings) == 1
    done = cordoned if action == "cordon" else free
    with pytest.raises(InvalidInputError, match="already"):
        changes.draft(action, nodes(done), NO_WISH)


@pytest.mark.row("B12")
def test_a_taint_is_one_item_of_the_list_and_comes_off_again() -> None:
    found = changes.draft("taint", nodes(spot(node())), NodeWish(taint="nma/worn=disk:NoSchedule"))
    (target,) = found.targets
    assert target.steps[0].values == {
        "spec.taints[key=nma/worn]": {"key": "nma/worn", "value": "disk", "effect": "NoSchedule"}
    }
    assert found.confirm == "taint nma/worn=disk:NoSchedule on node n1"
    tainted = spot(node(taints=[{"key": "nma/worn", "value": "disk", "effect": "NoSchedule"}]))
    off = changes.draft("taint", nodes(tainted), NodeWish(taint="nma/worn:NoSchedule-"))
    assert off.targets[0].steps[0].values == {"spec.taints[key=nma/worn]": None}
    with pytest.raises(InvalidInputError, match="already so"):
        changes.draft("taint", nodes(tainted), NodeWish(taint="nma/worn=disk:NoSchedule"))
    with pytest.raises(InvalidInputError, match="one effect a key"):
        changes.draft("taint", nodes(tainted), NodeWish(taint="nma/worn=disk:PreferNoSchedule"))


def test_a_noexecute_taint_over_pods_that_do_not_tolerate_it_is_refused() -> None:
    agent = owned("agent", "DaemonSet", "agent")
    agent["spec"]["tolerations"] = [{"operator": "Exists"}]
    wish = NodeWish(taint="gone:NoExecute")
    with pytest.raises(InvalidInputError, match="would delete 1 pods"):
        changes.draft("taint", nodes(spot(node(), agent, owned("web-1"))), wish)
    assert changes.draft("taint", nodes(spot(node(), agent)), wish).targets
    agent["spec"]["tolerations"] = [{"key": "gone", "value": "x", "effect": "NoExecute"}]
    with pytest.raises(InvalidInputError, match="would delete"):
        changes.draft("taint", nodes(spot(node(), agent)), wish)


@pytest.mark.parametrize(
    "text", ["", "x", "x=y", "=y:NoSchedule", "x:Never", "x y:NoSchedule", "x:NoSchedule--"]
)
def test_what_is_no_taint_is_refused_before_anything_is_asked(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is no taint"):
        changes.check_fits("taint", NodeWish(taint=text))


def test_arguments_of_another_action_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="action=taint"):
        changes.check_fits("drain", NodeWish(taint="a:NoSchedule"))
    with pytest.raises(InvalidInputError, match="action=drain"):
        changes.check_fits("cordon", NodeWish(wait_s=60))
    for asked in (NodesAsked(), NodesAsked(names=("a",), pool="p")):
        with pytest.raises(InvalidInputError, match="exactly one"):
            asked.check()


# What it is judged by.


def facts(*spots: Spot, action: str = "drain", **more: Any) -> Facts:
    return measure_nodes(nodes(*spots, **more), action, "partial")


@pytest.mark.row("S34")
def test_one_fact_holds_only_when_it_holds_for_every_node() -> None:
    sick, well = spot(pressed(node("n1")), owned("web-1")), spot(node("n2", "b"), owned("web-2"))
    assert facts(sick).pressure
    assert facts(spot(pressed(node(), "MemoryPressure"))).pressure
    assert not facts(sick, well).pressure
    assert facts(sick, budgets=guarded(1)).pdb_headroom
    assert not facts(sick, budgets=guarded(0)).pdb_headroom
    assert not facts(sick, budgets={"shop": None}).pdb_headroom
    assert facts(sick).affected_pods == 1
    assert facts(sick, spot(node("n2"), pod("bare"))).reversible == "none"


def test_the_environment_is_the_strictest_of_the_pods_that_move() -> None:
    dev = {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "dev"}}}
    here = spot(node(), owned("web-1"))
    assert facts(here, namespaces={"shop": dev}).env == "dev"
    assert facts(here).env == "prod"
    assert facts(spot(node())).env == "prod"
    other = owned("x")
    other["metadata"]["namespace"] = "elsewhere"
    assert facts(spot(node(), owned("web-1"), other), namespaces={"shop": dev}).env == "prod"


def test_drains_that_others_began_count_by_zone_and_by_pool() -> None:
    same_zone = node("n8", "a", "other", unschedulable=True)
    same_pool = node("n9", "b", "default", unschedulable=True)
    found = facts(spot(node()), draining=(same_zone, same_pool))
    assert (found.az_drains, found.pool_drains, found.pool_pct) == (1, 2, 10)
    found = facts(spot(node()), draining=None)
    assert (found.az_drains, found.pool_pct) == (1, 100)
    assert facts(spot(node()), pool_sizes={}).pool_pct == 100
    assert facts(spot(node())).pool_pct == 5


def test_the_repeat_limit_goes_by_pool_node_group_or_node() -> None:
    group = node(pool="")
    group["metadata"]["labels"]["eks.amazonaws.com/nodegroup"] = "workers"
    assert [owner_key(each) for each in (node(), group, node(pool=""))] == [
        "nodepool default",
        "nodegroup workers",
        "node n1",
    ]
    assert pool_of(node(pool="")) == ("", "")


def test_a_plan_over_twenty_nodes_is_small_and_can_be_stored() -> None:
    pods = [owned(f"web-{number}", parent=f"rs-{number}") for number in range(110)]
    spots = [spot(node(f"ip-10-0-0-{number}.ec2.internal", "abc"[number % 3]), *pods) for number in range(20)]
    draft = drained(*spots)
    verdict = Verdict(decision="needs_approval", rule="drain-approval", approver="requester")
    judged = Judged(
        dry=DryRun(validation="server_dry_run"), facts=facts(*spots), verdict=verdict, policy_digest="d"
    )
    stamp = Stamp(plan_id="pln_1", caller=Caller(name="anna"), at=NOW, ttl_s=60, reason="worn disks")
    plan = plan_of(draft, nodes(*spots), judged, stamp)
    check_plan(plan)
    assert len(plan.targets) == 20
    assert len(plan.model_dump_json()) < 60_000
    assert len(plan.confirm) <= 900
    calm = changes.draft("cordon", nodes(*spots), NO_WISH)
    assert plan_of(calm, nodes(*spots), judged, stamp).blast_radius.says.endswith("running pods stay")
    assert request_of(draft, judged.facts, Caller(name="anna")).kind == "Node"
