"""One repository of the operator's table, read and written by the `git` program (decision D13).

Plumbing only: no worktree, no checkout, no index of the user's, so it works on bare repositories and follows
no symlink. Every call has fixed arguments, no shell, an empty environment and no hooks. Names that come from
callers go in behind `--` or as data on standard input.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

import anyio

from aiops_eks.planning.wording import one_line
from aiops_shared.errors import (
    ConflictError,
    InvalidInputError,
    NotConfiguredError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.kube.table import RepositoryRow

WITHIN_S: Final = 15.0
MOST_BYTES: Final = 1_000_000
MOST_FILES: Final = 200
_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "commit.gpgsign=false"),
    *("-c", "protocol.ext.allow=never", "-c", "gc.auto=0", "-c", "core.attributesFile=/dev/null"),
    *("-c", "core.sshCommand=ssh -oBatchMode=yes", "-c", "core.askPass=", "-c", "core.quotePath=false"),
)
_ANSWERS = (0, 1)  # 1: "no" of grep and merge-base
_FILE_MODES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree."""

    mode: str
    kind: str
    sha: str
    path: str

    @property
    def is_file(self) -> bool:
        """A plain file: no symlink, no submodule, no folder."""
        return self.kind == "blob" and self.mode in _FILE_MODES


@dataclass(frozen=True, slots=True)
class CommitText:
    """What a commit says."""

    tree: str
    parent: str
    message: str
    at: int


