"""A real git repository for tests, and the server's table that names it."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from aiops_lab.scenarios.drill import gitops_name
from aiops_lab.scenarios.names import cast
from tests.e2e.stage import Obj, Person, Stage, client_on, lab_environment, settings_on
from tests.lab_fixture import running_lab

FILE, HOME = "apps/web.yaml", "production"


@dataclass(frozen=True)
class Repo:
    """A clone with a `main` branch."""

    path: Path

    def git(self, *words: str, check: bool = True) -> str:
        """Run git as the operator would."""
        who = ("-c", "user.name=op", "-c", "user.email=op@example.com")
        done = subprocess.run(
            ["git", *who, "-C", str(self.path), *words], capture_output=True, text=True, check=check
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> str:
        """Write and commit files on main."""
        for name, text in files.items():
            where = self.path / name
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text, encoding="utf-8", newline="")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "main")

    def branches(self) -> list[str]:
        """All but main."""
        return [one for one in self.git("branch", "--format=%(refname:short)").split() if one != "main"]

    def objects(self) -> int:
        """How many objects it holds."""
        return len([one for one in (self.path / ".git" / "objects").rglob("*") if one.is_file()])


def made(folder: Path) -> Repo:
    """An empty one."""
    folder.mkdir(parents=True)
    repo = Repo(folder)
    repo.git("init", "-q", "-b", "main")
    return repo


def manifest(name: str, image: str, replicas: int = 2) -> str:
    """A Deployment as people write one: comments, blank lines, odd indentation, a second document."""
    return f"""# what the shop serves
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}-words}}   # inline
data:
    greeting: 'hi'
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {HOME}

spec:
  replicas: {replicas}   # enough for now
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: {name}
        image: {image}
"""


@dataclass
class GitStage:
    """A whole stack with a repository that feeds the drill's Argo CD application."""

    stage: Stage
    repo: Repo
    name: str
    base: str

    def wish(self, replicas: int = 3, **more: Any) -> str:
        """What a caller sends: the fields to change."""
        spec = {"replicas": replicas, **more}
        told = {"name": self.name, "namespace": HOME}
        return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": told, "spec": spec})

    async def planned(self, **more: Any) -> Obj:
        """A plan of a commit."""
        asked = {"action": "apply", "via": "git", "manifest": self.wish(), "reason": "more room", **more}
        return await self.stage.got("plan_manifest", **asked)

    async def done(self, plan: Obj) -> Obj:
        """Executed, approved by another person where policy says so."""
        answer = await self.stage.execute(plan)
        if answer.code == "approval_pending":
            await self.stage.approved_by("bela", answer)
            answer = await self.stage.execute(plan)
        assert not answer.error, answer.error
        return answer.data


@asynccontextmanager
async def git_stage(
    monkeypatch: pytest.MonkeyPatch, folder: Path, seed: int = 3, **row: Any
) -> AsyncIterator[GitStage]:
    """The drill's world with its repository in the operator's table."""
    async with running_lab("guardrail-drill", seed) as lab:
        lab_environment(lab, monkeypatch)
        exported = lab.export("lab-admin")
        monkeypatch.setenv("KUBECONFIG", exported["KUBECONFIG"])
        config = yaml.safe_load(await anyio.Path(exported["KUBECONFIG"]).read_text(encoding="utf-8"))
        name = gitops_name(cast(seed))
        live = lab.store.get("Deployment", HOME, name)
        assert live is not None
        repo = made(folder / "shop-config")
        base = repo.commit({FILE: manifest(name, live["spec"]["template"]["spec"]["containers"][0]["image"])})
        table = folder / "clusters.yaml"
        about = {"name": "shop-config", "path": str(repo.path), "applications": [name], **row}
        cluster = {"name": "shop", "context": config["current-context"]}
        table.write_text(yaml.safe_dump({"clusters": [cluster], "repositories": [about]}), encoding="utf-8")
        wanted, person = settings_on(lab, folder, clusters_file=table), Person()
        async with client_on(lab, wanted, person) as client:
            yield GitStage(Stage(lab, wanted, client, person, cast(seed)), repo, name, base)
