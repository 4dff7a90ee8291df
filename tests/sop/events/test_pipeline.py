"""From an event to a run or to people: the order, the decision, how far it goes, what is learned."""

from pathlib import Path
from typing import Any

import pytest

from aiops_shared.errors import RepeatLimitError, UnreachableError
from aiops_shared.settings import PolicySettings, Settings
from aiops_sop.clients.intake import Work
from aiops_sop.clients.knowledge import KnowledgeFiles, entries_of
from aiops_sop.clients.outcomes import Outcomes, Word
from aiops_sop.clients.pipeline import Pipeline, PipelineParts
from aiops_sop.models.incidents import Incident
from tests.fakes.event_parts import FakeEvidence, FakeLibrary, FakePeers, FakeRuns, FakeTeller, ended, sop
from tests.sop.events.samples import Named, seed_shape
from tests.sop.events.test_intake import Desk

CRASH = "event.kind == 'PodState' && event.reason == 'CrashLoopBackOff'"
OOM = sop("oom-raise-limits", "event.reason == 'OOMKilled'", "OOM_LIMIT_TOO_LOW")
LOOP = sop("pod-crashloop", CRASH, "APP_ERROR", "CONFIGMAP_MISSING")
NET = sop("subnet-ip-exhaustion", "event.reason == 'Nothing'", "SUBNET_IP_EXHAUSTION", params={})


class House:
    """A desk with a pipeline behind it."""

    def __init__(self, folder: Path, knowledge: str = "", **autonomy: str) -> None:
        self.desk = Desk(folder)
        self.runs, self.evidence, self.teller = FakeRuns(), FakeEvidence(), FakeTeller()
        self.library = FakeLibrary(OOM, LOOP, NET)
        self.outcomes = Outcomes(self.desk.store, self.desk.clock, self.library)
        (folder / "known").mkdir(exist_ok=True)
        (folder / "known" / "team.yaml").write_text(knowledge or "{}\n" * 0)
        settings = Settings.model_validate({"sop": {"knowledge_dirs": [str(folder / "known")]}})
        self.lore = KnowledgeFiles(settings)
        parts = PipelineParts(
            queue=self.desk.queue,
            incidents=self.desk.incidents,
            library=self.library,
            lore=self.lore,
            experience=self.outcomes,
            evidence=self.evidence,
            peers=FakePeers(production="prod", staging="staging", shop="dev"),
            runs=self.runs,
            teller=self.teller,
            clock=self.desk.clock,
            policy=PolicySettings.model_validate({f"autonomy_{env}": how for env, how in autonomy.items()}),
        )
        self.pipeline = Pipeline(parts)

    async def happens(self, sent: Any) -> Incident:
        """Send it, work it off, give the incident."""
        taken = await self.desk.send(sent)
        await self.work()
        return await self.desk.incidents.get(taken.incident_id)

    async def work(self) -> Work | None:
        work = await self.desk.queue.take()
        if work is not None:
            await self.pipeline.work(work)
        return work


def phases(one: Incident) -> list[str]:
    return [each.phase for each in one.pipeline]


@pytest.mark.row("S25")
async def test_the_phases_come_in_their_order_and_the_run_ends_in_a_record(tmp_path: Path) -> None:
    house, who = House(tmp_path, staging="auto-safe"), Named(1)
    house.evidence.root = {
        "code": "OOM_LIMIT_TOO_LOW",
        "confidence": 0.93,
        "kind": "Deployment",
        "namespace": who.namespace,
        "name": "payment-worker",
    }
    one = await house.happens(seed_shape(who))
    begun = ["dedupe", "incident", "similar", "evidence", "decision", "policy", "run"]
    assert phases(one) == begun
    (wish,) = house.runs.wishes
    # The cause decides, not the symptom: a crash loop that is an OOM raises limits.
    assert (wish.sop, wish.mode, wish.confidence_pct) == ("oom-raise-limits", "auto", 93)
    assert wish.params == {"namespace": "staging", "name": "payment-worker"}
    assert (wish.pattern, wish.caller.kind, wish.caller.name) == ("event", "agent", "alarms")
    assert (one.cause, one.run_id, one.state) == ("OOM_LIMIT_TOO_LOW", "run_" + "0" * 20, "open")
    run = ended(house.runs.runs[one.id], "succeeded")
    for _ in range(2):  # safe to be told twice
        await house.outcomes.ended(run)
    one = await house.desk.incidents.get(one.id)
    assert phases(one) == [*begun, "verification", "audit", "record"]
    assert (one.state, one.effective, one.resolved_at) == ("resolved", True, house.desk.clock.world)
    assert (await house.outcomes.statistics())["oom-raise-limits"].helped == 1
    assert house.teller.said == []


