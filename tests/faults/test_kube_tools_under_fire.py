"""Every tool while the Kubernetes API misbehaves (R1-R3, T14): an error with code and next step, or a part.

Never a bug's text, never an answer that hides what is missing, never a write.
"""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.kube.faults import Fault, FaultKind
from aiops_shared.settings import KubeSettings
from tests.e2e.stage import Answer, Obj, Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
SPACE = "production"
CODES: dict[FaultKind, set[str]] = {
    "throttle": {"throttled"},
    "error": {"upstream_error"},
    "reset_before": {"upstream_error", "unreachable"},
    "stall": {"timeout", "unreachable"},
    "huge": {"too_large", "upstream_error"},
    "bad_utf8": {"upstream_error"},
    "deep": {"upstream_error"},
    "wrong_type": {"upstream_error"},
}


def calls(stage: Stage) -> list[tuple[str, Obj]]:
    """One call of each tool that asks the cluster."""
    here = {"namespace": SPACE, "name": stage.who.api}
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: {SPACE}}}\ndata: {{a: b}}\n"
    return [
        ("list_resources", {"kind": "Pod", "namespace": SPACE}),
        ("list_resources", {"kind": "Pod"}),
        ("get_resource", {"kind": "Deployment", **here}),
        ("get_pod_logs", {"namespace": SPACE, "workload": f"Deployment/{stage.who.api}"}),
        ("list_events", {"namespace": SPACE}),
        ("diagnose", {"namespace": SPACE}),
        ("scan_manifest", {"kind": "Deployment", **here}),
        ("plan_workload_change", {"action": "scale", "replicas": 3, **here}),
        ("plan_manifest", {"action": "apply", "manifest": manifest}),
    ]


def says_what_is_missing(answer: Answer) -> bool:
    """Whether an answer that came in spite of the fault names what it could not see."""
    told = (*answer.data.get("warnings", ()), *answer.data.get("coverage_gaps", ()))
    return any("[" in text or "could not be read" in text or "did not answer" in text for text in told)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("throttle", marks=pytest.mark.fault("R1")),
        pytest.param("error", marks=pytest.mark.fault("R2")),
        pytest.param("reset_before", marks=pytest.mark.fault("R2")),
        pytest.param("stall", marks=pytest.mark.fault("R3")),
        *(pytest.param(kind, marks=pytest.mark.threat("T14")) for kind in ("huge", "bad_utf8", "deep")),
        pytest.param("wrong_type", marks=pytest.mark.threat("T14")),
    ],
)
async def test_every_tool_says_what_failed_and_what_next(
    kind: FaultKind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("aiops_shared.kube.pacing.FIRST_WAIT_S", 0.01)
    kube = KubeSettings(timeout_s=2, max_answer_bytes=4_000_000)
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path, kube=kube) as stage:
        await stage.got("list_resources", kind="Pod", namespace=SPACE)  # discovery and token are there
        stage.lab.set_faults([Fault(kind, times=None, retry_after_s=0, stall_s=4, path_contains="/")])
        answers: dict[str, str] = {}
        for number, (tool, arguments) in enumerate(calls(stage)):
            answer = await stage.ask(tool, **arguments)
            answers[f"{number} {tool}"] = answer.error or str(answer.data.get("warnings"))
            if answer.error:
                assert answer.code in CODES[kind], answer.text
                assert ": " in answer.error.partition("] ")[2], answer.text
            else:
                assert says_what_is_missing(answer), f"{tool}: {answer.text}"
        assert stage.writes() == []
        assert len(answers) == 9


@pytest.mark.fault("R1")
@pytest.mark.parametrize("percent", [10, 50, 100])
async def test_a_change_on_a_throttled_api_happens_once_or_says_when_to_come_again(
    percent: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path) as stage:
        plan = await stage.plan(action="scale", namespace=SPACE, name=stage.who.api, replicas=11)
        before: Any = stage.lab.store.get("Deployment", SPACE, stage.who.api)
        stage.lab.set_faults([Fault("throttle", times=None, share=percent / 100, retry_after_s=0)])
        done = await stage.execute(plan)
        if done.code == "approval_pending":
            await stage.approved_by("ben", done)
            done = await stage.execute(plan)
        after: Any = stage.lab.store.get("Deployment", SPACE, stage.who.api)
        changed = after["metadata"]["generation"] - before["metadata"]["generation"]
        effects = [each for each in stage.writes() if each.status == 200]
        assert changed == len(effects)
        if done.error:
            assert done.code == "throttled", done.text
            assert "try again in" in done.text
            assert changed == 0
        else:
            assert (done.data["state"] == "succeeded") == (changed == 1), done.data
        assert percent < 100 or (changed == 0 and done.error)
