"""The table of AWS's servers and the reference hold to what the servers list (rows S5, S10)."""

import pytest

from eks_aiops.catalogue import all_offers, all_tools
from eks_aiops.coverage import COVERED, Covered, coverage
from tests.contracts.repository import ROOT

# Requirements, row S10, by the words that tell one server from another.
IN_SCOPE = (
    *("EKS", "metrics", "alarms", "logs", "Application Signals", "Prometheus", "CloudTrail"),
    *("Cost Explorer", "Pricing", "Billing"),
)
DELEGATED = (
    *("ECS", "Lambda", "DynamoDB", "Aurora", "Step Functions", "MSK", "Documentation", "Knowledge"),
    *("Diagram", "SageMaker"),
)
PARTLY = ("IAM", "Well-Architected Security", "SNS / SQS")


def row(words: str) -> Covered:
    """The one row with these words."""
    (found,) = [one for one in COVERED if words in one.name]
    return found


@pytest.mark.row("S10")
async def test_every_row_in_scope_has_a_tool_that_a_server_lists() -> None:
    listed = await all_tools(write=True)
    known = {f"{server}.{tool['name']}" for server, tools in listed.items() for tool in tools}
    for words in IN_SCOPE:
        assert row(words).scope == "own", words
        assert row(words).tools, words
        assert set(row(words).tools) <= known, words
    assert {row(words).scope for words in DELEGATED} == {"delegated"}
    assert {row(words).scope for words in PARTLY} == {"partly"}


@pytest.mark.row("S10")
def test_a_tool_that_nobody_lists_stops_the_page() -> None:
    with pytest.raises(ValueError, match=r"eks\.diagnose"):
        coverage("", {"eks": [{"name": "list_clusters"}]})


async def test_the_reference_names_every_resource_and_prompt() -> None:
    page = (ROOT / "docs" / "tools.md").read_text("utf-8")
    for resources, prompts in (await all_offers(write=True)).values():
        for one in (*resources, *prompts):
            assert f"| `{one.name}` |" in page
            assert one.says, one.name
