"""What counts as named: state and every word of the cause, for that pod and no other."""

from datetime import UTC, datetime

import pytest

from bench.crowd import NAMESPACES
from bench.damage import killed_and_running
from bench.gathered import Crowd, crowd
from bench.naming import Heard, named
from bench.planted import FAULTS, Fault, Truth
from bench.rows import met
from bench.tokens import tokens

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
FAULT = Fault(
    "image tag does not exist", "web", 1, "ImagePullBackOff", ("web:9", "not found"), killed_and_running
)
TRUTHS = [Truth("shop", f"web-7d9-{end}", FAULT) for end in ("aaaaa", "bbbbb", "ccccc")]


def table(*rows: list[object]) -> dict[str, object]:
    columns = ["namespace", "name", "alike", "health", "cause"]
    return {"resources": {"columns": columns, "rows": list(rows)}}


def test_a_row_speaks_for_its_pod_and_for_the_endings_it_lists() -> None:
    heard = Heard()
    heard.in_rows(table(["shop", "web-7d9-aaaaa", "-bbbbb", "ImagePullBackOff", "web:9: not found"]))
    found = named(TRUTHS, heard)
    assert (found.planted, found.listed, found.both) == (3, 2, 2)
    assert str(found) == "2 of 3 named with state and cause (not: 1 x image tag does not exist)"


@pytest.mark.parametrize(
    ("health", "cause", "states", "causes"),
    [
        ("ImagePullBackOff", "", 1, 0),
        ("not ready", "web:9: not found", 0, 1),
        ("ImagePullBackOff", "web:8: not found", 1, 0),
    ],
)
def test_half_of_the_truth_is_not_enough(health: str, cause: str, states: int, causes: int) -> None:
    heard = Heard()
    heard.in_rows(table(["shop", "web-7d9-aaaaa", "", health, cause]))
    found = named(TRUTHS[:1], heard)
    assert (found.states, found.causes, found.both) == (states, causes, 0)


def test_a_pod_of_the_same_name_in_another_namespace_is_another() -> None:
    heard = Heard()
    heard.in_rows(table(["other", "web-7d9-aaaaa", "", "ImagePullBackOff", "web:9: not found"]))
    heard.in_lines(
        "other  v1  Pod  web-7d9-aaaaa  ImagePullBackOff web:9 not found", [("shop", "web-7d9-aaaaa")]
    )
    assert named(TRUTHS, heard).listed == 0


def test_folded_and_quoted_texts_of_the_peers_count() -> None:
    heard = Heard()
    place = [("shop", "web-7d9-aaaaa")]
    heard.in_lines("shop   v1   Pod   web-7d9-aaaaa   0/1   ImagePullBackOff   0", place)
    heard.in_blocks(
        '- name: web-7d9-aaaaa\n  namespace: shop\n  message: "\\"web:9\\": not\n    found"', "\n- ", place
    )
    assert named(TRUTHS[:1], heard).both == 1


def both_layouts() -> list[Crowd]:
    return [crowd(NOW, 600, scattered=scattered) for scattered in (False, True)]


def test_the_crowd_has_sixty_faults_of_many_kinds_and_the_same_names_each_time() -> None:
    assert len(FAULTS) >= 20
    for found, again in zip(both_layouts(), both_layouts(), strict=True):
        places = [(truth.namespace, truth.name) for truth in found.truths]
        assert len(set(places)) == len(places) == 60
        assert len(found.pods) == 660
        assert {place[0] for place in places} <= set(NAMESPACES)
        assert [truth.name for truth in again.truths] == [truth.name for truth in found.truths]


def test_scattered_faults_have_a_workload_each() -> None:
    together, scattered = both_layouts()
    owners = [len({truth.name.rpartition("-")[0] for truth in each.truths}) for each in (together, scattered)]
    assert owners == [len(FAULTS), 60]


def test_a_text_longer_than_the_encoder_takes_is_counted_in_pieces() -> None:
    assert tokens("word " * 50_000) >= 50_000


def test_a_missed_target_is_said() -> None:
    assert (met(1.5, 1.5), met(1.51, 1.5)) == ("met", "MISSED")
