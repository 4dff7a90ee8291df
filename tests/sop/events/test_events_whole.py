"""An event on the whole suite: lab, four servers, real engine; and what a client sees of it."""

from pathlib import Path

import pytest

from tests.sop.events.samples import Obj
from tests.sop.stage import Stage, operated


def pod_of(stage: Stage, namespace: str, workload: str) -> str:
    """Its first pod's name."""
    pods = stage.lab.store.list("Pod", namespace)
    return next(str(pod["metadata"]["name"]) for pod in pods if pod["metadata"]["name"].startswith(workload))


def killed(namespace: str, pod: str) -> Obj:
    """The guide's own shape (S26)."""
    detail = {"cluster": "my-cluster", "namespace": namespace, "pod": pod, "status": "OOMKilled"}
    return {"source": "aws.eks", "detail-type": "EKS Pod State Change", "detail": detail}


@pytest.mark.slow
@pytest.mark.row("S25")
@pytest.mark.timeout(150)  # two servers' first start, an investigation, a rollout
async def test_an_event_becomes_a_run_of_the_sop_that_mends_its_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(
        monkeypatch, tmp_path, "oom-raise-limits-staging", autonomy={"staging": "auto-safe"}
    ) as stage:
        event = killed("staging", pod_of(stage, "staging", stage.who.worker))
        answer = await stage.got("submit_event", event=event)
        assert (answer["became"], answer["sop"]) == ("queued", "oom-raise-limits")
        again = await stage.got("submit_event", event=event)
        assert (again["became"], again["count"], again["incident_id"]) == ("folded", 2, answer["incident_id"])
        run = await stage.finished(again["run_id"])
        assert run["state"] == "succeeded"
        found = await stage.got("search_incidents", text="OOM_LIMIT_TOO_LOW")
        (row,) = found["incidents"]["rows"]
        said = dict(zip(found["incidents"]["columns"], row, strict=True))
        assert (said["incident"], said["state"], said["effective"]) == (
            answer["incident_id"],
            "resolved",
            True,
        )
        told = await stage.got(
            "record_outcome",
            run_id=answer["incident_id"],
            confirmed_cause="OOM_LIMIT_TOO_LOW",
            effective=True,
        )
        assert told["statistics"]["rows"] == [[1, 1, 1, 0.6033]]
