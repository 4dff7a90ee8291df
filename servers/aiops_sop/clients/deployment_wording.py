"""How a verdict is said: the summary, and the text of the commit or pull request that follows from it."""

from collections.abc import Sequence
from typing import Final

from aiops_sop.analysis.verdicts.judging import Judged
from aiops_sop.analysis.verdicts.rollouts import Rollout, Sync
from aiops_sop.models.configs import PullRequest
from aiops_sop.models.deployments import DeploymentAsk

NEXT: Final = {
    "promote": "Give it the next share of traffic, or close the change.",
    "hold": "Change nothing; ask again.",
    "rollback": "Revert the commit (GitOps) or roll back by plan_workload_change(action=rollback).",
}


def said(ask: DeploymentAsk, found: Judged, rollout: Rollout, sync: Sync) -> str:
    """Verdict first, its reason, where the release stands."""
    why = "; ".join(found.reasons[:2])
    again = f"; again in {found.recheck_after_s} s" if found.recheck_after_s else ""
    argo = f", Argo CD {sync.status}/{sync.health}" if sync.status else ""
    head = f"{found.verdict.upper()} {ask.namespace}/{ask.name}"
    return f"{head}{again}: {why[:240]}. Rollout {rollout.state}{argo}. {NEXT[found.verdict]}"


def pull_request(
    ask: DeploymentAsk, found: Judged, rollout: Rollout, sync: Sync, reasons: Sequence[str]
) -> PullRequest:
    """What a reviewer of the next step reads."""
    titles = {"promote": "Promote", "hold": "Hold", "rollback": "Revert"}
    at = f" at {sync.revision[:10]}" if sync.revision else ""
    checks = [
        f"- {one.name}: {one.before} -> {one.after}, {one.finding} ({one.how})" for one in found.checks[:8]
    ]
    lines = [
        f"## Verdict: {found.verdict}",
        *(f"- {one}" for one in reasons[:6]),
        "",
        "## Checks",
        *(checks or ["- none: the rollout or the sync decided"]),
        "",
        "## Where it stands",
        f"- rollout: {rollout.state}, {rollout.says}",
        *([f"- Argo CD: {sync.status}, {sync.health}{at}"] if sync.status else []),
        "",
        "## Rollback",
        NEXT["rollback"],
    ]
    return PullRequest(title=f"{titles[found.verdict]} {ask.namespace}/{ask.name}{at}", body="\n".join(lines))
