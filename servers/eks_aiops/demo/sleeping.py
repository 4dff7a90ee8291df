"""The fourth server's part of the story: a pod dies in staging while nobody is awake.

An event goes to `aiops-sop` as `mcp.json.example` starts it, as an agent would send it; the server starts the
others it needs itself. What it did is read from the simulator, not from the run.
"""

from pathlib import Path
from typing import Any

import anyio

from eks_aiops.demo.clients import Ask, Person, connected
from eks_aiops.demo.questions import Heard, asking
from eks_aiops.demo.report import Report
from eks_aiops.demo.witness import Witness

STORY, NAMESPACE = "oom-raise-limits-staging", "staging"
ENDED = frozenset({"succeeded", "undone", "escalated", "cancelled", "refused"})
WITHIN_S = 60.0


async def sleep(
    report: Report, environment: dict[str, str], witness: Witness, log: Path, seed: int, heard: Heard
) -> None:
    """An event, a cause, a procedure that asks nobody, and what is remembered of it."""
    report.title("Act 5: 03:00, an event, and nobody is asked (staging may mend itself, production may not)")
    await witness.reset(STORY, seed)
    agent = {
        **environment,
        "AIOPS_WRITE": "true",
        "AIOPS_SENSITIVE_READS": "true",
        "AIOPS_CALLER_NAME": "night-agent",
        "AIOPS_CALLER_KIND": "agent",
        "AIOPS_POLICY_AUTONOMY_STAGING": "auto-safe",
    }
    pod = await _victim(witness)
    async with connected("aiops-sop", agent, Person(says_yes=False), log) as (_, plain):
        ask = asking(report, plain, heard)
        detail = {"cluster": "my-cluster", "namespace": NAMESPACE, "pod": pod, "status": "OOMKilled"}
        event = {"source": "aws.eks", "detail-type": "EKS Pod State Change", "detail": detail}
        await ask("submit_event", event=event)
        again = await ask("submit_event", event=event)
        report.check("the same event again is the same incident", again.get("count") == 2)
        run = await _ended(plain, str(again.get("run_id") or ""), event)
        for step in run.get("steps", ()):
            report.says(f"{step['id']}: {step['state']} {step.get('says', '')}".rstrip()[:160])
        report.check("the run succeeded", run.get("state") == "succeeded")
        report.check("and asked nobody", run.get("human_inputs", 0) == 0)
        await ask("search_incidents", text="OOM")
    limits = await _limits(witness, pod)
    report.check(f"the simulator says: the memory limit is {limits}", bool(limits) and limits != "256Mi")


async def _victim(witness: Witness) -> str:
    """The pod that was killed last."""
    pods = (await witness.object(f"/api/v1/namespaces/{NAMESPACE}/pods") or {"items": []})["items"]
    worst = max(pods, key=_restarts)
    return str(worst["metadata"]["name"])


def _restarts(pod: dict[str, Any]) -> int:
    return sum(int(one.get("restartCount", 0)) for one in pod.get("status", {}).get("containerStatuses", []))


async def _ended(ask: Ask, run_id: str, event: dict[str, Any]) -> dict[str, Any]:
    """The run that the event became, once it ended."""
    with anyio.move_on_after(WITHIN_S):
        while True:
            if not run_id:
                run_id = str((await ask("submit_event", event=event)).data.get("run_id") or "")
            run = (await ask("get_run", run_id=run_id)).data if run_id else {}
            if run.get("state") in ENDED:
                return run
            await anyio.sleep(0.3)
    return {}


async def _limits(witness: Witness, pod: str) -> str:
    """The memory limit of the pod's Deployment as it is now."""
    owners = await witness.object(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments") or {"items": []}
    for owner in owners["items"]:
        if pod.startswith(str(owner["metadata"]["name"]) + "-"):
            first = owner["spec"]["template"]["spec"]["containers"][0]
            return str(first.get("resources", {}).get("limits", {}).get("memory", ""))
    return ""
