"""The codes of recommendations: every one that an adviser has is listed, and nothing else can be proposed."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import ValidationError

import aiops_cost.clients
from aiops_cost.clients.savings_reading import ADVISERS
from aiops_cost.models.savings import SAVING_CODES, Recommendation, Risk

CLIENTS = Path(aiops_cost.clients.__path__[0])
ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")


def codes_of_advisers() -> set[str]:
    """The codes that advisers' modules name, each a constant of its module."""
    found: set[str] = set()
    for path in CLIENTS.glob("advice_*.py"):
        module = import_module(f"aiops_cost.clients.{path.stem}")
        found |= {
            value for value in vars(module).values() if isinstance(value, str) and CODE.fullmatch(value)
        }
        literal = re.findall(r'code="(\w+)"', path.read_text())
        assert not literal, f"{path.stem}: a code is a constant of its module"
    return found


def test_the_codes_that_advisers_have_are_those_that_are_listed() -> None:
    assert codes_of_advisers() == {one.code for one in SAVING_CODES}
    assert len({one.code for one in SAVING_CODES}) == len(SAVING_CODES)
    assert {one.scope for one in SAVING_CODES} == {one.scope for one in ADVISERS}


def test_every_code_is_in_the_page_of_codes() -> None:
    page = (ROOT / "docs" / "causes.md").read_text()
    for one in SAVING_CODES:
        assert f"| `{one.code}` | {one.scope} | {one.says} |" in page


@pytest.mark.parametrize(("code", "scope"), [("SOMETHING_ELSE", "compute"), ("NODES_IDLE", "spot")])
def test_a_recommendation_of_another_code_cannot_be_made(code: str, scope: str) -> None:
    with pytest.raises(ValidationError, match="not among SAVING_CODES"):
        Recommendation.model_validate(
            {
                "key": "k",
                "code": code,
                "scope": scope,
                "target": "t",
                "current": "a",
                "proposed": "b",
                "risk": Risk(level="low", why="w"),
            }
        )
