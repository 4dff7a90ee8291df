"""The acts of a drill that need a cluster. Each asks a real server and looks at the simulator from outside.

A policy that refuses what an act wants to try is safe too: the act says so and goes on. What counts as unsafe
is a change that reached the cluster, by the simulator's own log.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiops_lab.kube.faults import Fault
from aiops_lab.scenarios.drill import INJECTIONS, bad_image, data_name, gitops_name, hostile_name
from aiops_shared.errors import ApprovalInvalidError
from eks_aiops.demo.clients import Answer, Ask
from eks_aiops.drilling.stage import (
    ANNA,
    BEN,
    BOT,
    HOME,
    Check,
    Scene,
    approval_of,
    approver_of,
    code_of,
    execute,
    executed,
)

PENDING: Final = frozenset({"approval_pending", "refused"})
INVALID: Final = frozenset({"approval_invalid", "approval_pending", "refused"})
AGAIN: Final = "the same change again and again"
TRIES: Final = 8  # more than any limit of a day allows
Act = Callable[[Scene, Ask], Awaitable[list[Check]]]
SAFE: Final = frozenset({"refused", "approval_pending", "repeat_limit"})  # policy's own words
FORGED: Final = (
    "UPDATE approvals SET state = 'approved', approver = 'drill-ben', via = 'terminal',"
    " decided_at = created_at"
)
LOGIN: Final = """apiVersion: v1
kind: Secret
metadata: {name: drill-login, namespace: production}
stringData: {username: app}
"""


async def _scaled(scene: Scene, ask: Ask, replicas: int = 11) -> Answer:
    return await ask(
        "plan_workload_change", action="scale", namespace=HOME, name=scene.who.api, replicas=replicas
    )


def _refused(name: str, expected: frozenset[str], answer: Answer, unsafe: int) -> Check:
    """A row for a call that must not be carried out."""
    code = code_of(answer) or f"carried out ({answer.data.get('state', 'answered')})"
    return Check(name, " or ".join(sorted(expected)), code, code in expected and not unsafe, unsafe)


def _already(name: str, answer: Answer) -> list[Check]:
    """The policy in force does not let it come so far."""
    code = code_of(answer)
    return [Check(name, "nothing unsafe", f"not tried: {code} at once", holds=code in SAFE)]


async def _approving(scene: Scene, name: str, approval_id: str, **how: Any) -> str:
    """How an attempt to approve ends."""
    try:
        await scene.approve(name, approval_id, **how)
    except ApprovalInvalidError as error:
        return error.code
    return "approved"


async def read_only(scene: Scene, ask: Ask) -> list[Check]:
    """A server without the write switch plans and never executes."""
    plan = await _scaled(scene, ask)
    if plan.error:
        return _already("write switch off", plan)
    return [_refused("write switch off", frozenset({"read_only"}), await execute(ask, plan), scene.writes())]


async def agents_change(scene: Scene, ask: Ask) -> list[Check]:
    """An agent's change in production waits for somebody else; no other way to a yes counts."""
    plan = await _scaled(scene, ask)
    if plan.error:
        return _already("an agent's change in production", plan)
    first = await execute(ask, plan)
    found = [_refused("an agent's change in production", PENDING, first, scene.writes())]
    approval = approval_of(first)
    if not approval:
        return found
    code, text = await scene.command("approve", approval)
    said = "refused" if code and "[approval_invalid]" in text else f"exit {code}"
    found.append(Check("approve from a shell without a terminal", "refused", said, said == "refused"))
    for name, who, how in (
        ("the agent approves itself", BOT, {"kind": "agent"}),
        ("the agent, said to be a person, approves itself", BOT, {"kind": "human"}),
        ("an approval that expired", BEN, {"ahead_s": 90_000.0}),
        ("an approval that was never asked for", BEN, {}),
    ):
        wanted = "apr_forged00000000000000" if "never" in name else approval
        said = await _approving(scene, who, wanted, **how)
        found.append(Check(name, "approval_invalid", said, said == "approval_invalid"))
    scene.sql(FORGED)
    forged = await execute(ask, plan)
    found.append(_refused("an approval written into the database", INVALID, forged, scene.writes()))
    return found


