"""`eks-aiops state`: an operator checks, copies and sweeps a store by the command line."""

from pathlib import Path

from typer.testing import CliRunner

from eks_aiops.cli import app


def said(home: Path, *words: str, code: int = 0) -> str:
    env = {"AIOPS_STATE_DIR": str(home), "AIOPS_STATE_URL": "", "AIOPS_TIME_SOURCE": ""}
    done = CliRunner().invoke(app, words, env=env)
    assert done.exit_code == code, done.output
    return done.output


def test_a_copied_store_with_its_key_is_the_store_it_was(tmp_path: Path) -> None:
    home, copy = tmp_path / "state", tmp_path / "copy"
    said(home, "freeze", "on", "--reason", "an incident")
    told = said(home, "state", "backup", str(copy))
    assert str(home / "state.key") in told
    assert not (copy / "state.key").exists()
    said(home, "freeze", "on", "--reason", "after the copy")
    (copy / "state.key").write_bytes((home / "state.key").read_bytes())
    (copy / "state.key").chmod(0o600)
    assert "audit      1 records, the chain holds" in said(copy, "state", "check")
    assert "an incident" in said(copy, "freeze", "status")
    assert "it is there already" in said(home, "state", "backup", str(copy), code=1)


def test_a_store_under_another_key_is_said_to_be_broken(tmp_path: Path) -> None:
    home = tmp_path / "state"
    said(home, "freeze", "on")
    (home / "state.key").unlink()
    assert "BROKEN at 1" in said(home, "state", "check", code=1)


def test_a_sweep_counts_first_and_is_audited_when_it_deletes(tmp_path: Path) -> None:
    home = tmp_path / "state"
    assert "would go, with --delete: nothing" in said(home, "state", "sweep", "--older-than", "90d")
    assert "deleted: nothing" in said(home, "state", "sweep", "--older-than", "90d", "--delete")
    assert "state_swept" in said(home, "audit", "show")
    for age in ("29d", "3", "1y", "-40d"):
        assert "from 30d on" in said(home, "state", "sweep", "--older-than", age, code=1)
