"""Verdicts on releases through the whole suite: canaries (F23c), commits (F23), log lines (F10d)."""

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.gitops import manifests, name_of
from aiops_lab.scenarios.log_insights import story
from aiops_lab.scenarios.releases import release
from aiops_lab.world.argo_git import follow
from aiops_sop.clients.peers import McpPeers
from tests.sop.stage import Stage, in_this_process, operated

WANTED = {
    "release-worse": "rollback",
    "release-noise": "promote",
    "release-busy": "hold",
    "release-slow": "rollback",
}


async def verdict(stage: Stage, **more: Any) -> Obj:
    return await stage.got("verify_deployment", namespace="production", **more)


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("B26")
async def test_a_canary_is_told_from_chance_and_load_and_its_verdict_has_its_tests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "release-worse") as stage:
        for seed in (0, 3):
            for story, wanted in WANTED.items():
                stage.play(story, seed)
                told = release(stage.who)
                found = await verdict(stage, workload=told.service, canary=told.after)
                assert found["verdict"] == wanted, (story, seed, found)
                checks = dict(zip(found["checks"]["columns"], found["checks"]["rows"][0], strict=True))
                assert checks["check"] == "errors"
                assert "exact binomial" in checks["test"]
                if wanted == "promote":
                    assert found["next_weight_pct"] == 25
                if wanted == "hold":
                    assert found["recheck_after_s"] == 300
                    assert "load, not the release" in found["reasons"][0]
        unknown = await stage.ask(
            "verify_deployment", namespace="production", workload=told.service, canary="v0"
        )
        assert unknown.code == "invalid_input"
        assert told.after in unknown.error
        missing = await stage.ask("verify_deployment", namespace="production", workload="nobody")
        assert missing.code == "not_found"
        neither = await stage.ask("verify_deployment", namespace="production")
        assert neither.code == "invalid_input"


def git(repo: Path, *words: str) -> str:
    who = ("-c", "user.name=op", "-c", "user.email=op@example.com")
    done = subprocess.run(["git", *who, "-C", str(repo), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(clone: Path, objects: Sequence[Obj]) -> str:
    """The next revision on the bare repository's main."""
    (clone / "shop.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "release")
    git(clone, "push", "-q", "origin", "main")
    return git(clone, "rev-parse", "main")


def repository(folder: Path) -> tuple[Path, Path]:
    """A bare repository and a clone of it."""
    bare, clone = folder / "shop.git", folder / "clone"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    subprocess.run(["git", "clone", "-q", str(bare), str(clone)], check=True, capture_output=True)
    git(clone, "checkout", "-q", "-b", "main")
    return bare, clone


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("S54")
async def test_a_commit_is_synced_in_forty_seconds_a_bad_one_is_rolled_back_by_a_revert(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "gitops-release") as stage:
        for seed in (0, 2):
            stage.play("gitops-release", seed)
            lab, name = stage.lab, name_of(stage.who)
            bare, clone = repository(tmp_path / str(seed))
            first = commit(clone, manifests(stage.who, "2.0.0"))
            follow(lab.world.argo, name, bare)
            lab.clock.advance(41)
            stood = await verdict(stage, app=name)
            assert (stood["sync"], stood["health"]) == ("Synced", "Healthy")

            good = commit(clone, manifests(stage.who, "2.1.0"))
            lab.clock.advance(7)
            early = await verdict(stage, app=name)
            assert (early["verdict"], early["sync"]) == ("hold", "OutOfSync")
            lab.clock.advance(34)
            done = await verdict(stage, app=name)
            assert (done["verdict"], done["sync"], done["health"]) == ("hold", "Synced", "Healthy")
            assert (done["revision"], done["rollout"]) == (good, "complete")
            lab.clock.advance(900)
            assert (await verdict(stage, app=name))["verdict"] == "promote"

            commit(clone, manifests(stage.who, "2.1.0-typo"))
            lab.clock.advance(150)
            bad = await verdict(stage, app=name)
            assert (bad["verdict"], bad["health"]) == ("rollback", "Degraded"), bad
            assert "2.1.0-typo" in bad["reasons"][0]
            assert bad["pull_request"]["title"].startswith("Revert")
            git(clone, "revert", "--no-edit", "HEAD")
            git(clone, "push", "-q", "origin", "main")
            lab.clock.advance(60)
            again = await verdict(stage, app=name)
            assert (again["sync"], again["health"]) == ("Synced", "Healthy"), again
            assert again["revision"] not in {first, good}


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("S55")
async def test_what_breaks_the_policy_is_stopped_before_it_is_committed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "gitops-release") as stage:
        wanted, _ = manifests(stage.who, "2.1.0")
        wanted["spec"]["template"]["spec"]["containers"][0]["securityContext"] = {"runAsUser": 0}
        peers = McpPeers(stage.settings, in_this_process(stage.settings))
        try:
            ask = {"manifest": yaml.safe_dump(wanted), "policy": "restricted"}
            found = await peers.call("eks", "scan_manifest", ask)
        finally:
            await peers.aclose()
        assert found["verdict"] == "fail"


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.row("S44")
async def test_what_a_release_broke_is_found_in_the_log_lines_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "log-insights") as stage:
        told = story(0, stage.lab.world.telemetry.t0_s)
        at = datetime.fromtimestamp(told.release.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found = await verdict(stage, workload=told.services.checkout, since=at)
        assert found["verdict"] == "rollback", found
        assert any(told.release.route in str(row) for row in found["endpoints"]["rows"])
        assert any("timeout" in reason for reason in found["reasons"])
