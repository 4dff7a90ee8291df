"""The cursor over several clusters, and the merge: each cluster at its own place, bound to the question."""

import pytest

from aiops_eks.clients.paging import DONE, cursor_of, digest, offsets_of
from aiops_eks.models.several import best_first, said_once
from aiops_shared.errors import InvalidInputError
from tests.eks.reading import ask, connect
from tests.fakes.kube import FakeClusters, FakeKube, FakeSensitive, made, pod

QUESTION = digest(("a", "b"), "pods", "", "", False)
OTHER = cursor_of({"a": 1}, digest("other"))
EVERY = [f"111122223333/eu-west-1/cluster-number-{at}" for at in range(40)]


def test_a_cursor_carries_every_clusters_place_and_fits_what_a_tool_takes() -> None:
    offsets = {name: at * 7 for at, name in enumerate(EVERY)} | {EVERY[3]: DONE}
    cursor = cursor_of(offsets, QUESTION)
    assert len(cursor) <= 400
    found, gone = offsets_of(cursor, QUESTION, EVERY)
    assert (found, gone) == ({name: at for name, at in offsets.items() if at}, 0)
    assert offsets_of("", QUESTION, EVERY) == ({}, 0)


def test_a_cluster_that_is_gone_is_counted_and_a_new_one_begins_at_its_start() -> None:
    cursor = cursor_of({"a": 5, "b": 9}, QUESTION)
    assert offsets_of(cursor, QUESTION, ["b", "c"]) == ({"b": 9}, 1)


@pytest.mark.threat("T1")
@pytest.mark.parametrize(
    "cursor", ["x", "====", "\u00e4", "AAAAAAAAAAAA", cursor_of({"a": 1}, digest("other"))]
)
def test_a_cursor_that_this_question_did_not_give_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInputError):
        offsets_of(cursor, QUESTION, ["a"])


def test_parts_are_merged_in_order_until_there_is_no_more_room() -> None:
    left = [4]

    def takes(place: int, item: int) -> bool:
        left[0] -= 1
        return left[0] >= 0

    taken, counts = best_first([[1, 4, 6], [2, 3], []], lambda item: item, takes)
    assert taken == [(0, 1), (1, 2), (1, 3), (0, 4)]
    assert counts == [2, 2, 0]


def test_what_several_clusters_say_alike_is_said_once() -> None:
    said = said_once([("a", ["no metrics", "slow"]), ("b", ["no metrics"]), ("c", [])])
    assert said == ("a, b: no metrics", "a: slow")


def _clusters() -> FakeClusters:
    names = [made("Namespace", "production", "")]
    return FakeClusters([FakeKube([pod("web"), *names], cluster=name) for name in ("a", "b")])


async def test_one_cluster_by_a_glob_is_answered_as_one() -> None:
    answer = await ask(_clusters(), "list_resources", kind="pods", cluster="b*")
    assert "cluster" not in answer["resources"]["columns"]
    assert answer["evidence"][0]["source"].endswith("of b")


async def test_a_kind_that_no_cluster_knows_is_one_error() -> None:
    async with connect(_clusters()) as client:
        answer = await client.call_tool(
            "list_resources", {"kind": "wombats", "cluster": "*"}, raise_on_error=False
        )
    assert answer.is_error
    assert "[kind_unknown]" in str(answer.content[0])


async def test_logs_and_events_of_several_clusters_are_refused_once_where_the_operator_forbids_them() -> None:
    gate = FakeSensitive(allowed=False)
    clusters = _clusters()
    async with connect(clusters, gate) as client:
        for tool, rest in (("list_events", {}), ("get_pod_logs", {"namespace": "production", "pod": "web"})):
            answer = await client.call_tool(tool, {"cluster": "*", **rest}, raise_on_error=False)
            assert "[refused]" in str(answer.content[0])
    assert not [one for kube in clusters.kubes for one in kube.requests]
