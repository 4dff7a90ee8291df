"""That the contracts mean what they say: every id runs on both servers, every difference is listed once."""

import re
from pathlib import Path

import pytest

from tests.cluster.contract.conftest import SERVERS
from tests.cluster.contract.known import SECTIONS, known_difference, listed
from tests.cluster.contract.reporting import contract_of

_USED = re.compile(r"""(?:difference=|differing\(|known_difference\()\s*"([a-z0-9-]+)\"""")


def _used() -> set[str]:
    tests = Path(__file__).parent.glob("test_*.py")
    return {name for test in tests for name in _USED.findall(test.read_text(encoding="utf-8"))}


def test_every_contract_runs_on_both_servers_under_the_same_id(request: pytest.FixtureRequest) -> None:
    ids: dict[str, set[str]] = {server: set() for server in SERVERS}
    for item in request.session.items:
        found = contract_of(item.nodeid)
        if found is not None:
            ids[found[0]].add(found[1])
    assert ids["simulator"] == ids["real"]
    assert ids["real"], "no contract was collected beside this test"


def test_every_difference_is_used_by_a_test_and_every_deviation_has_its_page() -> None:
    assert _used() == set(listed())


@pytest.mark.parametrize("name", listed())
def test_a_difference_says_both_answers_the_reason_and_the_risk(name: str) -> None:
    known = known_difference(name)
    assert known.title.startswith("# ")
    assert set(known.sections) == set(SECTIONS)
    assert all(known.sections.values())
    assert known.of("real") != known.of("simulator")