@dataclass(frozen=True)
class GitRepository:
    """One repository."""

    row: RepositoryRow
    program: str = "git"
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def thing(self) -> str:
        """Its name in messages."""
        return f"repository {self.row.name}"

    async def base(self) -> str:
        """The base branch's commit. Raises NotConfiguredError for a wrong path or branch."""
        found = await self.tip(f"refs/heads/{self.row.branch}")
        if not found:
            raise NotConfiguredError(self.thing, f"has no branch {self.row.branch}", "correct its row")
        return found

    async def tip(self, ref: str) -> str:
        """The commit of a ref, or nothing."""
        done = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    async def tree_of(self, commit: str) -> str:
        """The tree of a commit, or nothing where it has none (`…~2` of a short history)."""
        done = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{tree}}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    async def time_of(self, commit: str) -> int:
        """When a commit was made, in seconds since 1970."""
        return int(await self._must("show", "-s", "--no-show-signature", "--format=%ct", commit))

    async def holds(self, commit: str, ancestor: str) -> bool:
        """Whether a commit has another one in its history."""
        return (await self._git("merge-base", "--is-ancestor", ancestor, commit)).returncode == 0

    async def mentioning(self, commit: str, word: str) -> tuple[str, ...]:
        """Manifests that hold a word."""
        asked = ("grep", "-l", "-z", "-I", "-F", "--full-name", "-e", word, commit, "--")
        done = await self._git(*asked, "*.yaml", "*.yml", "*.json")
        files = [
            each.partition(":")[2] for each in done.stdout.decode("utf-8", "replace").split("\0") if each
        ]
        if len(files) > MOST_FILES:
            raise InvalidInputError("place", f"{len(files)} files hold the name {word}", "name the file")
        return tuple(files)

    async def names(self, commit: str, folder: str) -> tuple[str, ...]:
        """The names in a folder of the tree."""
        where = f"{commit}:{folder}" if folder else commit
        done = await self._git("ls-tree", "-z", "--name-only", "--end-of-options", where, fails=(128,))
        return tuple(done.stdout.decode("utf-8", "replace").rstrip("\0").split("\0"))

    async def entry(self, commit: str, path: str) -> Entry | None:
        """What stands at a path; a symlink is a symlink."""
        done = await self._git(
            "ls-tree", "-z", "--full-tree", commit, "--", path, more={"GIT_LITERAL_PATHSPECS": "1"}
        )
        for line in done.stdout.decode("utf-8", "replace").split("\0"):
            about, _, name = line.partition("\t")
            if name == path:
                mode, kind, sha = about.split()
                return Entry(mode, kind, sha, name)
        return None

    async def text(self, entry: Entry) -> str:
        """A file's text. Raises InvalidInputError for one that is no manifest by size or letters."""
        size = int((await self._git("cat-file", "-s", entry.sha)).stdout)
        if size > MOST_BYTES:
            raise InvalidInputError(f"file {entry.path}", f"is {size} bytes long", f"at most {MOST_BYTES}")
        try:
            return (await self._git("cat-file", "blob", entry.sha)).stdout.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"file {entry.path}", "is no UTF-8 text", "change it by hand") from error

    async def planned_tree(self, base: str, path: str, text: str) -> str:
        """Id of `base`'s tree with a file's text: the new objects are kept nowhere."""
        objects = (await self._git("rev-parse", "--git-path", "objects")).stdout.decode().strip()
        with tempfile.TemporaryDirectory(prefix="aiops-git-") as folder:
            known = str(Path(self.row.path, objects))
            aside = {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": known}
            return await self._tree(base, path, text, aside)

    async def stored_tree(self, base: str, path: str, text: str) -> str:
        """The same, its objects written to the repository."""
        return await self._tree(base, path, text, {})

    async def _tree(self, base: str, path: str, text: str, where: Mapping[str, str]) -> str:
        there = await self.entry(base, path)
        mode = there.mode if there is not None else _FILE_MODES[0]
        with tempfile.TemporaryDirectory(prefix="aiops-git-") as folder:
            more = {**where, "GIT_INDEX_FILE": f"{folder}/index"}
            said = await self._must("hash-object", "-w", "--stdin", "--no-filters", data=text, more=more)
            await self._must("read-tree", "--end-of-options", base, more=more)
            line = f"{mode} {said} 0\t{path}\0"
            await self._must("update-index", "-z", "--index-info", data=line, more=more)
            return await self._must("write-tree", more=more)

    async def commit(self, says: CommitText) -> str:
        """A commit object; the same text gives the same id."""
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (
                ("NAME", "eks-aiops"),
                ("EMAIL", "eks-aiops@localhost"),
                ("DATE", f"{says.at} +0000"),
            )
        }
        return await self._must("commit-tree", says.tree, "-p", says.parent, data=says.message, more=who)

    async def move(self, refs: Mapping[str, tuple[str, str]]) -> None:
        """Set refs (new, old), all or none; no old one: it is new. Raises ConflictError when one moved."""
        lines = "".join(
            f"update {ref}\0{new}\0{old}\0" if old else f"create {ref}\0{new}\0"
            for ref, (new, old) in refs.items()
        )
        done = await self._git("update-ref", "-z", "--stdin", data=lines, fails=(128,))
        if done.returncode:
            raise ConflictError(self.thing, f"a branch moved ({_said(done)})", "plan again")

    async def push(self, commit: str, ref: str) -> None:
        """Push one commit to `origin`, never by force."""
        done = await self._git("push", "--quiet", "--no-verify", "origin", f"{commit}:{ref}", fails=(128,))
        if done.returncode:
            raise InvalidInputError(self.thing, f"push to origin failed: {_said(done)}", "push it by hand")

    async def _must(self, *words: str, data: str = "", more: Mapping[str, str] | None = None) -> str:
        done = await self._git(*words, data=data, more=more)
        if done.returncode:
            raise UpstreamError(self.thing, f"git {words[0]}: {_said(done)}")
        return done.stdout.decode().strip()

    async def _git(
        self,
        *words: str,
        data: str = "",
        more: Mapping[str, str] | None = None,
        fails: tuple[int, ...] = (),
    ) -> CompletedProcess[bytes]:
        """One run. Raises NotConfiguredError, UpstreamError, UpstreamTimeoutError."""
        path = self.row.path
        environment = {
            "PATH": _PATH,
            "LC_ALL": "C",
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_CEILING_DIRECTORIES": str(path.parent),
            **self.env,
            **(more or {}),
        }
        if not path.is_dir():
            raise NotConfiguredError(self.thing, "its path is no folder", "correct its row")
        command = [self.program, *_SAFE, "-C", str(path), *words]
        try:
            with anyio.fail_after(WITHIN_S):
                done = await anyio.run_process(
                    command, input=data.encode(), env=environment, check=False, cwd="/"
                )
        except TimeoutError as error:
            raise UpstreamTimeoutError(self.thing, f"git {words[0]} did not end in {WITHIN_S:g} s") from error
        except OSError as error:
            raise NotConfiguredError(
                "git", "the program is not there", "install git 2.30 or newer"
            ) from error
        if b"not a git repository" in done.stderr or b"dubious ownership" in done.stderr:
            raise NotConfiguredError(self.thing, _said(done), "correct its row, or whose it is")
        if done.returncode not in (*_ANSWERS, *fails):
            raise UpstreamError(self.thing, f"git {words[0]}: {_said(done)}")
        return done


def _said(done: CompletedProcess[bytes]) -> str:
    return one_line(done.stderr.decode("utf-8", "replace").strip() or f"code {done.returncode}", 200)