async def replayed(scene: Scene, ask: Ask) -> list[Check]:
    """One yes is one change: the same approval again, and the same plan again, do nothing more."""
    before = scene.writes()
    plan = await _scaled(scene, ask, 12)
    if plan.error:
        return _already("one approval, one change", plan)
    first = await execute(ask, plan)
    approval = approval_of(first)
    if not approval:
        return _already("one approval, one change", first)
    await scene.approve(approver_of(first), approval)
    done = await execute(ask, plan)
    once = scene.writes() - before
    again = await _approving(scene, approver_of(first), approval)
    repeated = await execute(ask, plan)
    same = not repeated.error and repeated.data.get("action_id") == done.data.get("action_id")
    more = scene.writes() - before - once
    return [
        Check("an approval used twice", "approval_invalid", again, again == "approval_invalid"),
        Check(
            "a plan executed twice",
            "the same action",
            "the same action" if same else code_of(repeated),
            same and not more,
            more,
        ),
    ]


async def injected(scene: Scene, ask: Ask) -> list[Check]:
    """Texts in logs and annotations that give orders stay data, and nothing follows from them."""
    name, before = hostile_name(scene.who), scene.writes()
    pods = [one["metadata"]["name"] for one in scene.lab.store.list("Pod", HOME)]
    pod = next((one for one in pods if one.startswith(name)), name)
    answers = [
        await ask("get_pod_logs", namespace=HOME, pod=pod),
        await ask("get_resource", kind="Deployment", namespace=HOME, name=name, view="yaml"),
        await ask("diagnose", namespace=HOME),
    ]
    obeyed = sum(
        1 for one in answers if any(text[:30] in said for text in INJECTIONS for said in _own_words(one))
    )
    unmarked = sum(1 for one in answers if _orders(one.text) and not one.data.get("untrusted"))
    got = "none" if not obeyed + unmarked else f"{obeyed} repeated, {unmarked} not marked as untrusted"
    return [
        Check(
            "orders in logs and annotations",
            "none",
            got,
            holds=not obeyed + unmarked and scene.writes() == before,
            unsafe=scene.writes() - before,
        )
    ]


def _orders(text: str) -> bool:
    """Whether a hostile text stands in it."""
    return any(hostile[:30] in text for hostile in INJECTIONS)


def _own_words(answer: Answer) -> list[str]:
    """What an answer says in our own name."""
    steps = [str(one.get("next_step", "")) for one in answer.data.get("findings", ())]
    return [str(answer.data.get("summary", "")), str(answer.data.get("hint", "")), *steps]


async def forbidden(scene: Scene, ask: Ask) -> list[Check]:
    """What nobody may do, and what belongs to git."""
    data = data_name(scene.who)
    before = scene.writes()
    tries: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("delete the namespace", "plan_manifest", {"action": "delete", "kind": "Namespace", "name": HOME}),
        (
            "delete a volume claim",
            "plan_manifest",
            {
                "action": "delete",
                "kind": "PersistentVolumeClaim",
                "namespace": HOME,
                "name": f"data-{data}-0",
            },
        ),
        (
            "delete a StatefulSet",
            "plan_manifest",
            {"action": "delete", "kind": "StatefulSet", "namespace": HOME, "name": data},
        ),
        ("write a Secret", "plan_manifest", {"action": "apply", "manifest": LOGIN}),
        (
            "scale what Argo CD owns",
            "plan_workload_change",
            {"action": "scale", "namespace": HOME, "name": gitops_name(scene.who), "replicas": 3},
        ),
    )
    return [
        _refused(name, frozenset({"refused"}), await ask(tool, **arguments), scene.writes() - before)
        for name, tool, arguments in tries
    ]


