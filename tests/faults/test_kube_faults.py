"""Faults R1 to R5 at the Kubernetes API: throttled, broken, slow, forgotten, expired."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import orjson
import pytest

from aiops_shared.errors import (
    ConflictError,
    ExpiredError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.kube.access import Access
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json, status
from tests.shared.kube.fake_api import DISCOVERY, fake_api, pod, pod_list

PODS = "/api/v1/namespaces/shop/pods"
PERMIT = object()
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}


def script(path: str, *replies: Reply | Callable[[Seen], Reply]) -> Callable[[Seen], Reply | None]:
    """Answer `path` by these replies in turn, the last one forever."""
    left: Iterator[Reply | Callable[[Seen], Reply]] = iter(replies)
    last: list[Reply | Callable[[Seen], Reply]] = []

    def answer(seen: Seen) -> Reply | None:
        if not seen.path.startswith(path):
            return None
        last[:] = [next(left, last[0] if last else replies[-1])]
        return last[0] if isinstance(last[0], Reply) else last[0](seen)

    return answer


def sent(server: WireServer, path: str) -> list[Seen]:
    return [one for one in server.seen if one.path.startswith(path)]


@pytest.mark.fault("R1")
async def test_a_throttled_read_waits_as_long_as_asked_and_succeeds() -> None:
    throttled = status(429, "TooManyRequests", "slow down", retry_after="1")
    async with fake_api(script(PODS, throttled, as_json(pod_list(pod("a"))))) as (api, server):
        await api.kind("pods")
        started = time.monotonic()
        page = await api.list("pods", "shop")
        waited = time.monotonic() - started
    assert [one["metadata"]["name"] for one in page.items] == ["a"]
    assert 0.8 <= waited <= 1.6
    assert len(sent(server, PODS)) == 2


@pytest.mark.fault("R1")
async def test_a_read_throttled_forever_ends_after_five_tries_with_a_clear_error() -> None:
    async with fake_api(script(PODS, status(429, "TooManyRequests", "slow down", retry_after="0"))) as (
        api,
        server,
    ):
        with pytest.raises(ThrottledError, match="slow down"):
            await api.list("pods", "shop")
    assert len(sent(server, PODS)) == 5


@pytest.mark.fault("R1")
async def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    async with fake_api(script(PODS, status(429, "TooManyRequests", "later", retry_after="3600"))) as (
        api,
        server,
    ):
        started = time.monotonic()
        with pytest.raises(ThrottledError):
            await api.list("pods", "shop")
        assert time.monotonic() - started < 20
    assert len(sent(server, PODS)) == 1


@pytest.mark.fault("R1")
async def test_a_disruption_budget_that_forbids_an_eviction_is_an_answer_and_not_waited_for() -> None:
    says = "Cannot evict pod as it would violate the pod's disruption budget."
    refused = status(429, "TooManyRequests", says, retry_after="10")
    async with fake_api(script(PODS, refused)) as (api, server):
        with pytest.raises(ThrottledError, match="disruption budget"):
            await api.evict("shop", "a", uid="u", dry_run=False, permit=PERMIT)
    assert len(sent(server, PODS)) == 1


@pytest.mark.fault("R2")
@pytest.mark.parametrize("trouble", [Reply(reset=True), status(503), status(500), status(502)])
async def test_a_read_that_breaks_is_tried_again(trouble: Reply) -> None:
    async with fake_api(script(PODS, trouble, trouble, as_json(pod_list(pod("a"))))) as (api, server):
        assert len((await api.list("pods", "shop")).items) == 1
    assert len(sent(server, PODS)) == 3


@pytest.mark.fault("R2")
@pytest.mark.parametrize("trouble", [Reply(reset=True), status(503), status(500), status(504)])
async def test_a_change_that_breaks_is_never_sent_twice_and_says_that_its_outcome_is_unknown(
    trouble: Reply,
) -> None:
    async with fake_api(script("/api/v1/namespaces/shop/configmaps", trouble)) as (api, server):
        with pytest.raises(UpstreamError, match="unknown"):
            await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    assert [one.method for one in sent(server, "/api/v1/namespaces/shop")] == ["PUT"]


@pytest.mark.fault("R2")
async def test_a_dry_run_that_breaks_is_tried_again_since_it_changes_nothing() -> None:
    path = "/api/v1/namespaces/shop/configmaps"
    async with fake_api(script(path, Reply(reset=True), as_json(CONFIG_MAP))) as (api, server):
        assert await api.replace(CONFIG_MAP, dry_run=True) == CONFIG_MAP
    assert [one.query["dryRun"] for one in sent(server, path)] == ["All", "All"]


@pytest.mark.fault("R2")
async def test_a_change_throttled_before_it_was_processed_is_sent_again() -> None:
    path = "/api/v1/namespaces/shop/configmaps"
    throttled = status(429, "TooManyRequests", "slow down", retry_after="0")
    async with fake_api(script(path, throttled, as_json(CONFIG_MAP))) as (api, server):
        assert await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT) == CONFIG_MAP
    assert len(sent(server, path)) == 2


async def test_an_apply_conflict_lists_the_fields_and_their_owners() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".data.a"}
    ]
    body = {
        "kind": "Status",
        "code": 409,
        "reason": "Conflict",
        "message": "Apply failed",
        "details": {"causes": causes},
    }
    async with fake_api(script("/api/v1/namespaces/shop/configmaps", as_json(body, 409))) as (api, _):
        with pytest.raises(ConflictError, match=r"\.data\.a: conflict with \"kubectl\""):
            await api.apply(CONFIG_MAP, dry_run=True)


@pytest.mark.fault("R3")
async def test_a_body_that_comes_byte_by_byte_ends_at_the_deadline() -> None:
    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" "
            await anyio.sleep(0.05)

    async with fake_api(script(PODS, Reply(pieces=slowly)), timeout_s=0.6) as (api, _):
        started = time.monotonic()
        with pytest.raises(UpstreamTimeoutError):
            await api.list("pods", "shop")
        assert time.monotonic() - started < 20


@pytest.mark.fault("R3")
async def test_a_slow_change_ends_at_the_deadline_with_its_outcome_unknown() -> None:
    async def never() -> AsyncIterator[bytes]:
        await anyio.sleep(5)
        yield b"{}"

    path = "/api/v1/namespaces/shop/configmaps"
    async with fake_api(script(path, Reply(pieces=never)), timeout_s=0.5) as (api, server):
        with pytest.raises(UpstreamTimeoutError, match="unknown"):
            await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    assert len(sent(server, path)) == 1


@pytest.mark.fault("R3")
async def test_other_reads_go_on_while_one_stalls() -> None:
    async def never() -> AsyncIterator[bytes]:
        await anyio.sleep(5)
        yield b"{}"

    def answer(seen: Seen) -> Reply | None:
        if seen.path == "/api/v1/nodes":
            return Reply(pieces=never)
        return as_json(pod_list(pod("a"))) if seen.path == PODS else None

    async with fake_api(answer, timeout_s=1) as (api, _):
        await api.kind("pods")
        with anyio.move_on_after(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_expect_timeout, api)
                await anyio.sleep(0.1)
                assert len((await api.list("pods", "shop")).items) == 1


async def _expect_timeout(api: KubeApi) -> None:
    with pytest.raises(UpstreamTimeoutError):
        await api.list("nodes")


def _pages(forgets: int) -> Callable[[Seen], Reply | None]:
    """Two pages of pods; the second is forgotten (410) so many times."""
    left = [forgets]

    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        if not seen.query.get("continue"):
            return as_json(pod_list(pod("a"), pod("b"), cursor="c2"))
        if left[0] > 0:
            left[0] -= 1
            return status(410, "Expired", "The provided continue parameter is too old")
        return as_json(pod_list(pod("b"), pod("c")))

    return answer


@pytest.mark.fault("R4")
async def test_a_list_forgotten_half_way_is_read_again_once_without_duplicates() -> None:
    async with fake_api(_pages(1)) as (api, server):
        names = [one["metadata"]["name"] async for one in api.every("pods", "shop")]
    assert names == ["a", "b", "c"]
    assert [one.query.get("continue", "") for one in sent(server, PODS)] == ["", "c2", "", "c2"]


@pytest.mark.fault("R4")
async def test_a_list_forgotten_twice_is_an_error_and_no_silent_gap() -> None:
    async with fake_api(_pages(2)) as (api, _):
        with pytest.raises(ExpiredError):
            [one async for one in api.every("pods", "shop")]


@pytest.mark.fault("R4")
@pytest.mark.parametrize(
    "forgotten",
    [
        status(410, "Expired", "The provided continue parameter is too old"),
        status(400, "BadRequest", "continue key is not valid: encoded start key empty"),
    ],
)
async def test_an_expired_cursor_gives_the_first_page_again_and_says_so(forgotten: Reply) -> None:
    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        return forgotten if seen.query.get("continue") else as_json(pod_list(pod("a")))

    async with fake_api(answer) as (api, _):
        page = await api.list("pods", "shop", cursor="eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0")
        table = await api.table("pods", "shop", cursor="eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0")
    assert page.relisted
    assert table.relisted
    assert [one["metadata"]["name"] for one in page.items] == ["a"]


class CountingSource:
    """Credentials whose first `stale` tokens the server refuses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made = 0

    async def access(self, *, fresh: bool = False) -> Access:
        if fresh or not self.made:
            self.made += 1
        return Access(self.url, token=f"token-{self.made}", plain_http=True)


