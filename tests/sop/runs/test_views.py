"""How a run is shown: every step stands in an ordinary answer, however much each of them kept."""

from aiops_sop.clients.run_views import MOST_KEPT, brief
from aiops_sop.models.runs import StepView


def test_large_evidence_is_cut_before_steps_are() -> None:
    kept = {"result.findings": [{"code": "NODE_DISK_PRESSURE", "says": "x" * 5_000}], "result.n": 3}
    steps = [StepView(id=f"s{n}", title="Look", state="done", evidence=kept) for n in range(12)]
    shown = brief(steps)
    assert [step.id for step in shown] == [step.id for step in steps]
    assert sum(len(str(step.evidence)) for step in shown) < 2 * MOST_KEPT
    assert shown[0].evidence["result.n"] == 3
    assert str(shown[0].evidence["result.findings"]).endswith("(detail=full)")
