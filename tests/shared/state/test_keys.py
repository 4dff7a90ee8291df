"""The key file: private, made once, and three keys that say nothing about each other."""

import stat
from pathlib import Path

import pytest

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys


def test_the_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    settings = StateSettings(dir=tmp_path / "state")
    first = Keys(settings).derive("audit")
    assert stat.S_IMODE(settings.key_path.stat().st_mode) == 0o600
    assert [file.name for file in settings.dir.iterdir()] == ["state.key"]
    assert Keys(settings).derive("audit") == first
    assert len(first) == 32


def test_every_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys = Keys(StateSettings(dir=tmp_path))
    derived = {keys.derive("audit"), keys.derive("snapshots"), keys.derive("approvals")}
    assert len(derived) == 3
    assert keys.path.read_bytes().strip() not in derived


@pytest.mark.threat("T15")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    settings = StateSettings(dir=tmp_path)
    Keys(settings).derive("audit")
    settings.key_path.chmod(mode)
    with pytest.raises(NotConfiguredError, match="others can read it") as caught:
        Keys(settings).derive("audit")
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("content", ["", "short", "no base64 at all !!!", "aGVsbG8="])
def test_a_file_without_a_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "my.key"
    file.write_text(content, encoding="ascii")
    file.chmod(0o600)
    with pytest.raises(NotConfiguredError, match="does not hold a key"):
        Keys(StateSettings(dir=tmp_path, key_file=file)).derive("audit")
    assert file.read_text(encoding="ascii") == content


def test_a_key_file_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotConfiguredError, match=r"key file|state directory"):
        Keys(StateSettings(dir=tmp_path, key_file=tmp_path / "file" / "x.key")).derive("audit")