def _refusing(*good: str) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        if seen.headers["authorization"].removeprefix("Bearer ") not in good:
            return status(401, "Unauthorized", "Unauthorized")
        return as_json(DISCOVERY[seen.path] if seen.path in DISCOVERY else pod_list(pod("a")))

    return answer


@pytest.mark.fault("R5")
async def test_an_expired_token_is_renewed_once_and_the_call_goes_on() -> None:
    async with WireServer(_refusing("token-2")) as server:
        source = CountingSource(server.url)
        api = KubeApi("fake", Connection(source))
        assert len((await api.list("pods", "shop")).items) == 1
        await api.aclose()
    assert source.made == 2


@pytest.mark.fault("R5")
async def test_a_second_refusal_is_unauthenticated_and_not_tried_further() -> None:
    async with WireServer(_refusing()) as server:
        source = CountingSource(server.url)
        api = KubeApi("fake", Connection(source))
        with pytest.raises(UnauthenticatedError):
            await api.list("pods", "shop")
        await api.aclose()
    assert source.made == 2
    assert len(server.seen) == 2


@pytest.mark.fault("R5")
async def test_a_change_refused_for_its_token_is_sent_again_with_a_new_one() -> None:
    def answer(seen: Seen) -> Reply:
        if seen.path in DISCOVERY:
            return as_json(DISCOVERY[seen.path])
        return as_json(CONFIG_MAP) if "token-2" in seen.headers["authorization"] else status(401)

    async with WireServer(answer) as server:
        api = KubeApi("fake", Connection(CountingSource(server.url)))
        assert await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT) == CONFIG_MAP
        await api.aclose()


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with WireServer(lambda _: Reply()) as server:
        url = server.url
    api = KubeApi("gone", Connection(CountingSource(url), timeout_s=3))
    with pytest.raises(UnreachableError):
        await api.version()
    await api.aclose()


