"""Fault R1 at the Kubernetes API: 429 with Retry-After, for a share of the requests or for all of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from aiops_shared.errors import AiopsError, ThrottledError
from aiops_shared.kube.connection import TRIES
from tests.faults.kube_scripts import CONFIG_MAP, MAPS, PERMIT, PODS, RecordedPace, script, sent
from tests.shared.http.wire_server import Reply, Seen, as_json, status
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R1")
ONE_POD = as_json(pod_list(pod("a")))


def throttled(seconds: str = "7", message: str = "slow down") -> Reply:
    return status(429, "TooManyRequests", message, retry_after=seconds)


@pytest.mark.parametrize(("at", "waited"), [(-1.0, 5.6), (0.0, 7.0), (1.0, 8.4)])
async def test_a_throttled_read_waits_as_long_as_asked_within_a_fifth_and_succeeds(
    at: float, waited: float
) -> None:
    pace = RecordedPace(at)
    async with fake_api(script(PODS, throttled(), ONE_POD), timeout_s=60, pace=pace) as (api, server):
        page = await api.list("pods", "shop")
    assert [one["metadata"]["name"] for one in page.items] == ["a"]
    assert pace.waits == pytest.approx([waited])
    assert len(sent(server, PODS)) == 2


async def test_without_a_time_each_wait_is_twice_the_last() -> None:
    pace = RecordedPace()
    async with fake_api(script(PODS, status(429, "TooManyRequests", "busy")), pace=pace) as (api, _):
        with pytest.raises(ThrottledError, match="wait a minute, then again"):
            await api.list("pods", "shop")
    assert pace.waits == pytest.approx([0.2, 0.4, 0.8, 1.6])


async def test_a_read_throttled_forever_ends_after_five_tries_and_says_when_to_come_again() -> None:
    pace = RecordedPace()
    async with fake_api(script(PODS, throttled("7")), timeout_s=60, pace=pace) as (api, server):
        with pytest.raises(ThrottledError, match=r"slow down; given up after 5 tries; try again in 7 s"):
            await api.list("pods", "shop")
    assert len(sent(server, PODS)) == TRIES == 5


async def test_a_wait_beyond_the_deadline_fails_at_once_and_says_when_to_come_again() -> None:
    pace = RecordedPace()
    async with fake_api(script(PODS, throttled("3600")), timeout_s=60, pace=pace) as (api, server):
        with pytest.raises(ThrottledError, match="try again in 3600 s"):
            await api.list("pods", "shop")
    assert (len(sent(server, PODS)), pace.waits) == (1, [])


@pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1e9", "999999999", "٣", ""])
async def test_a_retry_after_that_is_no_number_of_seconds_counts_as_none(header: str) -> None:
    pace = RecordedPace()
    refused = Reply(b"{}", 429, {"retry-after": header.encode().decode("latin-1")})
    async with fake_api(script(PODS, refused, ONE_POD), pace=pace) as (api, _):
        assert len((await api.list("pods", "shop")).items) == 1
    assert pace.waits == pytest.approx([0.2])


async def test_a_change_throttled_before_it_was_processed_is_sent_again() -> None:
    async with fake_api(script(MAPS, throttled("0"), as_json(CONFIG_MAP))) as (api, server):
        assert await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT) == CONFIG_MAP
    assert len(sent(server, MAPS)) == 2


class Counting:
    """A server that turns a share of the changes away and counts those that it carries out."""

    def __init__(self, percent: int, throttles: Callable[[], bool] = lambda: True) -> None:
        self._percent, self._throttles = percent, throttles
        self._chance = Random(11)
        self.carried_out: list[str] = []
        self.tries: dict[str, int] = {}

    def __call__(self, seen: Seen) -> Reply | None:
        if not seen.path.startswith(MAPS):
            return None
        name = seen.path.rsplit("/", 1)[-1]
        self.tries[name] = self.tries.get(name, 0) + 1
        if self._throttles() and self._chance.randrange(100) < self._percent:
            return throttled("1")
        self.carried_out.append(name)
        return as_json({**CONFIG_MAP, "metadata": {"name": name, "namespace": "shop"}})


@pytest.mark.parametrize("percent", [10, 50, 100])
async def test_of_changes_throttled_in_part_each_happens_once_or_is_refused(percent: int) -> None:
    server = Counting(percent)
    done: list[str] = []
    refused: list[AiopsError] = []
    async with fake_api(server, timeout_s=60, pace=RecordedPace()) as (api, _):
        for number in range(60):
            body = {**CONFIG_MAP, "metadata": {"name": f"m{number}", "namespace": "shop"}}
            try:
                done.append((await api.replace(body, dry_run=False, permit=PERMIT))["metadata"]["name"])
            except ThrottledError as error:
                refused.append(error)
    assert server.carried_out == done  # I1: as many effects as successes, each once
    assert max(server.tries.values()) <= TRIES
    assert len(done) + len(refused) == 60
    assert all("try again in 1 s" in str(error) for error in refused)
    assert (len(refused) == 0, len(done) == 0) == (percent == 10, percent == 100)


@dataclass
class PassingPace(RecordedPace):
    """Waits pass at once, and so much of the minute with them."""

    now_s: float = 0.0
    chance: Random = field(default_factory=lambda: Random(7))

    def jitter(self) -> float:
        return self.chance.uniform(-1, 1)

    async def wait(self, seconds: float) -> None:
        self.now_s += seconds
        await super().wait(seconds)


@pytest.mark.parametrize("percent", [10, 50, 100])
async def test_through_a_minute_of_throttling_each_change_happens_once_and_waits_are_those_asked_for(
    percent: int,
) -> None:
    pace = PassingPace()
    server = Counting(percent, lambda: pace.now_s < 60)
    done: list[str] = []
    refused: dict[str, float] = {}
    async with fake_api(server, timeout_s=60, pace=pace) as (api, _):
        for number in range(150):
            pace.now_s += 0.5  # two changes a second
            body = {**CONFIG_MAP, "metadata": {"name": f"m{number}", "namespace": "shop"}}
            try:
                done.append((await api.replace(body, dry_run=False, permit=PERMIT))["metadata"]["name"])
            except ThrottledError:
                refused[f"m{number}"] = pace.now_s
    assert server.carried_out == done  # I1
    assert len(done) + len(refused) == 150
    assert max(server.tries.values()) <= TRIES
    assert pace.waits
    assert all(0.8 <= waited <= 1.2 for waited in pace.waits)  # Retry-After 1, a fifth either way
    assert bool(refused) == (percent > 10)  # half of all, five times in a row, is met now and then
    assert all(at < 65 for at in refused.values())  # once it is over, nothing is refused any more


BUDGET: dict[str, Any] = {
    "kind": "Status",
    "code": 429,
    "reason": "TooManyRequests",
    "message": "Cannot evict pod as it would violate the pod's disruption budget.",
    "details": {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
            }
        ]
    },
}


async def evicted(answer: Callable[[Seen], Reply | None]) -> tuple[int, RecordedPace, str]:
    """How often an eviction was sent, what was waited, and what was said."""
    pace = RecordedPace()
    async with fake_api(answer, timeout_s=60, pace=pace) as (api, server):
        try:
            await api.evict("shop", "a", uid="u", dry_run=False, permit=PERMIT)
            said = "done"
        except ThrottledError as error:
            said = str(error)
    return len(sent(server, PODS)), pace, said


@pytest.mark.fault("R13")
async def test_a_disruption_budget_that_forbids_an_eviction_is_an_answer_and_not_waited_for() -> None:
    sent_n, pace, said = await evicted(script(PODS, as_json(BUDGET, 429, retry_after="10")))
    assert (sent_n, pace.waits) == (1, [])
    assert "disruption budget web needs 2 healthy pods" in said


@pytest.mark.fault("R13")
async def test_an_eviction_that_meets_a_busy_server_waits_as_any_other_change() -> None:
    busy = Reply(b"Too many requests, please try again later.", 429, {"retry-after": "1"}, "text/plain")
    done = as_json({"kind": "Status", "status": "Success", "code": 201}, 201)
    sent_n, pace, said = await evicted(script(PODS, busy, done))
    assert (sent_n, pace.waits, said) == (2, [1.0], "done")


async def test_a_watch_that_is_throttled_at_first_waits_and_goes_on() -> None:
    event = b'{"type":"ADDED","object":{"metadata":{"name":"b","uid":"u","resourceVersion":"11"}}}\n'

    def answer(seen: Seen) -> Reply | None:
        if seen.path != PODS:
            return None
        if "watch" not in seen.query:
            return ONE_POD
        watches.append(seen.target)
        return throttled("0") if len(watches) < 3 else Reply(event)

    watches: list[str] = []
    async with fake_api(answer) as (api, _):
        events = api.watch("pods", "shop", for_s=5)
        assert [(await anext(events)).object["metadata"]["name"] for _ in range(2)] == ["a", "b"]
        await events.aclose()
    assert len(watches) == 3
