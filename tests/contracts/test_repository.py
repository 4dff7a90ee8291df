"""What must not stand in the repository: this machine, addresses of registries, secrets."""

import re

import pytest

from tests.contracts.repository import texts

HERE = re.compile(
    r"(?<![\w.])/(?:wor" + r"k|hom" + r"e/[a-z]|Use" + r"rs/[a-z]|roo" + r"t)/(?!\.aws|\.kube)[\w.-]+"
)
REGISTRY = re.compile(
    r"https?://[\w.-]*(?:py"
    r"pi\.org|pythonhost"
    r"ed\.org|registry\.npm"
    r"js\.org|codeartif"
    r"act|artifact"
    r"ory|nex"
    r"us\.)"
)
SECRET = re.compile(
    r"AKI" + r"A(?![A-Z0-9]*(?:CANARY|EXAMPLE|FAKE))[A-Z0-9]{16}|gh" + r"p_(?!CANARY)[A-Za-z0-9]{36}"
)
# Files that speak of such paths because they refuse them.
SPEAK_OF_PATHS = ("tests/", "servers/aiops_lab/")


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    for name, text in texts():
        if not name.startswith(SPEAK_OF_PATHS):
            assert not HERE.search(text), f"{name}: {HERE.search(text)}"


def test_no_file_names_a_registry() -> None:
    for name, text in texts():
        assert not REGISTRY.search(text), name


@pytest.mark.threat("T6")
def test_no_file_holds_a_key_that_could_be_real() -> None:
    for name, text in texts():
        assert not SECRET.search(text), name


@pytest.mark.threat("T16")
def test_every_locked_requirement_has_a_hash() -> None:
    (lock,) = [text for name, text in texts() if name == ".ci/requirements.lock"]
    entries = re.findall(r"^[a-z0-9][\w.\[\]-]*==.*?(?=^\S|\Z)", lock, flags=re.MULTILINE | re.DOTALL)
    assert len(entries) > 50
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "--index-url" not in lock