def _watch_script(*rounds: list[dict[str, Any]] | Reply) -> Callable[[Seen], Reply | None]:
    """Lists give pods a (1) and b (1), then a (2) and c (3); each watch request plays the next round."""
    lists = iter(
        [pod_list(pod("a"), pod("b"), version="5"), pod_list(pod("a", version="2"), pod("c"), version="9")]
    )
    left = iter(rounds)

    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        if "watch" not in seen.query:
            return as_json(next(lists))
        now = next(left, [])
        if isinstance(now, Reply):
            return now
        return Reply(b"".join(orjson.dumps(event) + b"\n" for event in now))

    return answer


@pytest.mark.fault("R4")
async def test_a_watch_whose_position_is_forgotten_relists_and_tells_only_the_difference() -> None:
    gone = {
        "type": "ERROR",
        "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
    }
    async with fake_api(_watch_script([gone])) as (api, _):
        events = [event async for event in api.watch("pods", "shop", for_s=1.5)]
    seen = [(event.type, event.object["metadata"]["name"]) for event in events]
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("ADDED", "c"), ("DELETED", "b")]


@pytest.mark.fault("R4")
async def test_a_watch_that_breaks_goes_on_from_the_last_position() -> None:
    changed = {"type": "MODIFIED", "object": pod("a", version="7")}
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}}
    later = {"type": "DELETED", "object": pod("b", version="9")}
    async with fake_api(_watch_script([changed, bookmark], Reply(reset=True), [later])) as (api, server):
        seen = [event.type async for event in api.watch("pods", "shop", for_s=2.5)]
    watches = [one.query["resourceVersion"] for one in server.seen if "watch" in one.query]
    assert seen == ["ADDED", "ADDED", "MODIFIED", "DELETED"]
    assert watches[:3] == ["5", "8", "8"]


@pytest.mark.fault("R1")
async def test_a_watch_that_is_throttled_at_first_waits_and_goes_on() -> None:
    throttled = status(429, "TooManyRequests", "slow down", retry_after="0")
    changed = {"type": "MODIFIED", "object": pod("a", version="7")}
    async with fake_api(_watch_script(throttled, throttled, [changed])) as (api, _):
        events = api.watch("pods", "shop", for_s=5)
        assert [(await anext(events)).type for _ in range(3)] == ["ADDED", "ADDED", "MODIFIED"]
        await events.aclose()


async def test_a_watch_that_the_server_ends_at_once_again_and_again_is_an_error() -> None:
    async with fake_api(_watch_script()) as (api, server):
        with pytest.raises(ExpiredError):
            [event async for event in api.watch("pods", "shop", for_s=20)]
    assert len([one for one in server.seen if "watch" in one.query]) == 5
