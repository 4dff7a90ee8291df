"""Where git describes an object: which file, which lines, and what is never followed or run."""

import os
from pathlib import Path

import pytest

from aiops_eks.clients.git_places import GitPlaces, rows_from
from aiops_eks.clients.git_repository import CommitText, GitRepository
from aiops_eks.planning.drafts import Obj
from aiops_eks.planning.git import Place, checked_file, edited, holders, line_diff
from aiops_eks.planning.manifests import one_of
from aiops_shared.errors import (
    ConflictError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    UpstreamError,
)
from aiops_shared.kube.table import RepositoryRow
from aiops_shared.settings import Settings
from tests.eks.gitting import FILE, HOME, Repo, made, manifest

NAME = "web"


def wish(text: str = "spec: {replicas: 3}") -> Obj:
    head = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {NAME}, namespace: {HOME}}}\n"
    return one_of(head + text)


def row(repo: Repo, **more: object) -> RepositoryRow:
    return RepositoryRow.model_validate({"name": "shop-config", "path": repo.path, **more})


def places(*rows: RepositoryRow, program: str = "git") -> GitPlaces:
    return GitPlaces(lambda: rows, program)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    found = made(tmp_path / "repo")
    found.commit({FILE: manifest(NAME, "registry.example.com/web:1"), "README.md": NAME})
    return found


def test_only_the_changed_lines_change_and_comments_stay() -> None:
    before = manifest(NAME, "registry.example.com/web:1")
    asked = wish("spec: {template: {spec: {containers: [{name: web, image: 'registry.example.com/web:2'}]}}}")
    for text in (before, before.replace("\n", "\r\n"), "\ufeff" + before):
        change = edited(text, asked, FILE)
        assert change.in_place
        assert change.text == text.replace("web:1", "web:2")


def test_null_takes_a_field_away_and_what_the_manifest_does_not_name_stays() -> None:
    before = manifest(NAME, "registry.example.com/web:1").replace(
        "spec:\n  replicas: 2", "spec:\n  paused: null\n  minReadySeconds: 9\n  replicas: 2", 1
    )
    change = edited(before, wish("spec: {minReadySeconds: null}"), FILE)
    assert change.text == before.replace("  minReadySeconds: 9\n", "")


def test_a_file_without_the_namespace_stays_without_it() -> None:
    before = manifest(NAME, "registry.example.com/web:1").replace(f"  namespace: {HOME}\n", "")
    change = edited(before, wish(), FILE)
    assert "namespace" not in change.text
    assert "replicas: 3   # enough for now" in change.text


def test_the_document_of_the_own_namespace_is_meant_and_other_kinds_are_not() -> None:
    text = manifest(NAME, "a") + "---\n" + manifest(NAME, "a").replace(HOME, "staging")
    (found,) = holders(text, wish())
    assert found.number == 2
    assert holders(text.replace("Deployment", "StatefulSet"), wish()) == []
    with pytest.raises(InvalidInputError, match="2 times"):
        edited(manifest(NAME, "a") + "---\n" + manifest(NAME, "b"), wish(), FILE)
    with pytest.raises(InvalidInputError, match="already"):
        edited(manifest(NAME, "a"), wish("spec: {replicas: 2}"), FILE)


@pytest.mark.threat("T6")
def test_the_diff_shows_no_secret_and_says_that_one_changed() -> None:
    before = "data:\n  key: AKIACANARY7EXAMPLE01\n"
    (row_,) = line_diff("a.yaml", before, before.replace("EXAMPLE01", "EXAMPLE02"))
    assert "AKIA" not in f"{row_.before}{row_.after}"
    assert len(line_diff("a.yaml", None, "a: 1\n" * 900)) == 201


@pytest.mark.threat("T13")
@pytest.mark.threat("T1")
@pytest.mark.parametrize(
    "file",
    [
        "../a.yaml",
        "/a.yaml",
        "-a.yaml",
        "a/./b.yaml",
        ".git/a.yaml",
        "a//b.yaml",
        "a:b.yaml",
        "a\0.yaml",
        "a.sh",
        "a/kustomization.yaml",
        "Chart.yaml",
    ],
)
def test_a_file_name_that_leads_elsewhere_is_refused(file: str) -> None:
    with pytest.raises(InvalidInputError):
        checked_file(file)


async def test_the_file_is_found_in_a_clone_and_in_a_bare_repository(repo: Repo, tmp_path: Path) -> None:
    bare = Repo(tmp_path / "bare.git")
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare.path))
    for where in (repo, bare):
        found = places(row(where))
        place = await found.place("", "", wish(), "")
        assert (place.file, place.branch) == (FILE, "main")
        change = edited(place.text, wish(), place.file)
        before = repo.objects()
        tree = await found.tree(place, change.text)
        assert repo.objects() == before
        assert tree == await GitRepository(row(where)).stored_tree(place.base, FILE, change.text)