@pytest.mark.row("S34")
@pytest.mark.parametrize(
    ("autonomy", "mode", "told"),
    [("observe", "plan", 1), ("propose", "supervised", 0), ("auto-safe", "auto", 0)],
)
async def test_the_environments_autonomy_says_how_far_the_run_may_go(
    tmp_path: Path, autonomy: str, mode: str, told: int
) -> None:
    house, who = House(tmp_path, staging=autonomy), Named(1)
    house.evidence.root = {"code": "APP_ERROR", "confidence": 0.9}
    await house.happens(seed_shape(who))
    assert [wish.mode for wish in house.runs.wishes] == [mode]
    assert len(house.teller.said) == told


@pytest.mark.row("B4")
async def test_a_cause_that_is_not_sure_asks_a_person_and_none_at_all_is_escalated(tmp_path: Path) -> None:
    house, who = House(tmp_path, staging="auto-safe"), Named(1)
    house.evidence.root = {"code": "APP_ERROR", "confidence": 0.7}
    one = await house.happens(seed_shape(who))
    assert [wish.mode for wish in house.runs.wishes] == ["supervised"]
    (notice,) = house.teller.said
    assert "below 80 %" in notice["text"]
    assert notice["id"] == f"{one.id}/escalation"
    house.evidence.root = {"code": "DNS_DOWN", "confidence": 0.95}
    one = await house.happens(seed_shape(who, "Evicted"))
    assert (one.state, one.run_id) == ("escalated", "")
    assert "no SOP answers DNS_DOWN" in house.teller.said[1]["text"]
    assert phases(one)[-1] == "escalation"


async def test_without_evidence_the_symptom_decides_and_a_person_is_asked(tmp_path: Path) -> None:
    house = House(tmp_path, staging="auto-safe")
    house.evidence.fails = UnreachableError("eks server", "it does not start")
    one = await house.happens(seed_shape(Named(1)))
    assert [(wish.sop, wish.mode) for wish in house.runs.wishes] == [("pod-crashloop", "supervised")]
    assert "unreachable" in one.handoff["partial"][0]


async def test_a_run_that_is_refused_or_lacks_a_parameter_is_escalated(tmp_path: Path) -> None:
    house = House(tmp_path, staging="auto-safe")
    house.runs.refuses = RepeatLimitError("run of pod-crashloop", "2 an hour")
    one = await house.happens(seed_shape(Named(1)))
    assert one.state == "escalated"
    assert "repeat_limit" in house.teller.said[0]["text"]
    house.runs.refuses = None
    one = await house.happens({"kind": "PodState", "reason": "CrashLoopBackOff", "cluster": "c"})
    assert house.runs.wishes == []
    assert "needs namespace" in house.teller.said[1]["text"]
    house.teller.deaf = True
    one = await house.happens(seed_shape(Named(1), "Evicted"))
    assert (one.state, one.pipeline[-1].says) == ("escalated", "nobody could be told: upstream_error")


@pytest.mark.fault("R7")
async def test_a_process_that_takes_over_goes_on_behind_the_last_phase(tmp_path: Path) -> None:
    house = House(tmp_path, staging="auto-safe")
    house.evidence.root = {"code": "APP_ERROR", "confidence": 0.9}
    taken = await house.desk.send(seed_shape(Named(1)))
    work = await house.desk.queue.take()
    assert work is not None
    await house.pipeline.work(work)
    # As a kill right after the run was started leaves it: the event still taken, the phase not written.
    one = await house.desk.incidents.get(taken.incident_id)
    await house.desk.incidents.change(one.id, lambda _: {"pipeline": one.pipeline[:-1], "run_id": ""})
    await house.pipeline.work(work)
    assert len(house.evidence.asked) == 1
    assert len(house.runs.runs) == 1
    assert {wish.idempotency_key for wish in house.runs.wishes} == {one.id}
    assert phases(await house.desk.incidents.get(one.id))[-1] == "run"


