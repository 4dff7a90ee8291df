"""What every client pays for in every conversation (D28), counted by o200k."""

import json

import pytest

from bench.tokens import tokens
from tests.contracts.snapshots import listed

# The vocabulary's package reads its own data through a function that Python calls old.
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")

BUDGETS = {"eks": 6_000, "observability": 4_000, "cost": 2_000, "sop": 4_000}
# What a listing costs now. Growth of more than 5 % is a decision: raise the number with its reason.
COMMITTED = {
    "eks": (5_920, "sixteen tools: changes of nodes and add-ons, the timeline; output schemas of depth 1"),
    "observability": (3_812, "ten tools over every backend; bounds of size are not listed"),
    "sop": (3_586, "eleven tools: runs, events, causes, configuration, verdicts, reports"),
    "cost": (1_888, "five tools: every group, baseline, scope and price kind is a word of one argument"),
}
HEADROOM = 1.05


async def cost() -> dict[str, int]:
    return {
        server: tokens(json.dumps(tools, separators=(",", ":"), ensure_ascii=False))
        for server, tools in (await listed()).items()
    }


async def test_every_listing_fits_its_budget() -> None:
    for server, paid in (await cost()).items():
        assert paid <= BUDGETS[server], f"{server}: {paid} tokens"


async def test_a_listing_grows_by_more_than_a_twentieth_only_with_a_reason() -> None:
    for server, paid in (await cost()).items():
        known, reason = COMMITTED[server]
        assert reason
        assert known / HEADROOM**2 <= paid <= known * HEADROOM, f"{server}: {paid} tokens, committed {known}"
