"""plan_manifest via=git through the whole stack, with a real git repository (decision D13, F17k)."""

from pathlib import Path

import pytest

from tests.eks.gitting import FILE, git_stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def steps(status: dict[str, object]) -> str:
    return str(status["steps"])


@pytest.mark.row("F17k")
@pytest.mark.parametrize("seed", range(5))
async def test_what_argo_cd_owns_is_changed_by_a_commit_and_given_back_by_a_revert(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with git_stage(monkeypatch, tmp_path, seed) as on:
        stage, repo = on.stage, on.repo
        direct = await stage.ask("plan_manifest", action="apply", manifest=on.wish())
        assert direct.code == "refused", direct.text
        assert "via=git" in direct.error
        hook = repo.path / ".git" / "hooks" / "reference-transaction"
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n", encoding="utf-8")
        hook.chmod(0o755)
        before = repo.objects()
        plan = await on.planned()
        assert repo.objects() == before, "planning writes nothing"
        assert repo.branches() == []
        assert plan["validation"] == "server_dry_run"
        assert plan["diff"]["rows"] == [
            [f"{FILE}:15", "-   replicas: 2   # enough for now", "+   replicas: 3   # enough for now"]
        ]
        done = await on.done(plan)
        assert done["state"] == "succeeded", done
        (branch,) = repo.branches()
        assert branch == f"eks-aiops/{plan['plan_id']}"
        commit = repo.git("rev-parse", branch)
        assert commit in steps(done)
        assert branch in steps(done)
        assert repo.git("rev-parse", f"{branch}~1") == on.base == repo.git("rev-parse", "main")
        old, new = repo.git("show", f"main:{FILE}"), repo.git("show", f"{branch}:{FILE}")
        assert new == old.replace("replicas: 2 ", "replicas: 3 ")
        said = repo.git("log", "-1", "--format=%an|%cn|%B", branch)
        assert said.startswith("eks-aiops|eks-aiops|")
        for word in (plan["plan_id"], "Requested-by: anna", "more room", on.name):
            assert word in said
        assert repo.git("status", "--porcelain") == ""
        assert stage.writes() == []
        again = await stage.execute(plan)
        assert again.data["action_id"] == done["action_id"]
        back = await stage.ended((await stage.got("undo_action", action_id=done["action_id"]))["action_id"])
        assert back.data["state"] == "undone", back.data
        assert repo.git("show", f"{branch}:{FILE}") == old
        assert repo.git("rev-parse", f"{branch}~1") == commit
        assert "This reverts commit" in repo.git("log", "-1", "--format=%B", branch)
        assert not (tmp_path / "hook-ran").exists()


async def test_a_plan_is_stale_when_the_branch_moved_and_an_undo_leaves_others_commits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with git_stage(monkeypatch, tmp_path) as on:
        stage, repo = on.stage, on.repo
        plan = await on.planned()
        repo.commit({"README.md": "moved\n"})
        stale = await stage.execute(plan)
        assert stale.code == "plan_stale", stale.text
        assert repo.branches() == []
        done = await on.done(await on.planned(reason="again"))
        (branch,) = repo.branches()
        repo.git("checkout", "-q", branch)
        repo.git("commit", "-q", "--allow-empty", "-m", "a person's")
        (repo.path / "more.md").write_text("x", encoding="utf-8")
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", "more of a person's")
        repo.git("checkout", "-q", "main")
        refused = await stage.ask("undo_action", action_id=done["action_id"])
        assert refused.code == "undo_refused", refused.text
        repo.git("merge", "-q", branch)
        repo.git("branch", "-D", branch)
        merged = await stage.ask("undo_action", action_id=done["action_id"])
        assert merged.code == "undo_refused", merged.text


@pytest.mark.threat("T1")
async def test_hostile_names_and_forbidden_changes_are_refused_before_git_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with git_stage(monkeypatch, tmp_path) as on:
        stage, repo = on.stage, on.repo
        asked = {"action": "apply", "via": "git", "manifest": on.wish()}
        for file in (
            "../out.yaml",
            "/etc/x.yaml",
            "-x.yaml",
            "a/-b/c.yaml",
            ".git/hooks/x.yaml",
            "a/../../x.yaml",
            "a//b.yaml",
            "a\\b.yaml",
            "a\nb.yaml",
            ":(top)a.yaml",
            "a/.GIT/x.yaml",
            "x.sh",
        ):
            refused = await stage.ask("plan_manifest", **asked, place=file)
            assert refused.code == "invalid_input", (file, refused.text)
        elsewhere = await stage.ask("plan_manifest", **asked, repository="../../etc")
        assert elsewhere.code == "not_found"
        assert "shop-config" in elsewhere.error
        other = await stage.ask("plan_manifest", **asked, place="apps/other.yaml")
        assert FILE in other.error
        for action in ("delete", "evict"):
            gone = await stage.ask("plan_manifest", action=action, via="git", kind="Pod", name="x")
            assert gone.code == "invalid_input"
        aimless = await stage.ask("plan_manifest", action="apply", manifest=on.wish(), place="a.yaml")
        assert aimless.code == "invalid_input"
        bad = {"containers": [{"name": on.name, "securityContext": {"privileged": True}}]}
        privileged = await stage.ask(
            "plan_manifest", **{**asked, "manifest": on.wish(template={"spec": bad})}
        )
        assert "pod-security" in privileged.error, privileged.text
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: production}\ndata: {}\n"
        kept = await stage.ask("plan_manifest", **{**asked, "manifest": secret, "place": "s.yaml"})
        assert "no-secret-write" in kept.error
        assert repo.branches() == []


async def test_a_new_file_is_added_and_pushed_where_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with git_stage(monkeypatch, tmp_path, push="policy") as on:
        stage, repo = on.stage, on.repo
        origin = tmp_path / "origin.git"
        repo.git("init", "-q", "--bare", str(origin))
        repo.git("remote", "add", "origin", str(origin))
        config = (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh, namespace: production}\ndata: {a: b}"
        )
        missing = await stage.ask("plan_manifest", action="apply", via="git", manifest=config)
        assert missing.code == "not_found", missing.text
        assert "place to add" in missing.error
        plan = await on.planned(manifest=config, place="apps/deep/fresh.yaml")
        done = await on.done(plan)
        assert done["state"] == "succeeded", done
        branch = f"eks-aiops/{plan['plan_id']}"
        there = repo.git("--git-dir", str(origin), "rev-parse", branch)
        assert there == repo.git("rev-parse", branch)
        assert "name: fresh" in repo.git("show", f"{branch}:apps/deep/fresh.yaml")
        back = await stage.ended((await stage.got("undo_action", action_id=done["action_id"]))["action_id"])
        assert back.data["state"] == "undone", back.data
        assert repo.git("--git-dir", str(origin), "ls-tree", "-r", "--name-only", branch) == FILE


async def test_a_push_that_fails_is_told_and_the_commit_taken_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with git_stage(monkeypatch, tmp_path, push="policy") as on:
        done = await on.done(await on.planned())
        assert done["state"] == "undone", done
        assert "push to origin failed" in str(done)
        (branch,) = on.repo.branches()
        assert on.repo.git("diff", "main", branch) == ""


async def test_without_a_repository_in_the_table_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with git_stage(monkeypatch, tmp_path, path=str(tmp_path)) as on:
        refused = await on.stage.ask("plan_manifest", action="apply", via="git", manifest=on.wish())
        assert refused.code == "not_configured", refused.text
        assert "shop-config" in refused.error
