"""Fault R3 at the Kubernetes API: a byte at a time, a stall, and a deadline that frees what waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from aiops_lab.kube.faults import Fault
from aiops_shared.errors import UnreachableError, UpstreamError, UpstreamTimeoutError
from aiops_shared.http.breaker import FAILURES
from aiops_shared.http.client import MAX_CONNECTIONS
from aiops_shared.kube.api import KubeApi
from aiops_shared.settings import KubeSettings
from tests.e2e.stage import whole
from tests.faults.kube_scripts import CONFIG_MAP, MAPS, PERMIT, PODS, script, sent
from tests.shared.http.wire_server import Reply, Seen, as_json
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R3")


async def dripping() -> AsyncIterator[bytes]:
    """A byte at a time, for much longer than any deadline here."""
    yield b'{"kind":"PodList","items":['
    while True:
        yield b" "
        await anyio.sleep(0.05)


async def stalled() -> AsyncIterator[bytes]:
    """Headers, then nothing."""
    await anyio.sleep_forever()
    yield b"{}"


SLOW = {"a byte at a time": Reply(pieces=dripping), "a stall": Reply(pieces=stalled)}


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
async def test_a_slow_body_ends_at_the_deadline_and_says_so(reply: Reply) -> None:
    async with fake_api(script(PODS, reply), timeout_s=0.5) as (api, _):
        await api.kind("pods")
        with pytest.raises(UpstreamTimeoutError, match=r"no (complete )?answer (with)?in .*ask for less"):
            await api.list("pods", "shop")


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
async def test_a_slow_change_ends_at_the_deadline_with_its_outcome_unknown(reply: Reply) -> None:
    async with fake_api(script(MAPS, reply), timeout_s=0.5) as (api, server):
        await api.kind("cm")
        with pytest.raises(UpstreamTimeoutError, match="unknown"):
            await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    assert len(sent(server, MAPS)) == 1


async def test_discovery_that_stalls_ends_at_the_deadline() -> None:
    async with fake_api(script("/api", Reply(pieces=stalled)), timeout_s=0.5) as (api, _):
        with pytest.raises(UpstreamTimeoutError):
            await api.list("pods", "shop")


def only_shop(seen: Seen) -> Reply | None:
    """Pods of shop answer; nodes never do."""
    if seen.path == "/api/v1/nodes":
        return Reply(pieces=stalled)
    return as_json(pod_list(pod("a"))) if seen.path == PODS else None


async def timed_out(api: KubeApi) -> None:
    with pytest.raises(UpstreamTimeoutError):
        await api.list("nodes")


async def test_other_reads_go_on_while_one_stalls() -> None:
    async with fake_api(only_shop, timeout_s=2) as (api, _):
        await api.kind("pods")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(timed_out, api)
            await anyio.wait_all_tasks_blocked()
            assert len((await api.list("pods", "shop")).items) == 1


async def test_stalled_calls_give_their_connections_back() -> None:
    async with fake_api(only_shop, timeout_s=3) as (api, _):
        await api.kind("pods")
        async with anyio.create_task_group() as tasks:
            for _number in range(2 * MAX_CONNECTIONS):
                tasks.start_soon(timed_out, api)
        assert len((await api.list("pods", "shop")).items) == 1


@pytest.mark.row("B29")
async def test_a_server_that_drops_five_calls_is_not_asked_a_sixth_time() -> None:
    async with fake_api(script(MAPS, Reply(reset=True)), timeout_s=5) as (api, server):
        await api.kind("cm")
        for _number in range(FAILURES):
            with pytest.raises(UpstreamError, match="unknown"):
                await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
        asked = len(server.seen)
        with pytest.raises(UnreachableError, match="calls in a row got no answer"):
            await api.list("pods", "shop")
        assert len(server.seen) == asked


@pytest.mark.row("B29")
async def test_a_list_that_is_too_slow_five_times_keeps_nobody_from_the_rest() -> None:
    async with fake_api(script(PODS, Reply(pieces=stalled)), timeout_s=0.2) as (api, _):
        await api.kind("pods")
        for _number in range(FAILURES + 1):
            with pytest.raises(UpstreamTimeoutError):
                await api.list("pods", "shop")


async def test_a_call_that_is_cancelled_gives_its_connection_back() -> None:
    async with fake_api(only_shop, timeout_s=20) as (api, _):
        await api.kind("pods")
        for _number in range(MAX_CONNECTIONS + 1):
            with anyio.move_on_after(0.02):
                await api.list("nodes")
        assert len((await api.list("pods", "shop")).items) == 1


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
async def test_a_watch_that_stalls_or_drips_ends_when_its_time_is_up(reply: Reply) -> None:
    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        return reply if "watch" in seen.query else as_json(pod_list(pod("a")))

    async with fake_api(answer) as (api, _):
        with anyio.fail_after(20):
            assert [event.type async for event in api.watch("pods", "shop", for_s=0.5)] == ["ADDED"]


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_tool_whose_api_stalls_says_timeout_and_the_next_call_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kube = KubeSettings(timeout_s=1)
    async with whole("oom-raise-limits", 0, monkeypatch, tmp_path, kube=kube) as stage:
        await stage.got("list_resources", kind="Pod", namespace="production")
        stage.lab.set_faults([Fault("stall", times=None, stall_s=3, path_contains="/pods")])
        answer = await stage.ask("list_resources", kind="Pod", namespace="production")
        assert answer.code == "timeout", answer.text
        assert "ask for less" in answer.text
        assert (await stage.got("list_resources", kind="Node"))["total"] > 0
        stage.lab.set_faults([])
        assert (await stage.got("list_resources", kind="Pod", namespace="production"))["total"] > 0
