"""Fault R5 at the Kubernetes API: the token ends at any step; renewed once, and the call goes on.

What a second refusal means for an action under way is in `test_kube_second_refusal`.
"""

from collections.abc import Callable

import anyio
import pytest

from aiops_shared.errors import UnauthenticatedError, UnreachableError
from aiops_shared.kube.api import KubeApi
from tests.faults.kube_scripts import CONFIG_MAP, MAPS, PERMIT, PODS, CountingSource, sent
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json, status
from tests.shared.kube.fake_api import DISCOVERY, fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R5")


class Expiring:
    """Takes one token for `lives` requests, then only the next one, and counts changes carried out."""

    def __init__(self, lives: int) -> None:
        self.left = lives
        self.good = 1
        self.effects: list[str] = []
        self.refused = 0

    def __call__(self, seen: Seen) -> Reply | None:
        if self.left == 0:
            self.good, self.left = self.good + 1, -1
        if seen.headers["authorization"] != f"Bearer token-{self.good}":
            self.refused += 1
            return status(401, "Unauthorized", "Unauthorized")
        self.left -= 1
        if seen.path in DISCOVERY:
            return as_json(DISCOVERY[seen.path])
        if seen.path.startswith(MAPS):
            self.effects.append(seen.path)
            return as_json(CONFIG_MAP)
        return as_json(pod_list(pod("a")))


async def a_run(api: KubeApi) -> None:
    """Eight requests and more: discovery, reads, a dry run, two changes."""
    await api.list("pods", "shop")
    await api.replace(CONFIG_MAP, dry_run=True)
    await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    await api.list("pods", "shop")
    await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)


@pytest.mark.parametrize("step", range(13))
async def test_a_token_that_ends_after_any_step_is_renewed_once_and_the_run_goes_on(step: int) -> None:
    server, sources = Expiring(step), list[CountingSource]()

    def source(url: str) -> CountingSource:
        sources.append(CountingSource(url))
        return sources[0]

    async with fake_api(server, source=source) as (api, wire):
        await a_run(api)
    requests = len(wire.seen) - server.refused
    assert len(server.effects) == 3
    # Discovery asks several groups at once: all of them are refused, and the token is renewed once.
    assert (server.refused > 0, sources[0].made) == ((True, 2) if step < requests else (False, 1))


async def test_many_requests_refused_at_once_renew_the_token_once() -> None:
    source: list[CountingSource] = []

    def made(url: str) -> CountingSource:
        source.append(CountingSource(url))
        return source[0]

    def answer(seen: Seen) -> Reply | None:
        if seen.path in DISCOVERY:
            return as_json(DISCOVERY[seen.path])
        fresh = seen.headers["authorization"] == "Bearer token-2"
        return as_json(pod_list(pod("a"))) if fresh else status(401, "Unauthorized", "Unauthorized")

    async with fake_api(answer, source=made) as (api, _):
        await api.kind("pods")
        async with anyio.create_task_group() as tasks:
            for _number in range(20):
                tasks.start_soon(api.list, "pods", "shop")
    assert source[0].made == 2


def refusing(*good: str) -> Callable[[Seen], Reply]:
    def answer(seen: Seen) -> Reply:
        if seen.headers["authorization"].removeprefix("Bearer ") not in good:
            return status(401, "Unauthorized", "Unauthorized")
        return as_json(DISCOVERY[seen.path] if seen.path in DISCOVERY else pod_list(pod("a")))

    return answer


async def test_a_second_refusal_is_unauthenticated_says_what_to_do_and_is_not_tried_further() -> None:
    async with fake_api(refusing(), source=CountingSource) as (api, server):
        with pytest.raises(
            UnauthenticatedError, match="renew them; on EKS the principal needs an access entry"
        ):
            await api.list("pods", "shop")
    assert len(server.seen) == 2


async def test_a_refusal_of_one_call_is_not_remembered_by_the_next() -> None:
    good: list[str] = []
    async with fake_api(lambda seen: refusing(*good)(seen), source=CountingSource) as (api, _):
        with pytest.raises(UnauthenticatedError):
            await api.list("pods", "shop")
        good.append("token-3")
        assert len((await api.list("pods", "shop")).items) == 1


async def test_a_change_refused_for_its_token_is_sent_again_with_a_new_one() -> None:
    server = Expiring(7)
    async with fake_api(server, source=CountingSource) as (api, wire):
        await api.kind("cm")
        server.left = 0
        assert await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT) == CONFIG_MAP
    assert [one.headers["authorization"][-1] for one in sent(wire, MAPS)] == ["1", "2"]


async def test_a_watch_whose_token_ends_goes_on_with_a_new_one() -> None:
    event = b'{"type":"ADDED","object":{"metadata":{"name":"b","uid":"u","resourceVersion":"11"}}}\n'

    def answer(seen: Seen) -> Reply | None:
        if "watch" in seen.query:
            return Reply(event) if seen.headers["authorization"][-1] == "2" else status(401, "Unauthorized")
        return as_json(pod_list(pod("a"))) if seen.path == PODS else None

    async with fake_api(answer, source=CountingSource) as (api, _):
        events = api.watch("pods", "shop", for_s=5)
        assert [(await anext(events)).object["metadata"]["name"] for _ in range(2)] == ["a", "b"]
        await events.aclose()


async def test_nobody_at_the_address_is_unreachable() -> None:
    async with WireServer(lambda _: Reply()) as gone:
        url = gone.url
    async with fake_api(lambda _: None, source=lambda _: CountingSource(url)) as (api, _):
        with pytest.raises(UnreachableError):
            await api.version()
