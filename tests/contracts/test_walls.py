"""Which room may know which: import-linter holds it, and each wall is seen to catch a break."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.repository import PRODUCT, ROOT, parsed

LINT = str(ROOT / ".venv" / "bin" / "lint-imports")
AIM_LINES = 400
# Files over the aim, each with its reason. Short on purpose.
LONGER: dict[str, str] = {}


def contracts() -> list[str]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(each["name"]) for each in found["tool"]["importlinter"]["contracts"]]


def lint(root: Path) -> str:
    """What lint-imports says of a tree, as one line of text."""
    environment = {
        "PYTHONPATH": f"{root / 'shared'}:{root / 'servers'}",
        "PATH": os.defpath,
        "COLUMNS": "400",
        "HOME": str(root),
    }
    done = subprocess.run(
        [_lint_command(), "--no-cache", "--config", str(root / "pyproject.toml")],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert "Contracts:" in said, said
    return said


def _lint_command() -> str:
    return LINT if Path(LINT).exists() else str(shutil.which("lint-imports"))


@dataclass(frozen=True)
class Offence:
    """A module that breaks one wall, and the wall that must catch it."""

    contract: str
    files: dict[str, str]


OFFENCES = {
    "shared imports a server": Offence(
        "Servers sit on shared; servers do not know each other; the lab and the command line are above",
        {"shared/aiops_shared/kube/offence.py": "import aiops_eks.ports\n"},
    ),
    "a model imports a tool": Offence(
        "Floors of a server", {"servers/aiops_eks/models/offence.py": "import aiops_eks.tools.desk\n"}
    ),
    "a tool imports a client": Offence(
        "Floors of a server", {"servers/aiops_eks/tools/offence.py": "import aiops_eks.clients.logs\n"}
    ),
    "a new room in a server": Offence("Floors of a server", {"servers/aiops_eks/attic.py": "ROOM = 1\n"}),
    "kube imports the guardrails": Offence(
        "Floors of shared", {"shared/aiops_shared/kube/offence.py": "import aiops_shared.guardrails.gate\n"}
    ),
    "a new room in shared": Offence("Floors of shared", {"shared/aiops_shared/attic.py": "ROOM = 1\n"}),
    "a tool imports httpx": Offence(
        "SDKs stay in the adapters", {"servers/aiops_eks/tools/offence.py": "import httpx\n"}
    ),
    "the gate imports boto3": Offence(
        "SDKs stay in the adapters", {"shared/aiops_shared/guardrails/offence.py": "import boto3\n"}
    ),
    "a client imports fastmcp": Offence(
        "MCP stays at the door", {"servers/aiops_eks/clients/offence.py": "import fastmcp\n"}
    ),
    "a server imports the lab": Offence(
        "No server knows the lab", {"servers/aiops_eks/clients/offence.py": "import aiops_lab.run\n"}
    ),
    "a server imports the command line": Offence(
        "No server knows the lab", {"shared/aiops_shared/offence.py": "import eks_aiops.cli\n"}
    ),
    "two siblings import each other": Offence(
        "No cycles",
        {
            "servers/aiops_eks/models/offence.py": "import aiops_eks.models.accomplice\n",
            "servers/aiops_eks/models/accomplice.py": "import aiops_eks.models.offence\n",
        },
    ),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree without its tests, to break things in."""
    root = tmp_path_factory.mktemp("tree")
    for room in ("shared", "servers"):
        shutil.copytree(ROOT / room, root / room, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copy(ROOT / "pyproject.toml", root / "pyproject.toml")
    return root


@pytest.fixture
def offending(request: pytest.FixtureRequest, copy: Path) -> Iterator[Offence]:
    """One offence in the copy, taken out again afterwards."""
    offence: Offence = request.param
    for name, text in offence.files.items():
        (copy / name).write_text(text, encoding="utf-8")
    yield offence
    for name in offence.files:
        (copy / name).unlink()


@pytest.mark.slow
def test_every_wall_stands() -> None:
    said = lint(ROOT)
    for name in contracts():
        assert f"{name} KEPT" in said, said
    assert " 0 broken." in said


@pytest.mark.slow
@pytest.mark.parametrize("offending", OFFENCES.values(), ids=list(OFFENCES), indirect=True)
def test_a_break_is_caught_by_its_wall(offending: Offence, copy: Path) -> None:
    said = lint(copy)
    assert f"{offending.contract} BROKEN" in said, said
    assert any(Path(name).stem in said for name in offending.files)


def test_every_wall_is_tried() -> None:
    assert set(contracts()) == {offence.contract for offence in OFFENCES.values()}


def test_only_the_gate_makes_a_permit() -> None:
    makers = set()
    for path, tree in parsed(PRODUCT):
        text = path.read_text(encoding="utf-8")
        if "Permit(" in text.replace("class Permit", "") and "Permit(" in text:
            makers.add(str(path.relative_to(ROOT)))
        assert tree is not None
    assert makers == {"shared/aiops_shared/guardrails/gate.py"}


def test_no_file_is_longer_than_the_aim_without_a_reason() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path, _ in parsed(PRODUCT)
    }
    assert {name for name, lines in long.items() if lines > AIM_LINES} == set(LONGER)
    assert all(LONGER.values())