@pytest.mark.row("S58")
async def test_the_second_time_cites_the_first_and_a_failure_lowers_its_sop(tmp_path: Path) -> None:
    house = House(tmp_path, staging="auto-safe")
    house.library.sops["loop-b"] = sop("loop-b", CRASH, "APP_ERROR")
    house.evidence.root = {"code": "APP_ERROR", "confidence": 0.9}
    first = await house.happens(seed_shape(Named(1)))
    assert first.sop == "loop-b"
    await house.outcomes.ended(ended(house.runs.runs[first.id], "succeeded"))
    house.desk.clock.world = house.desk.clock.world.replace(day=29)
    second = await house.happens(seed_shape(Named(1)))
    assert second.id != first.id
    assert second.decision["similar"][0].startswith(f"{first.id} APP_ERROR: loop-b succeeded")
    (past, *_) = await house.desk.incidents.similar(fingerprint=first.fingerprint, without=second.id)
    assert (past.incident_id, past.effective, past.score) == (first.id, True, 1.0)
    # A person's word counts over the verification: it did not help.
    await house.outcomes.ended(ended(house.runs.runs[second.id], "succeeded"))
    for one in (first, second):
        word = Word(one.id, "APP_ERROR", False, "the image itself is broken", "bea")
        answer = await house.outcomes.record(word)
    assert answer.statistics is not None
    assert answer.statistics.rows == ((1, 2, 0, 0.3288),)
    assert "-causes: [APP_ERROR]" in answer.change  # of a SOP that names the cause and does not mend it
    house.desk.clock.world = house.desk.clock.world.replace(month=12, day=1)
    third = await house.happens(seed_shape(Named(1)))
    assert third.sop == "pod-crashloop"


KNOWN = (
    """
- id: x
"""
    and """
id: payment-oom
pattern: month's end
causes: [OOM_LIMIT_TOO_LOW]
where: {workload: "payment-*", namespace: staging}
remediation: ask payments
sop: oom-raise-limits
safe_to_auto_remediate: false
escalation: [payments-oncall]
"""
)


@pytest.mark.row("B24")
async def test_what_the_team_wrote_down_makes_it_stricter(tmp_path: Path) -> None:
    house = House(tmp_path, KNOWN, staging="auto-safe")
    root = {"code": "OOM_LIMIT_TOO_LOW", "confidence": 0.95, "kind": "Deployment", "namespace": "staging"}
    house.evidence.root = {**root, "name": "payment-worker"}
    one = await house.happens(seed_shape(Named(1), "OOMKilled"))
    assert [wish.mode for wish in house.runs.wishes] == ["supervised"]
    assert "payment-oom says that a person decides" in one.pipeline[4].says
    house.evidence.root = {**root, "name": "orders"}
    other = {**seed_shape(Named(1), "OOMKilled")["detail"], "pod": "orders-6c9d7f5b8-x2k4q"}
    await house.happens({**seed_shape(Named(1)), "detail": other})
    assert house.runs.wishes[-1].mode == "auto"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id: X y", "no id"),
        ("id: a\npattern: p\nrun: rm", "unknown key run"),
        ("id: a\npattern: p\ncauses: [nope]", "no finding code"),
        ("id: a\npattern: p\nwhere: {pod: x}", "where.pod"),
        ("id: a", "pattern"),
        ("id: a\npattern: p\n---\nid: a\npattern: q", "twice"),
    ],
)
def test_a_knowledge_file_that_breaks_the_form_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(Exception, match=says):
        entries_of(text, "team.yaml")


def test_shipped_knowledge_reads() -> None:
    files = KnowledgeFiles(Settings())
    assert files.every()
    assert files.problems() == {}
