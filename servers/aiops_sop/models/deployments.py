"""What `verify_deployment` answers: a verdict on a release, and the numbers and tests behind it."""

from typing import Literal

from aiops_shared.results import Answer, Frozen, Table
from aiops_sop.models.configs import PullRequest

Verdict = Literal["promote", "hold", "rollback"]


class DeploymentAsk(Frozen):
    """Which release is judged."""

    cluster: str | None = None
    namespace: str = ""
    kind: str = "Deployment"
    name: str = ""
    app: str = ""  # an Argo CD Application, as name or namespace/name
    baseline: str = ""  # a version, or a window FROM/TO
    canary: str = ""  # a version
    since: str = ""  # when the release began; empty: found


class DeploymentVerdict(Answer):
    """One release, judged."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    recheck_after_s: int | None = None  # hold: ask again then
    next_weight_pct: int | None = None  # promote: the canary's next share of traffic
    rollout: str = "unknown"  # complete, progressing, stuck, paused
    sync: str = ""  # Argo CD's words
    health: str = ""
    revision: str = ""
    checks: Table  # check, before, after, p, finding, test
    endpoints: Table | None = None
    pull_request: PullRequest | None = None
