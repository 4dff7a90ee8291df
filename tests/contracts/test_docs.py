"""The pages that a machine writes agree with the code; the example and the docs name pinned versions only."""

import ast
import json
import re
from importlib.metadata import version
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from aiops_shared.settings import Settings
from eks_aiops.docs import pages
from tests.contracts.repository import PRODUCT, ROOT, parsed, texts

OURS = ("AIOPS_",)
# Variables of others that the example and the docs may name.
# Of the lab, of the Lambda function of a Bedrock action group (deploy/agentcore), and of a long test.
ELSEWHERE = {"AIOPS_LAB_URL", "AIOPS_MCP_URL", "AIOPS_MCP_SECRET_ARN", "AIOPS_TEST_ROUNDS"}


def variables(group: type[BaseSettings] = Settings) -> set[str]:
    """Every environment variable that a setting reads."""
    prefix = str(group.model_config.get("env_prefix", ""))
    found = set()
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseSettings):
            found |= variables(field.annotation)
        else:
            found.add(f"{prefix}{name.upper()}")
    return found


async def test_generated_pages_are_fresh() -> None:
    for name, text in (await pages()).items():
        assert (ROOT / name).exists(), f"{name}: run `make docs`"
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name} is stale: run `make docs`"


def test_every_setting_is_on_the_page_with_its_meaning_and_nothing_else_is() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", page, flags=re.MULTILINE)
    assert {name for name, _, _ in rows} == variables()
    for name, default, meaning in rows:
        assert default.strip(), name
        assert len(meaning) > 8, name


def test_every_variable_named_anywhere_is_a_setting() -> None:
    known = variables() | ELSEWHERE
    for name, text in texts():
        if name.startswith(("docs/", "README", "mcp.json", "shared/", "servers/")):
            # A word that ends in _ is a prefix of several.
            used = {word for word in re.findall(r"\bAIOPS_[A-Z_]*[A-Z]\b", text) if not word.endswith("_")}
            assert {word for word in used if word not in known} == set(), name


def test_only_settings_read_the_environment() -> None:
    readers = set()
    for path, tree in parsed(PRODUCT):
        for node in ast.walk(tree):
            reads = isinstance(node, ast.Attribute) and node.attr in {
                "environ",
                "getenv",
                "environb",
                "putenv",
            }
            if reads and isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "os":
                readers.add(str(path.relative_to(ROOT)))
            if isinstance(node, ast.ImportFrom) and node.module == "os":
                assert not {alias.name for alias in node.names} & {"environ", "getenv"}, path
    assert readers == {"shared/aiops_shared/settings/__init__.py"}


def test_every_switch_is_safe_when_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    found = Settings()
    assert found.write is False
    assert found.sensitive_reads is False
    assert found.policy.mode == "enforce"
    assert {found.policy.autonomy_prod, found.policy.autonomy_staging, found.policy.autonomy_dev} == {
        "observe"
    }


def example() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "mcp.json.example").read_text(encoding="utf-8"))["mcpServers"]
    return found


def test_the_example_starts_every_server_read_only() -> None:
    assert example()
    for name, entry in example().items():
        assert name.startswith("aiops-"), "AWS's own is often called eks (D37)"
        assert entry["env"]["AIOPS_WRITE"] == "false"


def test_the_example_names_real_settings_only() -> None:
    for entry in example().values():
        assert set(entry["env"]) <= variables()


@pytest.mark.threat("T16")
def test_the_example_pins_the_version_of_this_package() -> None:
    for entry in example().values():
        assert entry["command"] == "uvx"
        assert entry["args"][:3] == ["--from", f"eks-aiops=={version('eks-aiops')}", "eks-aiops"]
        assert set(entry) == {"command", "args", "env"}


@pytest.mark.threat("T16")
@pytest.mark.row("BI-130")
def test_no_tracked_file_starts_an_unpinned_package() -> None:
    floating = re.compile(r"@" + "latest|--" + "pre\\b|npx (-y )?[a-z@][\\w/-]*(?=\\s|$)")
    for name, text in texts():
        if name.startswith(("docs/", "README", "mcp.json", "Makefile", ".ci/run")):
            assert not floating.search(text), name


def test_every_page_of_the_docs_is_on_the_map_and_every_link_leads_somewhere() -> None:
    for name, text in texts():
        if name.endswith(".md") and name.startswith(("docs/", "README")):
            for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
                assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"
