"""`eks-aiops doctor`: every line is true, what is missing has its fix, and nothing is billed or changed."""

import re
from pathlib import Path

import pytest

from aiops_lab.billing import Ledger
from eks_aiops.doctor import examine
from tests.e2e.stage import lab_environment
from tests.lab_fixture import running_lab


async def test_on_a_whole_installation_nothing_is_missing_and_nothing_was_billed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_lab("healthy", 0) as lab:
        lab_environment(lab, monkeypatch, "aiops-reader")
        for name, value in lab.export("aiops-reader").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIOPS_STATE_DIR", str(tmp_path / "state"))
        assert await examine() == 0
        assert lab.account.area(Ledger).asked == []
    said = capsys.readouterr().out
    assert "everything is there" in said
    assert "not asked here, since each request costs 0.01 USD" in said
    assert "the chain holds" in said
    assert re.search(r"SOPs +\d+ loaded", said)
    assert "nobody: an escalation stands in its run only" in said


async def test_what_is_missing_is_named_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIOPS_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AIOPS_COST_ACCOUNT", "444455556666")
    monkeypatch.setenv("HOME", str(tmp_path))
    sops = tmp_path / "sops"
    sops.mkdir()
    (sops / "mine.sop.md").write_text("# No front matter\n\n```yaml step\nid: [\n```\n")
    monkeypatch.setenv("AIOPS_SOP_DIRS", str(sops))
    monkeypatch.setenv("AIOPS_EVENTS_LISTEN", "127.0.0.1:8790")
    assert await examine() == 1
    said = capsys.readouterr().out
    assert "the operator's table does not name it" in said
    assert "add it to AIOPS_CLUSTERS_FILE" in said
    assert "eks-aiops sops lint" in said
    assert "AIOPS_EVENTS_TOKEN_FILE" in said
