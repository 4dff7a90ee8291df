"""The investigator over servers that answer, refuse, hang or are not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from aiops_shared.app.pictures import collecting
from aiops_shared.auth.behalf import Behalf
from aiops_shared.errors import InvalidInputError, ThrottledError, UnreachableError
from aiops_shared.guardrails import Caller
from aiops_sop.clients import investigating
from aiops_sop.clients.investigating import Investigator
from aiops_sop.models.events import Event
from aiops_sop.models.incidents import Past
from aiops_sop.models.investigations import Question
from tests.fakes.clocks import T0, FakeClock
from tests.fakes.peers import FakePeers, Reply
from tests.sop.investigations.facts_given import NOW, SERVICE, SPACE, changes, finding

EVERY: Mapping[str, Reply] = {
    "eks.diagnose": finding("APP_ERROR", sop="pod-crashloop", next_step="1. read its log; 2. roll back"),
    **{f"eks.{tool}": {"summary": ""} for tool in ("list_changes", "list_events", "describe_cluster")},
    **{
        f"observability.{tool}": {"summary": ""}
        for tool in (
            *("list_alarms", "analyze_traces", "get_service_health", "query_metrics", "detect_anomalies"),
            "analyze_logs",
        )
    },
}
ASKED = Question(symptom="errors", service=SERVICE, namespace=SPACE)
CALLER = Caller(name="anna", kind="human")


@dataclass
class Meeting(FakePeers):
    """Answers only when so many calls wait at the same time."""

    wanted: int = 4
    waiting: int = 0
    met: anyio.Event = field(default_factory=anyio.Event)

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> dict[str, Any]:
        self.waiting += 1
        if self.waiting >= self.wanted:
            self.met.set()
        with anyio.fail_after(5):
            await self.met.wait()
        return await super().call(server, tool, arguments, behalf)


@dataclass
class Hanging(FakePeers):
    """One tool never answers."""

    silent: str = ""

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> dict[str, Any]:
        if f"{server}.{tool}" == self.silent:
            await anyio.sleep_forever()
        return await super().call(server, tool, arguments, behalf)


@dataclass
class Remembering:
    """Fulfils `ports.PastIncidents`."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    fails: bool = False

    async def similar(self, **asked: Any) -> list[Past]:
        self.asked.append(asked)
        if self.fails:
            raise UnreachableError("store", "gone")
        return [
            Past(incident_id="inc_1", title="as now", cause="APP_ERROR", state="resolved", detected_at=T0)
        ]

    async def get(self, incident_id: str) -> Any:
        raise NotImplementedError(incident_id)


def over(peers: FakePeers, past: Remembering | None = None) -> Investigator:
    return Investigator(peers, FakeClock(), lambda: past)


@pytest.mark.row("S6")
async def test_one_question_asks_many_sources_at_the_same_time() -> None:
    peers = Meeting(EVERY, wanted=12)
    found = await over(peers).investigate(ASKED)
    assert found.root_cause.code == "APP_ERROR"
    assert len({name for name, _ in peers.asked}) >= 8
    assert {name.partition(".")[0] for name, _ in peers.asked} == {"eks", "observability"}


@pytest.mark.fault("R21")
@pytest.mark.parametrize("gone", sorted(EVERY))
async def test_any_source_may_fail_and_is_named(gone: str) -> None:
    replies = {**EVERY, gone: ThrottledError("upstream", "slow down", "wait")}
    found = await over(FakePeers(replies)).investigate(ASKED)
    server, _, tool = gone.partition(".")
    assert (server, tool, "throttled") in found.sources.rows
    assert any(one.startswith("partial: ") and "throttled" in one for one in found.warnings)
    assert found.root_cause.code == ("APP_ERROR" if gone != "eks.diagnose" else "")


@pytest.mark.fault("R3")
async def test_a_source_that_never_answers_costs_its_facts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(investigating, "ROUND_S", 0.05)
    found = await over(Hanging(EVERY, silent="observability.analyze_logs")).investigate(ASKED)
    assert found.root_cause.code == "APP_ERROR"
    assert any("timeout" in one for one in found.warnings)


