"""What a release is made of: every package that it needs, of the lock, and nothing of this machine (T16)."""

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from eks_aiops.locked import LOCK, ROOT, Locked, read_lock
from eks_aiops.sbom import bill_of_materials

pytestmark = pytest.mark.threat("T16")


@pytest.fixture(scope="module")
def lock() -> tuple[Locked, ...]:
    return read_lock(LOCK.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bill(lock: tuple[Locked, ...]) -> dict[str, Any]:
    return bill_of_materials(lock)


def test_it_is_cyclonedx_and_names_this_version(bill: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert bill["metadata"]["component"]["version"] == version("eks-aiops")


def test_it_holds_what_is_needed_with_the_locks_hashes_and_no_tool_of_development(
    bill: dict[str, Any], lock: tuple[Locked, ...]
) -> None:
    found = {one["name"]: one for one in bill["components"]}
    assert {"fastmcp", "boto3", "cryptography", "pydantic-core", "cffi"} <= found.keys()
    assert {found[name]["scope"] for name in ("fastmcp", "pydantic-core")} == {"required"}
    assert {found[name]["scope"] for name in ("moto", "duckdb", "opentelemetry-sdk")} == {"optional"}
    assert not {"pytest", "ruff", "mypy", "atheris", "pip-audit", "cyclonedx-bom"} & found.keys()
    hashes = {entry.purl: set(entry.hashes) for entry in lock}
    for one in bill["components"]:
        said = {each["value"] for each in one["properties"] if each["name"] == "eks-aiops:lock:sha256"}
        assert said == hashes[one["purl"]] != set()


def test_who_needs_whom_leads_from_the_suite_to_every_package(bill: dict[str, Any]) -> None:
    needs = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    reached, waiting = set[str](), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting.extend(needs[ref])
    own = bill["metadata"]["component"]["bom-ref"]
    assert reached == {own} | {one["bom-ref"] for one in bill["components"]} == {*needs}


def test_the_same_lock_gives_the_same_bytes_and_nothing_of_this_machine(
    bill: dict[str, Any], lock: tuple[Locked, ...]
) -> None:
    text = json.dumps(bill)
    assert json.dumps(bill_of_materials(lock)) == text
    assert "timestamp" not in bill["metadata"]
    assert str(ROOT) not in text
    assert "file:" not in text
    later = bill_of_materials(lock, datetime(2026, 1, 2, tzinfo=UTC))
    assert later["metadata"]["timestamp"] == "2026-01-02T00:00:00Z"
    assert later["components"] == bill["components"]


def test_another_hash_in_the_lock_is_another_bill(bill: dict[str, Any], lock: tuple[Locked, ...]) -> None:
    first = next(entry for entry in lock if entry.name == "fastmcp")
    swapped = Locked(first.name, first.version, first.marker, ("0" * 64,))
    other = bill_of_materials(tuple(swapped if entry is first else entry for entry in lock))
    assert other["serialNumber"] != bill["serialNumber"]


def test_every_entry_of_the_lock_is_read_and_a_line_that_pins_nothing_is_refused() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert len(read_lock(text)) == text.count("==") - text.count("== '") - text.count("python_version ==")
    for loose in ("evil>=1", "evil @ https://example.com/evil.whl", "-r other.txt", "--index-url https://x"):
        with pytest.raises(ValueError, match="pins nothing"):
            read_lock(f"{text}{loose}\n")
