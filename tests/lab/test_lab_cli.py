"""`eks-aiops lab` as a user runs it: child processes, signals, the export file."""

import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from aiops_lab.cli import app

LAB = [sys.executable, "-m", "aiops_lab.cli"]
BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "NO_COLOR": "1", "COLUMNS": "200"}
READY_S = 20.0

pytestmark = pytest.mark.slow


@contextmanager
def lab_up(export: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running `lab up`, from its export file's appearance on."""
    command = [*LAB, "up", "--export", str(export), *arguments]
    child = subprocess.Popen(command, env=BARE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + READY_S
        while not export.exists() and child.poll() is None and time.monotonic() < until:
            time.sleep(0.02)  # noqa: TID251  # waits for another process
        yield child
    finally:
        child.terminate()
        try:
            child.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
            raise


def sourced(export: Path) -> dict[str, str]:
    """The file's variables, by a real shell."""
    script = f'set -a; . "{export}"; env'
    lines = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in lines.splitlines())


def lab(*arguments: str, url: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), env={"AIOPS_LAB_URL": url})


def test_the_export_file_is_there_when_everything_answers_and_gone_after_sigterm(tmp_path: Path) -> None:
    export = tmp_path / "lab.env"
    with lab_up(export, "--scenario", "pod-crashloop") as child:
        assert stat.S_IMODE(export.stat().st_mode) == 0o600
        variables = sourced(export)
        assert httpx.get(variables["AIOPS_TIME_SOURCE"], trust_env=False).status_code == 200
        assert httpx.get(variables["AWS_ENDPOINT_URL"], trust_env=False).status_code == 403
        names = subprocess.run(
            ["kubectl", "get", "pods", "-n", "production", "-o", "name"],
            env={**BARE, **variables, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "api-server" in names.stdout
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=10)
        assert (child.returncode, err) == (0, "")
        assert f"export AIOPS_LAB_URL='{variables['AIOPS_LAB_URL']}'\n" in out
        assert not export.exists()
        assert not Path(variables["KUBECONFIG"]).parent.exists()


def test_several_clusters_come_with_an_operators_table(tmp_path: Path) -> None:
    export = tmp_path / "lab.env"
    with lab_up(export, "--clusters", "3", "--as", "aiops-reader") as child:
        variables = sourced(export)
        table = Path(variables["AIOPS_CLUSTERS_FILE"]).read_text(encoding="utf-8")
        assert table.count("- name:") == 3
        assert table.count("account_id: '444455556666'") == 2
        contexts = subprocess.run(
            ["kubectl", "config", "get-contexts", "-o", "name"],
            env={**BARE, **variables, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "444455556666/us-east-1/payments" in contexts.stdout.split()
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=10)
        assert (child.returncode, err) == (0, "")
        assert not Path(variables["AIOPS_CLUSTERS_FILE"]).exists()


def test_ctrl_c_ends_it_cleanly_and_leaves_a_file_that_another_lab_wrote(tmp_path: Path) -> None:
    export = tmp_path / "lab.env"
    with lab_up(export) as child:
        export.write_text("export AIOPS_LAB_URL='http://127.0.0.1:1'\n")
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
        assert (child.returncode, err) == (0, "")
        assert export.exists()


def test_the_commands_steer_the_lab_that_runs(tmp_path: Path) -> None:
    export = tmp_path / "lab.env"
    with lab_up(export, "--as", "aiops-reader"):
        variables = sourced(export)
        url = variables["AIOPS_LAB_URL"]
        assert variables["AWS_SESSION_TOKEN"].startswith("lab-session-worth-nothing-aiops-reader")
        before, after = lab("clock", url=url).output, lab("clock", "+1h30m", url=url).output
        assert before[:10] <= after[:10]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\n", after)
        assert lab("inject", "pod-crashloop", url=url).output.startswith("pod-crashloop injected at ")
        assert "known are healthy" in lab("inject", "nope", url=url).output
        reset = lab("reset", "--scenario", "healthy", "--seed", "2", url=url)
        assert reset.output.startswith("healthy (seed 2) stands at ")
        assert (lab("requests", url=url).exit_code, lab("requests", "--writes", url=url).output) == (0, "")
        assert "403" in _after_a_stranger(variables["AWS_ENDPOINT_URL"], url)


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], env=BARE, capture_output=True, text=True, timeout=20, check=False
    )


def _after_a_stranger(aws_url: str, url: str) -> str:
    httpx.get(f"{aws_url}/clusters", trust_env=False)
    return lab("requests", "--aws", url=url).output


@pytest.mark.parametrize("text", ["5", "5x", "-5m", "+0s", "+25h", "+"])
def test_a_time_that_is_no_way_ahead_is_refused_before_asking(text: str) -> None:
    answer = lab("clock", text, url="http://127.0.0.1:1")
    assert answer.exit_code == 1
    assert "give a time ahead such as" in answer.output


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "no lab is known here"),
        ("http://127.0.0.1:1", "no lab answers at http://127.0.0.1:1"),
        ("not a url", "no lab answers at not a url"),
    ],
)
def test_without_a_running_lab_the_error_says_how_to_start_one(url: str, said: str) -> None:
    answer = lab("clock", url=url)
    assert answer.exit_code == 1
    assert said in answer.output
    assert "lab up" in answer.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 is not a loopback address"),  # noqa: S104  # refused
        (("--scenario", "pod-crashlop"), "scenario 'pod-crashlop' is not known"),
        (("--as", "root"), "--as root: not known; known are lab-admin"),
        (("--export", "/nonexistent/lab.env"), "choose a file in a directory that exists"),
    ],
)
def test_a_lab_that_cannot_start_says_why_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = subprocess.run([*LAB, "up", *arguments], env=BARE, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_extra_is_named() -> None:
    script = "import sys; sys.modules['moto'] = None; from aiops_lab.cli import app; app(['up'])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=BARE, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'eks-aiops[lab]'" in done.stderr


def test_importing_the_commands_loads_nothing_heavy() -> None:
    heavy = ("moto", "uvicorn", "starlette", "httpx", "anyio", "boto3", "botocore", "werkzeug", "yaml")
    script = f"import sys, aiops_lab.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=BARE, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_help_teaches_with_an_example() -> None:
    whole = lab("--help").output
    assert "eks-aiops lab up --scenario pod-crashloop --export lab.env" in whole
    for command in ("up", "list", "inject", "reset", "clock", "requests"):
        assert "Example: eks-aiops lab" in lab(command, "--help").output


def test_the_list_names_scenario_fixture_and_what_it_shows() -> None:
    lines = lab("list").output.splitlines()
    assert any(re.match(r"pod-crashloop +F1 +\w", line) for line in lines)
