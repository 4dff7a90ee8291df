"""The wheel and the npm tarball, built once for a run, and a machine that has only them."""

import fcntl
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from aiops_shared.settings import inherited
from tests.contracts.repository import ROOT
from tests.e2e.clients import missing

UV = Path(sys.executable).parent / "uv"
LOCK = ROOT / ".ci" / "requirements.lock"


@dataclass(frozen=True)
class Built:
    """What would be published."""

    wheel: Path
    tarball: Path


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def _build(into: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing("npm is not installed: the launcher cannot be packed")
    offline = ["--wheel", "--no-build-isolation", "--offline", "--python", sys.executable]
    _run([str(UV), "build", "--quiet", *offline, "--out-dir", str(into), str(ROOT)], into)
    _run([str(npm), "pack", "--silent", "--ignore-scripts", str(ROOT / "deploy" / "npm")], into)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Wheel and tarball; with several pytest workers the first builds, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    into = (base.parent if inherited("PYTEST_XDIST_WORKER") else base) / "built"
    into.mkdir(exist_ok=True)
    with (into / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(into.glob("*.tgz")):
            _build(into)
    (wheel,), (tarball,) = into.glob("*.whl"), into.glob("*.tgz")
    return Built(wheel, tarball)


@dataclass(frozen=True)
class Machine:
    """An empty home and an empty folder; of this machine only programs, and uv's cache for speed."""

    folder: Path
    env: dict[str, str]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with uvx and uv, and nothing of the checkout's environment."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("uv", "uvx"):
        (folder / name).symlink_to(UV.with_name(name))
    return folder


@pytest.fixture
def machine(tmp_path: Path, programs: Path) -> Machine:
    """A clean machine. The lock as constraints: the versions that the checkout is tested with."""
    home, folder = tmp_path / "home", tmp_path / "empty"
    home.mkdir()
    folder.mkdir()
    cache = subprocess.run([str(UV), "cache", "dir"], capture_output=True, text=True, check=True).stdout
    kept = inherited("LANG", "LC_ALL", "PIP_CERT", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
    env = {
        **kept,
        **inherited(*(f"{place}_PROXY" for place in ("HTTPS", "HTTP", "NO"))),
        "PATH": f"{programs}:/usr/bin:/bin",
        "HOME": str(home),
        "UV_CACHE_DIR": cache.strip(),
        "UV_CONSTRAINT": str(LOCK),
        "UV_PYTHON": str(Path(sys.executable).resolve()),
        "AIOPS_STATE_DIR": str(home / "state"),
        "AIOPS_LOG_LEVEL": "error",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Machine(folder, env)


def npx(built: Built) -> list[str]:
    """`npx` of the tarball; `-y ./x.tgz` would run the tarball as a program."""
    return ["npx", "-y", "--no-audit", "--no-fund", f"--package=file:{built.tarball}", "eks-aiops"]
