"""Programs of others that the tests run, installed once into `.cache/` at the versions named here.

    claude = packages().claude            # npm: Claude Code, inspector, conformance suite, Node 22
    python = sdk_1()                      # the newest 1.x of the mcp SDK, in an environment of its own

A folder is named by the versions in it, so a new version is a new folder; a lock keeps two workers of a test
run from filling one. Node 22 comes from npm too: on Node 20 the suite crashes and the inspector is old.
`python -m tests.clients.packages` installs all of it beforehand.
"""

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT

CACHE: Final = ROOT / ".cache"
MACHINE: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
NODE: Final = f"node-linux-{MACHINE.get(platform.machine().lower(), 'x64')}"
CONFORMANCE: Final = "@modelcontextprotocol/conformance"
INSPECTOR: Final = "@modelcontextprotocol/inspector"
CLAUDE: Final = "@anthropic-ai/claude-code"
NPM: Final[Mapping[str, str]] = {
    NODE: "22.23.3",
    CONFORMANCE: "0.2.0-alpha.12",
    INSPECTOR: "2.12.0",
    CLAUDE: "2.1.330",
}
SDK_1: Final = "1.30.0"
# What package managers need to find their registry; never anything of the suite's own.
REGISTRIES: Final = (
    *("HOME", "PATH", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_NATIVE_TLS", "UV_CACHE_DIR"),
    *("NPM_CONFIG_REGISTRY", "npm_config_registry", "NPM_CONFIG_CACHE", "PIP_INDEX_URL"),
)


class NotInstalledError(Exception):
    """A package manager is missing, or said no."""


@dataclass(frozen=True)
class Packages:
    """Where the programs of npm are."""

    folder: Path

    @property
    def node(self) -> str:
        """Node 22."""
        return str(self.folder / NODE / "bin" / "node")

    @property
    def conformance(self) -> list[str]:
        """The conformance suite's command."""
        return [self.node, str(self.folder / CONFORMANCE / "dist" / "index.js")]

    @property
    def requirements(self) -> Path:
        """The folder of the suite's requirement sets."""
        return self.folder / CONFORMANCE / "requirements"

    @property
    def inspector(self) -> list[str]:
        """The inspector's command line."""
        return [self.node, str(self.folder / ".bin" / "mcp-inspector"), "--cli"]

    @property
    def claude(self) -> str:
        """Claude Code's own binary, which runs without the package's install script."""
        found = sorted((self.folder / "@anthropic-ai").glob("claude-code-linux-*/claude"))
        return str(next(one for one in found if "musl" not in one.parent.name))


@cache
def packages() -> Packages:
    """What npm gives. Skips the test where it cannot be installed; in CI that is a failure."""
    try:
        return _npm()
    except NotInstalledError as error:
        missing(str(error))
        raise


@cache
def sdk_1() -> str:
    """A Python with the newest 1.x of the mcp SDK alone. Skips, or fails in CI, as `packages`."""
    try:
        return _sdk_1()
    except NotInstalledError as error:
        missing(str(error))
        raise


def missing(what: str) -> None:
    """Skip outside CI, saying why; in CI nothing may be missing."""
    if inherited("CI"):
        pytest.fail(what)
    pytest.skip(what)


def _npm() -> Packages:
    named = [f"{name}@{version}" for name, version in sorted(NPM.items())]
    folder = CACHE / f"npm-{_mark(named)}"
    found = Packages(folder / "node_modules")
    with _alone(folder) as done:
        if not done.exists():
            npm = shutil.which("npm")
            if npm is None:
                raise NotInstalledError("npm is not installed")
            (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
            options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            _run([npm, "install", *options, "--prefix", str(folder), *named], folder)
            done.touch()
    return found


def _sdk_1() -> str:
    named = [f"mcp=={SDK_1}"]
    folder = CACHE / f"venv-{_mark(named)}"
    python = folder / "venv" / "bin" / "python"
    with _alone(folder) as done:
        if not done.exists():
            beside = Path(sys.executable).parent / "uv"
            uv = str(beside) if beside.exists() else shutil.which("uv")
            if uv is None:
                raise NotInstalledError("uv is not installed")
            _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder / "venv")], folder)
            _run([uv, "pip", "install", "--quiet", "--python", str(python), *named], folder)
            done.touch()
    return str(python)


def _mark(named: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:12]


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Nobody else fills the folder meanwhile; gives the file that says that it is filled."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / ".done"


def _run(command: Sequence[str], folder: Path) -> None:
    """Raises NotInstalledError with what the package manager said."""
    done = subprocess.run(
        command, cwd=folder, env=inherited(*REGISTRIES), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstalledError(f"{Path(command[0]).name}: {(done.stderr or done.stdout)[-500:]}")


if __name__ == "__main__":
    began = time.monotonic()
    _npm()
    _sdk_1()
    sys.stdout.write(f"clients installed in {time.monotonic() - began:.0f} s\n")
