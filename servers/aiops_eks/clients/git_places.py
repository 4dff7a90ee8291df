"""Finds where git describes an object, and what became of a planned commit. For plan and executor.

The repositories are those of the operator's table, read when first asked for (decision D13).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from aiops_eks.clients.git_repository import GitRepository
from aiops_eks.planning.drafts import Obj, name_of
from aiops_eks.planning.git import Place, checked_file, holders
from aiops_shared.errors import InvalidInputError, NotConfiguredError, NotFoundError
from aiops_shared.guardrails.models import ObjectRef
from aiops_shared.kube.nearest import nearest
from aiops_shared.kube.table import THING, RepositoryRow, read_table
from aiops_shared.settings import Settings

KEPT, SENT = "refs/eks-aiops/commits/", "refs/eks-aiops/pushed/"
_KUSTOMIZE = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
_HOW = "a row under repositories (name, path, branch) tells where"


def rows_from(settings: Settings) -> Callable[[], tuple[RepositoryRow, ...]]:
    """The table's repositories, read when asked for."""

    def rows() -> tuple[RepositoryRow, ...]:
        found = read_table(settings.clusters_file).repositories if settings.clusters_file else ()
        if not found:
            raise NotConfiguredError(THING, "names no repository to commit to", _HOW)
        return found

    return rows


@dataclass(frozen=True)
class GitPlaces:
    """Fulfils `planning.git.Repositories`."""

    rows: Callable[[], tuple[RepositoryRow, ...]]
    program: str = "git"

    def repository(self, name: str) -> GitRepository:
        """One by its name. NotFoundError names the nearest."""
        known = {row.name: row for row in self.rows()}
        if name not in known:
            near = ", ".join(nearest(name, known) or sorted(known)[:5])
            raise NotFoundError(f"repository {name[:100]}", "no such row in the table", f"there is: {near}")
        return GitRepository(known[name], self.program)

    def _chosen(self, repository: str, owner: str) -> GitRepository:
        """The repository asked for, else the owner's, else the only one."""
        if repository:
            return self.repository(repository)
        rows = self.rows()
        fed = [row for row in rows if owner and owner in row.applications]
        fitting = fed or [row for row in rows if not row.applications or not owner]
        if len(fitting) == 1:
            return GitRepository(fitting[0], self.program)
        names = ", ".join(sorted(row.name for row in fitting or rows)[:10])
        raise InvalidInputError("repository", f"not known which feeds {owner or 'it'}", f"one of {names}")

    async def place(self, repository: str, file: str, manifest: Obj, owner: str) -> Place:
        """The file that holds the object, or the new one that shall."""
        if file:
            checked_file(file)
        git = self._chosen(repository, owner)
        base = await git.base()
        found = await self._found(git, base, manifest)
        if len(found) > 1 and file not in found:
            raise InvalidInputError("place", f"several hold it: {', '.join(sorted(found)[:5])}", "name it")
        if found and file and file not in found:
            raise InvalidInputError("place", f"{next(iter(found))} holds the object", "name that file")
        path = file or next(iter(found), "")
        if not path:
            raise NotFoundError(
                f"{manifest.get('kind')} {name_of(manifest)}",
                f"stands in no plain manifest of {git.thing}, branch {git.row.branch}",
                "name a place to add it, or change its Helm values or overlay by hand",
            )
        await self._plain(git, base, path)
        if not found:
            await self._free(git, base, path)
        row = git.row
        return Place(
            repository=row.name,
            branch=row.branch,
            base=base,
            file=path,
            text=found.get(path),
            push=row.push,
        )

    async def _found(self, git: GitRepository, base: str, manifest: Obj) -> dict[str, str]:
        """Files with the object, and their texts; templates and broken files are not manifests."""
        found = {}
        for path in await git.mentioning(base, name_of(manifest)):
            entry = await git.entry(base, path)
            if entry is None or not entry.is_file:
                continue
            try:
                text = await git.text(entry)
                if holders(text, manifest):
                    found[path] = text
            except InvalidInputError:
                continue
        return found

    async def _plain(self, git: GitRepository, base: str, path: str) -> None:
        """Raises InvalidInputError where something else makes manifests of this file, or leads elsewhere."""
        for folder in PurePosixPath(path).parents:
            where = "" if str(folder) == "." else str(folder)
            entry = await git.entry(base, where) if where else None
            if entry is not None and entry.kind != "tree":
                raise InvalidInputError(
                    "place", f"{where} is no folder in the repository", "name another one"
                )
            names = set(await git.names(base, where))
            if names & _KUSTOMIZE:
                raise InvalidInputError(
                    f"file {path}",
                    "is a source of Kustomize, which may patch it",
                    "change the overlay by hand",
                )
            if "Chart.yaml" in names:
                raise InvalidInputError(
                    f"file {path}", "is a part of a Helm chart", "change the chart's values by hand"
                )

    async def _free(self, git: GitRepository, base: str, path: str) -> None:
        if await git.entry(base, path) is not None:
            raise InvalidInputError(f"file {path}", "is there without the object", "name a new file")

    async def tree(self, place: Place, text: str) -> str:
        """Id of the tree with the file's new text."""
        return await self.repository(place.repository).planned_tree(place.base, place.file, text)

    async def state(self, ref: ObjectRef) -> Obj:
        """Base branch and our branch now.

        `spec.tree` is missing before the commit and after its revert. When the branch was merged and deleted
        it says so, which no undo takes for its own.
        """
        git = self.repository(ref.namespace)
        spec = {"base": await git.base()}
        plan_id = ref.name.rpartition("/")[2]
        tip, kept, sent = [
            await git.tip(one) for one in (f"refs/heads/{ref.name}", f"{KEPT}{plan_id}", f"{SENT}{plan_id}")
        ]
        if tip and not await self._is_back(git, tip, kept):
            spec["tree"] = await git.tree_of(tip)
        if kept and not tip and await git.holds(spec["base"], kept):
            spec["tree"] = "merged"
        if sent and not await self._is_back(git, sent, kept):
            spec["pushed"] = await git.tree_of(sent)
        name = {"name": ref.name, "namespace": ref.namespace, "uid": f"{ref.namespace}/{ref.name}"}
        return {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "metadata": name,
            "spec": spec,
            "status": {"commit": tip},
        }

    async def _is_back(self, git: GitRepository, tip: str, kept: str) -> bool:
        """Whether a commit is the one that takes ours back."""
        if not kept or await git.tip(f"{tip}~1") != kept:
            return False
        return await git.tree_of(tip) == await git.tree_of(f"{kept}~1")
