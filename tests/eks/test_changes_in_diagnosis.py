"""A finding names who deleted or wrote the object at fault, when the audit log or the journal is there."""

import pytest

from aiops_eks.clients.facts import FactsReader
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_eks.ports import ChangeJournal
from aiops_lab.scenarios.names import cast
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.changes.records import Change, Span, Told
from tests.eks.changing import Changed, changed
from tests.eks.lab_reading import LabTime
from tests.fakes.kube import FakeSensitive


async def diagnosed(world: Changed, journal: ChangeJournal | None = None) -> Diagnosis:
    reader = FactsReader(world.clusters, LabTime(world.lab.clock), FakeSensitive(), redact, journal)
    return answer(await reader.gather(Ask(namespace="production")))


def change_of(found: Diagnosis) -> str:
    return next((one.says for one in found.findings[0].evidence if one.source == "change"), "")


def queries(world: Changed) -> int:
    return sum(one.operation == "StartQuery" for one in world.lab.aws_requests())


@pytest.mark.parametrize("seed", range(5))
async def test_the_missing_config_map_says_who_deleted_it_when_and_with_what(seed: int) -> None:
    names = cast(seed)
    async with changed("pod-crashloop", seed) as world:
        found = await diagnosed(world)
        assert found.findings[0].code == "CONFIGMAP_MISSING"
        said = change_of(found)
        told = world.lab.world.changes[0]
        assert f"ConfigMap production/{names.config} was deleted" in said
        assert f"({told.at:%H:%M:%S} UTC)" in said
        assert f'by "{names.cleaner}" with "kubectl/' in said
        assert "audit log /aws/eks/my-cluster/cluster" in said
        assert queries(world) == 1


async def test_without_any_record_the_diagnosis_is_what_it_was() -> None:
    async with changed("pod-crashloop") as world:
        world.lab.fail_aws("logs", "*", code="AccessDeniedException")
        found = await diagnosed(world)
        assert (found.findings[0].code, change_of(found)) == ("CONFIGMAP_MISSING", "")
        assert not any("audit" in gap for gap in found.coverage_gaps)


async def test_a_healthy_namespace_asks_no_audit_log() -> None:
    async with changed("healthy") as world:
        assert (await diagnosed(world)).findings == ()
        assert queries(world) == 0


async def test_a_policy_that_blocks_says_who_wrote_it_and_when() -> None:
    async with changed("network-policy-blocks-positive") as world:
        found = await diagnosed(world)
        assert found.findings[0].code == "NETWORK_POLICY_BLOCKS"
        said = change_of(found)
        assert f"NetworkPolicy production/{found.findings[0].name} was created" in said
        assert 'by "platform-team"' in said
        assert queries(world) == 1


class KeptJournal:
    """A journal with one deletion."""

    def __init__(self, change: Change) -> None:
        self.change = change

    async def changes(self, cluster: str, span: Span) -> Told:
        return Told("journal", (self.change,) if span.covers(self.change) else ())


async def test_the_journal_tells_the_last_values_and_the_audit_log_the_user() -> None:
    async with changed("pod-crashloop") as world:
        told = world.lab.world.changes[0]
        gone = Change(
            told.at, "delete", "ConfigMap", "api-config", "production", ("was data.LOG_LEVEL=info",)
        )
        said = change_of(await diagnosed(world, KeptJournal(gone)))
        assert "was data.LOG_LEVEL=info" in said
        assert 'by "ci-cleanup"' in said
        assert said.endswith("watch journal, audit log /aws/eks/my-cluster/cluster")
