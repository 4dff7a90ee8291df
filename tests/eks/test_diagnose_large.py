"""A large cluster is diagnosed from rows: the same findings as from whole objects, every unwell pod named."""

from dataclasses import replace

import pytest

from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.judging import judge
from aiops_eks.diagnosis.objects import Pod, Ref, Sick
from aiops_eks.diagnosis.result import Ask
from aiops_eks.diagnosis.roll_call import roll_call
from aiops_eks.diagnosis.scope import Gathered
from aiops_lab.scenarios.trials import TRIALS
from aiops_shared.results import Table
from evals.playing import stage
from tests.eks.diagnosis.worlds import NOW

# One world for each way in which a healthy pod matters to a rule: siblings, Services, nodes, claims, budgets,
# autoscalers, agents of a DaemonSet.
COMPARED = (
    "image-not-found-look-alike",
    "service-port-mismatch-positive",
    "service-selector-mismatch-look-alike",
    "node-not-ready-positive",
    "node-network-not-ready-positive",
    "pdb-overlap-positive",
    "hpa-at-max-positive",
    "daemonset-not-tolerating-positive",
    "pvc-unbound-positive",
    "liveness-probe-failed-recovered",
)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R20")
async def test_rows_lead_to_the_same_findings_as_whole_objects() -> None:
    known = {trial.scenario.name: trial.scenario for trial in TRIALS}
    async with stage() as lab:
        for name in COMPARED:
            whole = await lab.played(known[name], 0)
            lab.lab.requests.clear()
            rows = answer(await replace(lab.reader, whole_pods=1).gather(Ask()))
            assert rows.findings == whole.findings, name
            read = [one.path for one in lab.lab.requests.entries if "/pods/" in one.path]
            assert len(read) < rows.checked.pods, name


def named(table: Table) -> int:
    return sum(str(row[3]).count(" -") for row in table.rows)


def crowd(owners: int, pods_each: int) -> Facts:
    """So many workloads whose pods all lack the same kind of thing, without a finding of their own."""
    pods = [
        Pod("shop", f"web{owner}-5d7-{number:05}", parent=Ref("ReplicaSet", "shop", f"web{owner}-5d7"))
        for owner in range(owners)
        for number in range(pods_each)
    ]
    sick = tuple(Sick(pod.ref, "ImagePullBackOff", f"web{pod.name[3]}:1.2: not found") for pod in pods)
    return Facts(cluster="c", now=NOW, pods=tuple(pods), sick=sick)


def test_pods_of_one_owner_share_the_beginning_of_their_name() -> None:
    table, left = roll_call(crowd(1, 3), (), 5_000)
    assert (table.rows, left) == (
        (("", "ImagePullBackOff", "web0:1.2: not found", "shop/web0-5d7: -00000 -00001 -00002"),),
        0,
    )


def test_what_does_not_fit_is_counted() -> None:
    facts = crowd(40, 10)
    table, left = roll_call(facts, judge(facts), 1_000)
    assert named(table) + left == 400
    assert left > 0


def test_an_answer_about_many_unwell_pods_names_them_and_one_about_few_does_not() -> None:
    few, many = (answer(Gathered(crowd(2, pods))) for pods in (2, 30))
    assert few.pods.rows == ()
    assert named(many.pods) == 60
    assert len(many.model_dump_json()) < 12_000
