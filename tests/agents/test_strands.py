"""A Strands agent (scripted model) completes F2 over stdio and over HTTP, as the simulator sees it (F24c)."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_lab.run import Lab
from eks_aiops.client_files_entries import release
from tests.agents.serving import http_server
from tests.e2e.processes import environment
from tests.lab_fixture import running_lab

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "strands"
pytestmark = [pytest.mark.slow, pytest.mark.row("S85"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def python() -> Path:
    """An environment of its own, made once: Strands pins an older protocol SDK than the suite may use."""
    (pin,) = [
        line
        for line in (EXAMPLE / "requirements.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    folder = ROOT / ".cache" / "agents" / pin.replace("==", "-")
    found = folder / "bin" / "python"
    if not (folder / "ready").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", found, pin], check=True)
        (folder / "ready").touch()
    return found


def memory(lab: Lab, name: str) -> str:
    """The limit in force, by the simulator."""
    found: Any = lab.store.get("Deployment", "production", name)
    limit: str = found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    return limit


@asynccontextmanager
async def arguments(form: str, given: dict[str, str], folder: Path) -> AsyncIterator[list[str]]:
    """How the example is told where the suite is."""
    if form == "stdio":
        yield ["--command", f"{sys.executable} -m eks_aiops gateway"]
        return
    async with http_server("gateway", given, folder) as url:
        yield ["--url", url]


@pytest.mark.parametrize("form", ["stdio", "http"])
async def test_an_agent_finds_plans_is_approved_executes_and_looks_again(
    form: str, python: Path, tmp_path: Path
) -> None:
    async with running_lab("oom-raise-limits", 0) as lab:
        given = environment(lab, tmp_path, AIOPS_WRITE="true")
        async with arguments(form, given, tmp_path) as told:
            command = [str(python), str(EXAMPLE / "scripted.py"), *told]
            done = await anyio.run_process(command, env=given, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        said = json.loads(done.stdout.decode().splitlines()[-1])
        assert (said["cause"], said["state"], said["said"]) == ("OOM_LIMIT_TOO_LOW", "succeeded", "done")
        assert said["sop"]
        assert said["name"] in said["asked"][0]
        assert len(said["asked"]) == 1
        assert memory(lab, said["name"]) == said["diff"][0][2] != said["diff"][0][1]
        assert lab.requests.writes()


def test_the_example_starts_this_release() -> None:
    assert f'"uvx --from eks-aiops=={release()} eks-aiops gateway"' in (EXAMPLE / "agent.py").read_text(
        "utf-8"
    )