async def test_all_servers_down_is_said_and_no_cause_is_made_up() -> None:
    nobody = FakePeers({name: UnreachableError(name, "down") for name in EVERY})
    found = await over(nobody).investigate(ASKED)
    assert found.root_cause.code == ""
    assert all(row[2] == "unreachable" for row in found.sources.rows)
    with pytest.raises(UnreachableError):
        await over(nobody).gather(Event(kind="Raw", reason="Odd", message="errors"), CALLER)


async def test_what_is_not_there_is_no_outage() -> None:
    from aiops_shared.errors import NotFoundError

    found = await over(
        FakePeers({**EVERY, "observability.analyze_logs": NotFoundError("group", "none")})
    ).investigate(ASKED)
    assert ("observability", "analyze_logs", "nothing known") in found.sources.rows
    assert not [one for one in found.warnings if one.startswith("partial")]


@pytest.mark.parametrize(
    "asked",
    [
        Question(),
        Question(symptom="504", window="yesterday"),
        Question(symptom="504", window="-1h/-3h"),
    ],
)
async def test_a_question_that_asks_nothing_or_no_time_is_refused_before_any_call(asked: Question) -> None:
    peers = FakePeers(EVERY)
    with pytest.raises(InvalidInputError):
        await over(peers).investigate(asked)
    assert not peers.asked


@pytest.mark.row("B30")
async def test_an_event_is_a_question_and_its_answer_a_hand_off_record() -> None:
    peers = FakePeers(EVERY)
    event = Event(
        kind="PodState",
        reason="CrashLoopBackOff",
        namespace=SPACE,
        object_kind="Pod",
        name=f"{SERVICE}-1",
        workload=SERVICE,
        cluster="blue",
    )
    record = await over(peers).gather(event, CALLER)
    assert record["root_cause"]["code"] == "APP_ERROR"
    assert record["root_cause"]["cluster"] == "blue"
    assert record["sop"] == "pod-crashloop"
    assert {"incident_id", "severity", "evidence", "proposed_action", "risk_level"} <= set(record)
    assert record["requires_human_approval"] in {True, False}
    assert all(arguments.get("cluster") == "blue" for _, arguments in peers.asked)
    about = {"kind": "Pod", "name": f"{SERVICE}-7d9f8b6c5d-x2k4q"}
    sent = {"detail": {"cluster": "blue", "namespace": SPACE, "reason": "BackOff", "involvedObject": about}}
    by_wire = await over(FakePeers(EVERY)).investigate(
        Question(event={"source": "eks-aiops", "detail-type": "Kubernetes Event", **sent})
    )
    assert by_wire.root_cause.code == "APP_ERROR"


@pytest.mark.row("S58")
async def test_earlier_incidents_of_the_same_cause_are_cited_and_cost_nothing_when_the_store_is_gone() -> (
    None
):
    past = Remembering()
    found = await over(FakePeers(EVERY), past).investigate(ASKED)
    assert found.similar[0].incident_id == "inc_1"
    assert past.asked[0]["cause"] == "APP_ERROR"
    assert past.asked[0]["fingerprint"] == found.fingerprint
    gone = await over(FakePeers(EVERY), Remembering(fails=True)).investigate(ASKED)
    assert gone.similar == ()
    assert gone.root_cause == found.root_cause


async def test_several_clusters_are_asked_in_one_call_each() -> None:
    peers = FakePeers(EVERY)
    await over(peers).investigate(Question(symptom="pods cannot start", cluster=("a", "b*")))
    assert [name for name, _ in peers.asked] == ["eks.diagnose", "eks.list_changes", "eks.list_events"]
    assert all(arguments["cluster"] == ["a", "b*"] for _, arguments in peers.asked)


async def test_a_picture_of_the_timeline_comes_with_the_answer_when_asked_for() -> None:
    with collecting() as pictures:
        await over(FakePeers(EVERY)).investigate(ASKED)
        assert not pictures
        told = {**EVERY, "eks.list_changes": changes((30, "rollout", f"Deployment {SPACE}/{SERVICE}", ""))}
        peers = FakePeers(told)
        found = await Investigator(peers, FakeClock(NOW)).investigate(
            ASKED.model_copy(update={"chart": True})
        )
    assert found.timeline.rows
    assert [one.mime_type for one in pictures] == ["image/png"]
