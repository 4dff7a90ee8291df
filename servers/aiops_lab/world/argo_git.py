"""An Argo CD Application that follows a bare git repository: what its branch holds comes to the cluster.

A story or a test calls `follow` after the world is loaded; a load forgets it, as it forgets every timer.
A commit is noticed within a second (as by a webhook), OutOfSync 5 s after it, Synced and, when its workloads
are well, Healthy 40 s after it (F23). Health is Argo CD's for workloads (gitops-engine,
pkg/health/health_deployment.go): Degraded once the progress deadline is exceeded, Progressing until the new
pods are there.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from aiops_lab.world.argo import Argo, Commit
from aiops_lab.world.objects import Obj, condition, meta

LOOK_S = 1.0
DEADLINE = "ProgressDeadlineExceeded"


@dataclass
class Follower:
    """One Application and the repository that it is synced from."""

    argo: Argo
    application: str
    repository: Path
    branch: str = "main"
    folder: str = ""
    seen: str = ""

    def look(self) -> None:
        """Sync what is new; then again."""
        head = self.head()
        if head and head != self.seen:
            self.seen = head
            commit = Commit(head, tuple(self.objects(head)), health=self._health)
            self.argo.commit(self.application, commit)
        self.argo.cluster.clock.call_later(LOOK_S, self.look)

    def head(self) -> str:
        """The commit of the branch, empty while there is none; read as a file, for it is asked often."""
        loose = self.repository / "refs" / "heads" / self.branch
        if loose.exists():
            return loose.read_text().strip()
        packed = self.repository / "packed-refs"
        lines = packed.read_text().splitlines() if packed.exists() else []
        return next((line.split()[0] for line in lines if line.endswith(f" refs/heads/{self.branch}")), "")

    def objects(self, head: str) -> list[Obj]:
        """What the manifests of a commit hold."""
        names = self._git("ls-tree", "-r", "--name-only", head, "--", self.folder or ".").splitlines()
        found: list[Obj] = []
        for name in names:
            if name.endswith((".yaml", ".yml")):
                found += [one for one in yaml.safe_load_all(self._git("show", f"{head}:{name}")) if one]
        return found

    def _git(self, *words: str) -> str:
        program = shutil.which("git") or "git"
        call = [program, "-C", str(self.repository), *words]
        done = subprocess.run(call, capture_output=True, text=True, check=True)  # noqa: S603  # fixed words
        return done.stdout

    def _health(self, commit: Commit) -> Obj:
        """The worst of its workloads."""
        found: Obj = {"status": "Healthy"}
        for wanted in commit.objects:
            live = self.argo.cluster.cache.get(
                wanted["kind"], meta(wanted).get("namespace", ""), meta(wanted)["name"]
            )
            if wanted["kind"] != "Deployment" or live is None:
                continue
            progress = condition(live, "Progressing") or {}
            if progress.get("reason") == DEADLINE:
                words = f'Deployment "{meta(live)["name"]}" exceeded its progress deadline'
                return {"status": "Degraded", "message": words}
            if not _is_well(live):
                found = {"status": "Progressing", "message": f"Waiting for rollout of {meta(live)['name']}"}
        return found


def _is_well(live: Obj) -> bool:
    status, replicas = live.get("status") or {}, int(live["spec"].get("replicas", 1))
    seen = status.get("observedGeneration") == meta(live).get("generation")
    counts = [int(status.get(word) or 0) for word in ("updatedReplicas", "readyReplicas", "replicas")]
    return bool(seen) and counts == [replicas] * 3


def follow(argo: Argo, application: str, repository: Path, folder: str = "") -> Follower:
    """From now on the Application is synced from this bare repository's `main`."""
    made = Follower(argo, application, repository, folder=folder)
    made.look()
    return made
