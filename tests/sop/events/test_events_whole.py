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


def limit_of(stage: Stage) -> str:
    """Whether the worker's limit is what it needs, and its pods live."""
    found = stage.lab.store.get("Deployment", "staging", stage.who.worker)
    assert found is not None
    limit = found["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    ready = found["status"].get("readyReplicas") == found["spec"]["replicas"]
    return "raised" if ready and int(limit.removesuffix("Mi")) >= 352 * stage.who.worker_scale else limit


@pytest.mark.slow
@pytest.mark.row("S2")
@pytest.mark.row("S57")
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
        # S2, D36: the other two ways end the same; what differs is how often a person acts.
        ways = {"event": (run, limit_of(stage))}
        for seed, mode in enumerate(("auto", "supervised"), start=1):
            stage.play("oom-raise-limits-staging", seed)
            params = {"namespace": "staging", "name": stage.who.worker}
            started = await stage.got("start_run", sop="oom-raise-limits", params=params, mode=mode)
            seen = await stage.finished(started["run_id"], also=frozenset({"waiting"}))
            if seen["state"] == "waiting":
                await stage.approved_by("anna", seen["waiting"]["id"])
                seen = await stage.finished(started["run_id"])
            ways[seen["pattern"]] = (seen, limit_of(stage))
        assert {way: seen["state"] for way, (seen, _) in ways.items()} == dict.fromkeys(ways, "succeeded")
        assert {way: seen["human_inputs"] for way, (seen, _) in ways.items()} == {
            "event": 0,
            "spec": 1,
            "prompt": 2,
        }
        assert all(limit == "raised" for _, limit in ways.values())
