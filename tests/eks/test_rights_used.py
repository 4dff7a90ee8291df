"""The rights used equal the rights given (`deploy/rbac`, `deploy/iam`), both ways, by measurement.

One walk as aiops-executor, to whom the lab gives exactly the generated roles: what is missing is a 403 or an
AccessDenied there, and a failure here. What was used is read from the lab's log of requests and from
botocore's events. What no world of the lab can show stands in UNPLAYED with its reason.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aiops_eks.clients.cluster_views import VIEWS
from aiops_eks.clients.rights import AWS_RIGHTS, FORWARD_COMMAND, KINDS, WRITABLE, kube_rights
from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.aws import AWS
from aiops_eks.diagnosis.further.base import always
from aiops_shared.auth.rights import Role
from aiops_shared.settings import PolicySettings
from eks_aiops.forwarding import forward
from tests.e2e.stage import whole
from tests.eks import rights_walk as walk
from tests.eks.rights_walk import Use, Uses, Walker

AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")
FREE = {("aws", "sts:GetCallerIdentity")}  # no permission is needed (STS API reference)
NO_KIND = "the lab serves no such kind"
UNSERVED = ("HelmRelease", "Kustomization", "NodeClass")
LEASE = "only a forwarder that sends events on holds it; tests/sop/events/test_forwarding_events.py plays one"
UNPLAYED: dict[tuple[str, Use], str] = {
    ("forward", ("aws", "events:PutEvents")): LEASE,
    **{
        ("forward", ("kube", verb, "coordination.k8s.io", "leases", "aiops-system")): LEASE
        for verb in ("create", "get", "update")
    },
    **{("read", ("kube", verb, *KINDS[kind], "")): NO_KIND for kind in UNSERVED for verb in ("get", "list")},
    (
        "sensitive",
        ("aws", "logs:StopQuery"),
    ): "only a query that is not done in time is stopped; tests/eks/test_changes.py plays one",
}


def table() -> Iterator[tuple[Role, tuple[str, ...], Use]]:
    """Every right: of which role, for which tools."""
    for right in kube_rights():
        for verb in right.verbs:
            if right.resource.startswith("/"):
                yield right.role, right.tools, ("url", verb, right.resource)
            else:
                yield right.role, right.tools, ("kube", verb, right.group, right.resource, right.namespace)
    for one in AWS_RIGHTS:
        yield one.role, one.tools, ("aws", one.action)


def given() -> dict[str, set[Use]]:
    """By tool."""
    found: dict[str, set[Use]] = {}
    for _, tools, use in table():
        for tool in tools:
            found.setdefault(tool, set()).add(use)
    return found


def spare(by_tool: dict[str, set[Use]]) -> list[tuple[str, ...]]:
    """What a role has and none of the tools it is there for has used, the role first."""
    rights = given()
    used = {tool: {by_rights(use, rights.get(tool, set())) for use in book} for tool, book in by_tool.items()}
    granted: dict[tuple[str, ...], bool] = {}
    for role, tools, use in table():
        key = (str(role), *use)
        granted[key] = granted.get(key, False) or any(use in used.get(tool, ()) for tool in tools)
    return sorted(key for key, was in granted.items() if not was)


def by_rights(use: Use, rights: set[Use]) -> Use | None:
    """The right that covers a use: the narrowest, of its namespace, or of all; None when there is none."""
    wide = (*use[:4], "") if use[0] == "kube" else use
    return next((one for one in (use, wide) if one in rights), None)


async def walked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Uses:
    """All tools over the worlds that need each right."""
    uses = Uses()
    uses.watch(monkeypatch)
    asked = tuple(replace(one, when=always) for one in FURTHER)
    monkeypatch.setattr("aiops_eks.clients.further.FURTHER", asked)
    asked_of_aws = tuple(replace(one, when=always) for one in AWS)
    monkeypatch.setattr("aiops_eks.diagnosis.further.aws.AWS", asked_of_aws)
    executor = whole("healthy", 1, monkeypatch, folder, identity="aiops-executor", policy=AUTO)
    async with executor as stage:
        walker = Walker(stage, uses)
        await walk.read_every_kind(walker, KINDS)
        await walk.read_logs(walker)
        await walk.change_pods(walker)
        await walk.change_workloads(walker)
        await walk.change_manifests(walker, WRITABLE)
        await walk.read_aws(walker, VIEWS)
        await walk.change_nodes(walker)
        await walk.profile(walker)
        await walk.change_addons(walker)
        walker.play("healthy", 1)
        stage.lab.requests.clear()
        monkeypatch.setenv("AIOPS_STATE_DIR", str(folder / "forwarded"))
        for name, value in stage.lab.export("aiops-reader").items():
            monkeypatch.setenv(name, value)
        assert await forward(None, 1.0) == 0
        uses.take(FORWARD_COMMAND, stage.lab.requests.entries)
    return uses


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.threat("T2")
@pytest.mark.row("S10")
@pytest.mark.row("B25")
async def test_the_rights_used_are_the_rights_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uses, rights = await walked(monkeypatch, tmp_path), given()
    assert uses.refused == []
    lacking = [
        f"{tool}: {' '.join(use)}"
        for tool, book in uses.by_tool.items()
        for use in book - FREE
        if by_rights(use, rights.get(tool, set())) is None
    ]
    assert sorted(lacking) == [], "used, and not in the table of that tool"
    assert spare(uses.by_tool) == sorted((role, *use) for (role, use) in UNPLAYED), (
        "given, and used by nothing"
    )
