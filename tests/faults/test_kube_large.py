"""Fault R20 at the Kubernetes client: huge lists are paged, too large ones refused, memory is bounded.

`test_kube_crowd` has the same from the tool down, in a process of its own whose memory is measured.
"""

import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import anyio.lowlevel
import pytest

from aiops_shared.errors import AnswerTooLargeError
from aiops_shared.kube.api import KubeApi
from tests.faults.kube_scripts import PODS, sent
from tests.shared.http.wire_server import Reply, Seen, as_json
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = [pytest.mark.fault("R20"), pytest.mark.threat("T14")]
LIMIT = 4_000_000


@contextmanager
def little_memory(most_bytes: int = 4 * LIMIT) -> Iterator[None]:
    """What Python holds at once inside stays under `most_bytes`; the server of the test counts too."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


async def two_gigabytes() -> AsyncIterator[bytes]:
    """A list of 2 GB, as it would really come."""
    yield b'{"kind":"PodList","metadata":{},"items":['
    item = b'{"metadata":{"name":"a","annotations":{"x":"' + b"a" * 60_000 + b'"}}},'
    for _number in range(2 * 1024**3 // len(item)):
        yield item
        await anyio.lowlevel.checkpoint()
    yield b'{"metadata":{"name":"z"}}]}'


async def test_a_list_of_two_gigabytes_is_refused_with_what_to_ask_instead() -> None:
    huge = Reply(pieces=two_gigabytes)
    async with fake_api(lambda seen: huge if seen.path == PODS else None, max_answer_bytes=LIMIT) as (api, _):
        await api.kind("pods")
        with (
            little_memory(),
            pytest.raises(AnswerTooLargeError, match="ask for less: a namespace, a selector"),
        ):
            await api.list("pods", "shop")


class Heavy:
    """Pods of 100 kB each, as many to a page as were asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.limits: list[int] = []

    def __call__(self, seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        start, limit = int(seen.query.get("continue", "0")), int(seen.query["limit"])
        self.limits.append(limit)
        page = [self._pod(number) for number in range(start, min(start + limit, self.count))]
        more = str(start + limit) if start + limit < self.count else ""
        return as_json(pod_list(*page, cursor=more))

    def _pod(self, number: int) -> dict[str, object]:
        made = pod(f"p{number}")
        made["metadata"]["annotations"] = {"big": "x" * 100_000}
        return made


async def test_a_list_of_heavy_objects_is_read_in_smaller_pages_with_bounded_memory() -> None:
    server = Heavy(120)
    async with fake_api(server, max_answer_bytes=LIMIT, timeout_s=20) as (api, _):
        assert len([None async for _one in api.every("pods", "shop")]) == 120
    assert server.limits[:2] == [500, 50]
    assert server.limits[2:] == [5] * 24


async def test_an_object_too_large_by_itself_is_refused() -> None:
    async with fake_api(Heavy(1), max_answer_bytes=50_000) as (api, server):
        with pytest.raises(AnswerTooLargeError, match="the answer exceeds 50000 bytes"):
            [one async for one in api.every("pods", "shop")]
    assert [one.query["limit"] for one in sent(server, PODS)] == ["500", "50", "5"]


async def count_into(found: Counter[str], api: KubeApi) -> None:
    async for one in api.every("pods", "shop", at_most=2000):
        found[one["metadata"]["name"]] += 1


async def test_every_page_is_of_500_and_a_list_that_is_longer_than_allowed_says_so() -> None:
    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        start, limit = int(seen.query.get("continue", "0")), int(seen.query["limit"])
        return as_json(pod_list(*(pod(f"p{start + n}") for n in range(limit)), cursor=str(start + limit)))

    async with fake_api(answer, timeout_s=20) as (api, server):
        found: Counter[str] = Counter()
        with pytest.raises(AnswerTooLargeError, match="more than 2000 objects; narrow it"):
            await count_into(found, api)
    assert found == Counter(f"p{number}" for number in range(2000))
    assert {one.query["limit"] for one in sent(server, PODS)} == {"500"}
