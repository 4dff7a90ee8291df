"""Argo CD, as small as the stories need it: an Application that is synced from a revision to the cluster.

A commit makes it OutOfSync, a sync brings the commit's objects and the Application is Synced and Healthy 40 s
after the commit (F23). Fields as in
https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml and its types
(`status.sync`, `status.health`, `status.operationState`, `status.history`). It reads no git: a story hands in
the revision and the objects that it holds, `argo_git.py` those of a repository.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.wire import clone
from aiops_lab.world.cluster import Cluster
from aiops_lab.world.objects import Obj, meta

HOME = "argocd"
BY = "argocd-application-controller"
CONTROLLER = f"system:serviceaccount:{HOME}:{BY}"
NOTICE_S, SYNC_S, HEALTH_S = 5.0, 10.0, 25.0  # together 40 s
MOST_HISTORY = 10
Audit = Callable[[str, Obj, str, str], None]


@dataclass(frozen=True, slots=True)
class Commit:
    """A revision of the repository: the objects it holds, and who asks for the sync (empty: automated)."""

    revision: str
    objects: tuple[Obj, ...] = ()
    by: str = ""
    fails: str = ""  # what the sync says instead of success
    unhealthy: str = ""  # why the application does not get well
    health: "Callable[[Commit], Obj] | None" = None  # looked at again while it says Progressing


class Argo:
    """The application controller. `audit` notes its writes as the API server would."""

    def __init__(self, cluster: Cluster, audit: Audit) -> None:
        self.cluster = cluster
        self._audit = audit

    def commit(self, name: str, commit: Commit) -> None:
        """The repository of an Application has a new revision; the rest follows by the clock."""
        if self._application(name) is None:
            raise ValueError(f"no Application {HOME}/{name}")
        clock = self.cluster.clock
        clock.call_later(NOTICE_S, lambda: self._status(name, _out_of_sync(commit)))
        clock.call_later(NOTICE_S + SYNC_S / 2, lambda: self._begin(name, commit))
        clock.call_later(NOTICE_S + SYNC_S, lambda: self._sync(name, commit))
        clock.call_later(NOTICE_S + SYNC_S + HEALTH_S, lambda: self._settle(name, commit))

    def _application(self, name: str) -> Obj | None:
        return self.cluster.store.get("Application", HOME, name)

    def _status(self, name: str, change: Callable[[Obj], None]) -> None:
        """Applications have no status subresource: the controller writes the object."""
        found = self._application(name)
        if found is not None:
            change(found.setdefault("status", {}))
            self.cluster.store.update(found, manager=BY)

    def _begin(self, name: str, commit: Commit) -> None:
        operation = {"sync": {"revision": commit.revision}, "initiatedBy": _initiator(commit)}
        running = {"phase": "Running", "startedAt": self.cluster.stamp(), "operation": operation}
        self._status(name, lambda status: status.update(operationState=running))

    def _sync(self, name: str, commit: Commit) -> None:
        words = commit.fails or self._applied(commit)
        stamp = self.cluster.stamp()

        def change(status: Obj) -> None:
            state = status["operationState"]
            state |= {"phase": "Failed" if words else "Succeeded", "finishedAt": stamp}
            state["message"] = words or "successfully synced (all tasks run)"
            state["syncResult"] = {"revision": commit.revision}
            if words:
                return
            status["sync"] = {"status": "Synced", "revision": commit.revision}
            status["health"] = {"status": "Progressing"}
            history = list(status.get("history") or [])
            entry = {"id": len(history), "revision": commit.revision, "deployedAt": stamp}
            status["history"] = [*history, entry | {"initiatedBy": _initiator(commit)}][-MOST_HISTORY:]

        self._status(name, change)

    def _applied(self, commit: Commit) -> str:
        """Bring the commit's objects to the cluster; what a sync says that could not."""
        for obj in commit.objects:
            home = meta(obj).get("namespace")
            try:
                live = self.cluster.store.get(obj["kind"], home, meta(obj)["name"])
                if live is None:
                    self._audit(
                        "create",
                        self.cluster.store.create(clone(obj), manager="argocd-controller"),
                        CONTROLLER,
                        BY,
                    )
                    continue
                wanted = {
                    **live,
                    **{key: clone(value) for key, value in obj.items() if key not in {"metadata", "status"}},
                }
                self._audit(
                    "patch", self.cluster.store.update(wanted, manager="argocd-controller"), CONTROLLER, BY
                )
            except ApiError as refusal:
                return f"one or more objects failed to apply, reason: {refusal}"
        return ""

    def _settle(self, name: str, commit: Commit) -> None:
        if commit.fails:
            return
        if commit.health is not None:
            self._watch(name, commit, commit.health(commit))
            return
        health = (
            {"status": "Degraded", "message": commit.unhealthy} if commit.unhealthy else {"status": "Healthy"}
        )
        self._status(name, lambda status: status.update(health=health))

    def _watch(self, name: str, commit: Commit, health: Obj) -> None:
        """Health as the objects have it, until a newer commit comes."""
        found = self._application(name)
        told = ((found or {}).get("status") or {}).get("sync") or {}
        if told.get("revision") != commit.revision:
            return
        resources = [
            {
                "group": obj["apiVersion"].rpartition("/")[0],
                "kind": obj["kind"],
                "namespace": meta(obj).get("namespace", ""),
                "name": meta(obj)["name"],
                "status": "Synced",
            }
            for obj in commit.objects
        ]
        self._status(name, lambda status: status.update(health=health, resources=resources))
        self.cluster.clock.call_later(NOTICE_S, lambda: self._settle(name, commit))


def application(name: str, repository: str, path: str, namespace: str) -> Obj:
    """An Application that a story puts."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": HOME},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository, "path": path, "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": False, "selfHeal": True}},
        },
    }


def _out_of_sync(commit: Commit) -> Callable[[Obj], None]:
    def change(status: Obj) -> None:
        status["sync"] = {"status": "OutOfSync", "revision": commit.revision}
        status.setdefault("health", {"status": "Healthy"})

    return change


def _initiator(commit: Commit) -> Obj:
    return {"username": commit.by} if commit.by else {"automated": True}