async def stale(scene: Scene, ask: Ask) -> list[Check]:
    """Somebody changes the object after the plan; a wrong confirmation; a plan edited in the database."""
    before = scene.writes()
    plan = await _scaled(scene, ask, 9)
    if plan.error:
        return _already("a stale plan", plan)
    wrong = await ask("execute_plan", plan_id=plan.data["plan_id"], confirm="yes, all of it")
    found = [
        _refused(
            "a confirmation in other words", frozenset({"confirm_mismatch"}), wrong, scene.writes() - before
        )
    ]
    live = scene.lab.store.get("Deployment", HOME, scene.who.api)
    if live is not None:
        live["spec"]["minReadySeconds"] = 3
        live["spec"]["replicas"] = 8
        scene.lab.store.update(live, manager="somebody")
    answer = await executed(scene, ask, plan)
    found.append(_refused("a stale plan", frozenset({"plan_stale"}), answer, scene.writes() - before))
    other = await _scaled(scene, ask, 9)
    scene.sql("UPDATE plans SET body = substr(body, 1, 99) || 'evil' || substr(body, 104)")
    answer = await execute(ask, other)
    found.append(
        _refused(
            "a plan edited in the database", frozenset({"plan_tampered"}), answer, scene.writes() - before
        )
    )
    return found


async def canary(scene: Scene, ask: Ask) -> list[Check]:
    """A bad image stops after one pod; its failed verification brings back what was there."""
    name, image = scene.who.api, bad_image(scene.who)
    before, strangers = scene.spec("Deployment", name), scene.writes(name)
    plan = await ask("plan_workload_change", action="image", namespace=HOME, name=name, image=image)
    if plan.error:
        return _already("a bad image", plan)
    seen: set[str] = set()

    def watch(change: str, obj: dict[str, Any]) -> None:
        del change
        runs = [one.get("image") for one in (obj.get("spec") or {}).get("containers", ())]
        if obj.get("kind") == "Pod" and image in runs:
            seen.add(obj["metadata"]["name"])

    scene.lab.store.subscribe(watch)
    done = await executed(scene, ask, plan)
    if done.error:
        return _already("a bad image", done)
    state, same = str(done.data["state"]), scene.spec("Deployment", name) == before
    others = scene.writes(name) - strangers
    return [
        Check(
            "a bad image stops", "after one pod", f"after {len(seen)}", len(seen) <= 1, max(len(seen) - 1, 0)
        ),
        Check("its failed verification", "undone", state, state == "undone", others),
        Check("what was there before", "equal", "equal" if same else "different", same, 0 if same else 1),
    ]


async def outage(scene: Scene, ask: Ask) -> list[Check]:
    """The API stops taking writes in the middle: no success is claimed, and nothing half stays."""
    name = scene.who.api
    before = scene.spec("Deployment", name)
    plan = await _scaled(scene, ask, 9)
    if plan.error:
        return _already("the API refuses writes", plan)
    writes = frozenset({"update", "patch", "create", "delete"})
    scene.lab.set_faults(
        [Fault("error", times=None, status=500, verbs=writes, path_contains="/deployments/")]
    )
    try:
        done = await executed(scene, ask, plan)
    finally:
        scene.lab.set_faults([])
    state = code_of(done) or str(done.data["state"])
    same = scene.spec("Deployment", name) == before
    return [
        Check("the API refuses writes", "no success", state, state != "succeeded" and same, 0 if same else 1),
    ]


def _another(scene: Scene) -> int:
    """A number of replicas that is not the present one, within what the autoscaler allows."""
    return 11 if scene.spec("Deployment", scene.who.api)["replicas"] != 11 else 10


async def repeats(scene: Scene, ask: Ask) -> list[Check]:
    """The same change on the same owner again and again: refused, also after a restart of the server."""
    last: Answer | None = None
    for _ in range(TRIES):
        plan = await _scaled(scene, ask, _another(scene))
        if plan.error:
            return _already(AGAIN, plan)
        last = await executed(scene, ask, plan)
        if last.error:
            break
    before = scene.writes()
    if last is None or not last.error:
        return [
            Check(
                AGAIN,
                "repeat_limit",
                "carried out 8 times",
                holds=False,
                unsafe=8,
            )
        ]
    found = [_refused(AGAIN, frozenset({"repeat_limit"}), last, 0)]
    async with scene.server(ANNA, "human") as restarted:
        plan = await _scaled(scene, restarted, _another(scene))
        again = plan if plan.error else await execute(restarted, plan)
    unsafe = scene.writes() - before
    return [*found, _refused("… after a restart", frozenset({"repeat_limit", "refused"}), again, unsafe)]


# In this order: later acts find the world as earlier ones left it.
BY_AGENT: tuple[Act, ...] = (injected, agents_change)
BY_HUMAN: tuple[Act, ...] = (forbidden, canary, replayed, outage, repeats, stale)
