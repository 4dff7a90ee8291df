"""What `verify_deployment` answers: a verdict on a release, and the numbers and tests behind it."""

from typing import Annotated, Literal

from pydantic import Field

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
    recheck_after_s: Annotated[int | None, Field(description="hold: ask again then")] = None
    next_weight_pct: Annotated[int | None, Field(description="promote: the canary's next share")] = None
    rollout: Annotated[str, Field(description="complete, progressing, stuck, paused, unknown")] = "unknown"
    sync: Annotated[str, Field(description="Argo CD's words")] = ""
    health: str = ""
    revision: str = ""
    checks: Annotated[Table, Field(description="check, before, after, p, verdict, test")]
    endpoints: Table | None = None
    pull_request: PullRequest | None = None
