"""What the wheel and the npm tarball hold: all that a launched server needs, nothing of this machine."""

import email
import json
import subprocess
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.contracts.repository import PRODUCT, ROOT, tracked
from tests.contracts.test_repository import HERE, REGISTRY
from tests.launch.conftest import UV, Built

pytestmark = [pytest.mark.slow, pytest.mark.row("S29"), pytest.mark.timeout(120)]
MOVED = {"sops": "aiops_sop/sops", "mcp.json.example": "eks_aiops/demo/mcp.json.example"}


def expected() -> set[str]:
    """Where the tracked files of the packages, the SOPs and the example stand in the wheel."""
    found = set()
    for path in tracked():
        name = str(path.relative_to(ROOT))
        for room in PRODUCT:
            if name.startswith(f"{room}/"):
                found.add(name.partition("/")[2])
        for source, target in MOVED.items():
            if name == source or name.startswith(f"{source}/"):
                found.add(name.replace(source, target, 1))
    return found


def test_the_wheel_holds_the_tracked_files_of_the_packages_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert expected() - names == set()
        # While somebody works, files that are not yet tracked are in the folder too; never anything else.
        assert {name for name in names - expected() if not (ROOT / "servers" / name).exists()} - {
            name for name in names if (ROOT / "shared" / name).exists()
        } == set()
        assert not [name for name in names if name.endswith((".pyc", ".db", ".key", ".lock"))]
        for name in names:
            text = wheel.read(name).decode("utf-8")
            assert not REGISTRY.search(text), name
            assert name.startswith("aiops_lab/") or not HERE.search(text), name


@pytest.mark.threat("T16")
def test_the_wheel_says_what_it_needs_and_two_builds_are_one(built: Built, tmp_path: Path) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        meta = email.message_from_bytes(wheel.read(name))
        (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert b"eks-aiops = eks_aiops.__main__:main" in wheel.read(points)
    assert (meta["Name"], meta["Version"]) == ("eks-aiops", version("eks-aiops"))
    assert meta["Requires-Python"] == ">=3.11"
    assert set(meta.get_all("Provides-Extra", [])) >= {"cur", "lab", "otel"}
    assert "# EKS AIOps" in meta.get_payload()
    with zipfile.ZipFile(built.wheel) as wheel:
        assert {one.date_time[0] for one in wheel.infolist()} == {2020}
    again = [str(UV), "build", "--quiet", "--wheel", "--no-build-isolation", "--offline"]
    python = str(UV.with_name("python"))
    subprocess.run([*again, "--python", python, "--out-dir", str(tmp_path), str(ROOT)], check=True)
    (second,) = tmp_path.glob("*.whl")
    assert second.read_bytes() == built.wheel.read_bytes()


@pytest.mark.threat("T16")
def test_the_npm_package_is_small_pinned_and_runs_nothing_when_installed(built: Built) -> None:
    with tarfile.open(built.tarball) as packed:
        names = {one.name for one in packed.getmembers()}
        read = packed.extractfile("package/package.json")
        assert read is not None
        said = json.load(read)
    assert names == {
        f"package/{name}" for name in ("package.json", "README.md", "bin/eks-aiops.mjs", "bin/launching.mjs")
    }
    assert said["version"] == version("eks-aiops")
    assert not {"dependencies", "optionalDependencies", "peerDependencies", "scripts"} & said.keys()
    assert said["engines"]


@pytest.mark.threat("T16")
def test_nothing_shipped_names_a_version_that_moves() -> None:
    """A launch line, an image or a chart that says `latest` runs what nobody here has seen."""
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if not name.startswith(("docs/", "deploy/", "README.md", "mcp.json")) or path.suffix in {
            ".schema",
            ".png",
        }:
            continue
        text = path.read_text(encoding="utf-8")
        assert "@" + "latest" not in text, name
        assert "image: latest" not in text, name
        for line in text.splitlines():
            assert not (("uvx" in line or "npx" in line) and ":" + "latest" in line), f"{name}: {line}"


def test_the_launcher_s_own_tests_hold(tmp_path: Path) -> None:
    folder = ROOT / "deploy" / "npm"
    done = subprocess.run(
        ["node", "--test", "test/"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    assert "# fail 0" in done.stdout
