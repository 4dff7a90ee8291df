"""F23: a change goes through policy, git, a person and Argo CD to a verdict, and back through git."""

import json
from pathlib import Path

import pytest
import yaml

from aiops_lab.scenarios.gitops import HOME, image_of, manifests, name_of
from aiops_lab.world.argo_git import follow
from tests.e2e.stage import Obj
from tests.sop.generating.test_deployments_lab import commit, git, repository
from tests.sop.procedures.playing import AUTO, begun, played, states, step, written
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
SOP = "gitops-deploy-verify"


def wanted(stage: Stage, version: str, user: int = 1000) -> str:
    """The Deployment of a version as JSON on one line, hardened as the policy wants it."""
    found = manifests(stage.who, version)[0]
    safe: Obj = {"runAsNonRoot": user > 0, "runAsUser": user, "readOnlyRootFilesystem": True}
    safe |= {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    spec = found["spec"]["template"]["spec"]
    spec["containers"][0]["securityContext"] = safe
    spec["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}}
    return json.dumps(found)


def branches(bare: Path) -> list[str]:
    """Branches of ours."""
    found = git(bare, "branch", "--format=%(refname:short)").split()
    return [one for one in found if one.startswith("eks-aiops/")]


def merged(bare: Path) -> None:
    """A person merges the newest of our branches (fast forward)."""
    newest = git(bare, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/heads/eks-aiops")
    git(bare, "update-ref", "refs/heads/main", newest.split()[0])


def image(stage: Stage) -> str:
    """What runs."""
    live = stage.lab.store.get("Deployment", HOME, name_of(stage.who))
    assert live is not None
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.row("S54")
@pytest.mark.row("S55")
async def test_a_change_is_deployed_through_git_and_reverted_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bare, clone = repository(tmp_path / "git")
    table = tmp_path / "clusters.yaml"
    rows = [{"name": "shop", "path": str(bare), "applications": ["shop"]}]
    accounts = [{"account_id": "111122223333", "regions": ["us-east-1"]}]
    table.write_text(yaml.safe_dump({"accounts": accounts, "repositories": rows}), encoding="utf-8")
    async with operated(monkeypatch, tmp_path, autonomy=AUTO, clusters_file=table) as stage:
        begun(stage, "gitops-release", 0)
        commit(clone, manifests(stage.who, "2.0.0"))
        follow(stage.lab.world.argo, name_of(stage.who), bare)
        stage.lab.clock.advance(60)
        await _blocked(stage, bare)
        await _deployed(stage, bare)
        await _reverted(stage, bare)


def _asked(stage: Stage, manifest: str) -> Obj:
    return {"app": name_of(stage.who), "manifest": manifest}


async def _blocked(stage: Stage, bare: Path) -> None:
    """F23d: root is stopped before the commit."""
    run = await played(stage, SOP, _asked(stage, wanted(stage, "2.1.0", user=0)))
    assert run["state"] in {"escalated", "refused"}, run
    assert states(run)["commit"] == "pending"
    assert branches(bare) == []


async def _deployed(stage: Stage, bare: Path) -> None:
    """Policy, commit, merge, sync, verdict."""
    run = await played(stage, SOP, _asked(stage, wanted(stage, "2.1.0")), first=lambda _: merged(bare))
    assert run["state"] == "succeeded", run
    assert step(run, "judge")["output"]["verdict"] == "promote"
    assert image(stage) == image_of(stage.who, "2.1.0")
    assert written(stage) == [], "Argo CD writes, not we"


async def _reverted(stage: Stage, bare: Path) -> None:
    """F23b: a bad image is Degraded; the revert is a commit."""
    bad = wanted(stage, "2.1.0-typo")
    run = await played(stage, SOP, _asked(stage, bad), first=lambda _: merged(bare))
    assert run["state"] == "undone", run
    merged(bare)
    stage.lab.clock.advance(120)
    assert image(stage) == image_of(stage.who, "2.1.0")
    after = await stage.got("verify_deployment", app=name_of(stage.who))
    assert (after["sync"], after["health"]) == ("Synced", "Healthy"), after