async def test_the_repository_is_the_owners_or_the_one_that_is_named(repo: Repo) -> None:
    two = row(repo, applications=["shop"]), row(repo, name="other", applications=["else"])
    assert (await places(*two).place("", "", wish(), "shop")).repository == "shop-config"
    assert (await places(*two).place("other", "", wish(), "shop")).repository == "other"
    with pytest.raises(InvalidInputError, match=r"other, shop-config"):
        await places(*two).place("", "", wish(), "unknown")
    with pytest.raises(NotFoundError, match="shop-config"):
        await places(*two).place("shop-confg", "", wish(), "")


@pytest.mark.threat("T13")
async def test_symlinks_are_not_followed_neither_to_read_nor_to_write(repo: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "web.yaml").write_text(manifest(NAME, "a"), encoding="utf-8")
    repo.git("rm", "-q", FILE)
    os.symlink(outside / "web.yaml", repo.path / "link.yaml")
    os.symlink(outside, repo.path / "folder")
    repo.commit({})
    found = places(row(repo))
    with pytest.raises(NotFoundError):
        await found.place("", "", wish(), "")
    with pytest.raises(InvalidInputError, match="without the object"):
        await found.place("", "link.yaml", wish(), "")
    with pytest.raises(InvalidInputError, match="no folder"):
        await found.place("", "folder/new.yaml", wish(), "")


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ({"apps/kustomization.yaml": "resources: [web.yaml]\n"}, "Kustomize"),
        ({"Chart.yaml": "name: web\n"}, "Helm"),
        ({"b/web.yml": manifest(NAME, "a")}, "several"),
        ({FILE: "kind: {{ .Values.kind }}\nname: web\n"}, "no plain manifest"),
        ({FILE: f"# {NAME}\n" + "x" * 1_000_001}, "no plain manifest"),
    ],
)
async def test_what_is_no_plain_manifest_is_refused_with_what_to_do(
    repo: Repo, beside: dict[str, str], says: str
) -> None:
    repo.commit(beside)
    with pytest.raises((InvalidInputError, NotFoundError), match=says) as refused:
        await places(row(repo)).place("", "", wish(), "")
    assert refused.value.hint


async def test_what_is_missing_is_said(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="program"):
        await places(row(repo), program="git-that-is-not-there").place("", "", wish(), "")
    with pytest.raises(NotConfiguredError, match="no folder"):
        await places(row(Repo(tmp_path / "none"))).place("", "", wish(), "")
    with pytest.raises(NotConfiguredError, match="not a git repository"):
        await places(row(Repo(tmp_path))).place("", "", wish(), "")
    with pytest.raises(NotConfiguredError, match="no branch trunk"):
        await places(row(repo, branch="trunk")).place("", "", wish(), "")
    with pytest.raises(NotConfiguredError, match="repositories"):
        rows_from(Settings())()


@pytest.mark.threat("T1")
async def test_no_hook_and_no_program_of_the_users_configuration_runs(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n", encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\n  fsmonitor = {script}\n  editor = {script}\n")
    for name in ("GIT_EDITOR", "GIT_EXTERNAL_DIFF", "GIT_SSH_COMMAND", "GIT_ASKPASS"):
        monkeypatch.setenv(name, str(script))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    for hook in ("pre-commit", "post-commit", "reference-transaction", "commit-msg", "pre-push"):
        where = repo.path / ".git" / "hooks" / hook
        where.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
        where.chmod(0o755)
    git = GitRepository(row(repo))
    base = await git.base()
    tree = await git.stored_tree(base, FILE, "a: 1\n")
    says = CommitText(tree, base, "Change it\n", 1_700_000_000)
    made_, again = await git.commit(says), await git.commit(says)
    assert made_ == again
    await git.move({"refs/heads/eks-aiops/x": (made_, "")})
    with pytest.raises(ConflictError):
        await git.move({"refs/heads/eks-aiops/x": (made_, "")})
    with pytest.raises(InvalidInputError, match="push"):
        await git.push(made_, "refs/heads/eks-aiops/x")
    assert not mark.exists()


async def test_a_repository_that_is_broken_is_an_upstream_error(repo: Repo) -> None:
    git = GitRepository(row(repo))
    base = await git.base()
    place = Place(repository="shop-config", branch="main", base="f" * 40, file=FILE)
    assert await git.entry(base, "none.yaml") is None
    with pytest.raises(UpstreamError):
        await places(row(repo)).tree(place, "a: 1\n")
