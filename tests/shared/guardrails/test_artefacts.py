"""Artefacts: sealed, private, found again by their key, forgotten after thirty days."""

import os
from pathlib import Path

import pytest

from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.guardrails.artefacts import FOLDER, KEPT_S, Artefacts
from aiops_shared.settings import StateSettings

DATA = b"heap with a secret-of-nobody in it"


@pytest.fixture
def artefacts(tmp_path: Path) -> Artefacts:
    return Artefacts(StateSettings(dir=tmp_path))


@pytest.mark.threat("T6")
async def test_what_is_kept_is_sealed_private_and_found_by_its_key(
    artefacts: Artefacts, tmp_path: Path
) -> None:
    assert await artefacts.find("profile-heap-1") is None
    kept = await artefacts.keep("profile-heap-1", DATA, {"total": 3})
    found = await artefacts.find("profile-heap-1")
    assert found == kept
    assert (found.size_bytes, found.note) == (len(DATA), {"total": 3})
    for path in (tmp_path / FOLDER).iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert b"secret-of-nobody" not in path.read_bytes()


async def test_old_ones_are_forgotten_when_a_new_one_comes(artefacts: Artefacts, tmp_path: Path) -> None:
    await artefacts.keep("old", DATA, {})
    for path in (tmp_path / FOLDER).iterdir():
        before = path.stat().st_mtime - KEPT_S - 60
        os.utime(path, (before, before))
    await artefacts.keep("new", DATA, {})
    assert {path.stem for path in (tmp_path / FOLDER).iterdir()} == {"new"}


@pytest.mark.threat("T1")
@pytest.mark.parametrize("key", ["../state", "a/b", "", "x" * 90, "ü"])
async def test_a_key_that_is_no_word_never_becomes_a_path(artefacts: Artefacts, key: str) -> None:
    with pytest.raises(InvalidInputError):
        await artefacts.keep(key, DATA, {})
    with pytest.raises(InvalidInputError):
        await artefacts.find(key)


async def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(NotConfiguredError, match="artefacts in"):
        await Artefacts(StateSettings(dir=tmp_path)).keep("a", DATA, {})


async def test_a_broken_note_is_no_artefact(artefacts: Artefacts, tmp_path: Path) -> None:
    await artefacts.keep("a", DATA, {})
    (tmp_path / FOLDER / "a.json").write_text("{")
    assert await artefacts.find("a") is None
