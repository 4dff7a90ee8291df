"""The control door: time, logs, scenarios, state, and who is kept out."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from aiops_lab.run import Lab
from tests.lab_fixture import kube_client, running_lab

POD = "/api/v1/namespaces/production/pods/api-server-6c9d7f5b8-x2k4q"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with running_lab("pod-crashloop") as lab:
        yield lab


@pytest.fixture
async def control(lab: Lab) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=lab.url, trust_env=False) as client:
        yield client


async def get(control: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await control.get(path)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def moment(body: dict[str, Any]) -> datetime:
    assert body["now"].endswith("Z")
    assert len(body["now"]) == len("2026-11-22T02:27:07.135803Z")
    return datetime.fromisoformat(body["now"])


async def test_time_is_told_and_advanced_with_the_controllers_in_between(
    lab: Lab, control: httpx.AsyncClient
) -> None:
    before = moment(await get(control, "/time"))
    restarts = _restarts(lab)
    answer = await control.post("/time/advance", json={"seconds": 1800})
    assert moment(answer.json()) - before == timedelta(seconds=1800)
    assert _restarts(lab) > restarts


def _restarts(lab: Lab) -> int:
    pod = lab.store.get("Pod", "production", "api-server-6c9d7f5b8-x2k4q")
    assert pod is not None
    count: int = pod["status"]["containerStatuses"][0]["restartCount"]
    return count


@pytest.mark.parametrize("seconds", [-5, 86_401, "60", None, True, [1], 1e400])
async def test_a_time_that_is_no_way_ahead_is_refused(
    lab: Lab, control: httpx.AsyncClient, seconds: object
) -> None:
    before = lab.clock.now()
    body = '{"seconds": 1e400}' if seconds == float("inf") else None
    answer = await (
        control.post("/time/advance", content=body, headers={"content-type": "application/json"})
        if body
        else control.post("/time/advance", json={"seconds": seconds})
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"bad_seconds", "bad_json"}
    assert lab.clock.now() == before


async def test_waiting_for_no_time_at_all_is_fine(lab: Lab, control: httpx.AsyncClient) -> None:
    before = lab.clock.now()
    assert moment((await control.post("/time/advance", json={"seconds": 0})).json()) == before


async def test_a_fraction_of_a_second_is_kept(lab: Lab, control: httpx.AsyncClient) -> None:
    before = lab.clock.now()
    await control.post("/time/advance", json={"seconds": 90.25})
    assert lab.clock.now() - before == timedelta(seconds=90.25)


async def test_the_request_log_tells_reads_from_writes(lab: Lab, control: httpx.AsyncClient) -> None:
    async with kube_client(lab) as kube:
        await kube.get(POD)
        await kube.delete(POD, params={"dryRun": "All"})
        await kube.delete(POD)
    everything = await get(control, "/requests")
    assert [(one["verb"], one["dry_run"]) for one in everything["requests"]] == [
        ("get", False),
        ("delete", True),
        ("delete", False),
    ]
    (write,) = (await get(control, "/requests?writes=true"))["requests"]
    assert (write["user"], write["verb"], write["dry_run"]) == ("lab-admin", "delete", False)


async def test_what_aws_was_asked_is_told(lab: Lab, control: httpx.AsyncClient) -> None:
    assert (await get(control, "/aws-requests"))["requests"] == []
    async with httpx.AsyncClient(trust_env=False) as stranger:
        await stranger.get(f"{lab.aws_url}/clusters")
    (asked,) = (await get(control, "/aws-requests"))["requests"]
    assert (asked["status"], asked["caller"]) == (403, "")


async def test_state_changes_with_a_write_and_not_with_reads_or_time(
    lab: Lab, control: httpx.AsyncClient
) -> None:
    before = await get(control, "/state")
    assert before["kinds"]["Node"]["count"] == 6
    async with kube_client(lab) as kube:
        await kube.get(POD)
        assert await get(control, "/state") == before
        await control.post("/time/advance", json={"seconds": 900})
        aged = await get(control, "/state")
        still = ("Deployment", "ConfigMap", "Service", "Node", "ClusterRole")
        assert [aged["kinds"][kind] for kind in still] == [before["kinds"][kind] for kind in still]
        patch = {"metadata": {"labels": {"touched": "yes"}}}
        headers = {"content-type": "application/merge-patch+json"}
        assert (await kube.patch(POD, json=patch, headers=headers)).status_code == 200
    after = await get(control, "/state")
    changed = {kind for kind, told in after["kinds"].items() if told != aged["kinds"].get(kind)}
    assert changed == {"Pod"}


async def test_scenarios_are_listed_injected_and_reset(lab: Lab, control: httpx.AsyncClient) -> None:
    listed = await get(control, "/scenarios")
    assert (listed["scenario"], listed["seed"]) == ("pod-crashloop", 0)
    assert {"healthy", "pod-crashloop", "oom-raise-limits"} <= {one["name"] for one in listed["scenarios"]}
    assert all(one["fixture"] and one["title"] and one["shows"] for one in listed["scenarios"])
    told = len(lab.world.expected)
    answer = await control.post("/inject", json={"scenario": "oom-raise-limits"})
    assert answer.status_code == 200
    assert "OOM_LIMIT_TOO_LOW" in {one.code for one in lab.world.expected[told:]}
    back = await control.post("/reset", json={"scenario": "healthy", "seed": 3})
    assert (back.json()["scenario"], back.json()["seed"]) == ("healthy", 3)
    assert lab.store.get("Deployment", "production", "api-server") is None


@pytest.mark.parametrize("path", ["/inject", "/reset"])
async def test_an_unknown_scenario_is_answered_with_the_known_ones(
    control: httpx.AsyncClient, path: str
) -> None:
    answer = await control.post(path, json={"scenario": "nope"})
    assert answer.status_code == 404
    assert "pod-crashloop" in answer.json()["error"]["message"]


async def test_a_seed_must_be_a_number(control: httpx.AsyncClient) -> None:
    assert (await control.post("/reset", json={"seed": "x"})).json()["error"]["code"] == "bad_seed"


@pytest.mark.threat("T11")
async def test_a_foreign_host_name_is_refused(control: httpx.AsyncClient) -> None:
    for host in ("rebound.example", "127.0.0.1.rebound.example"):
        answer = await control.get("/time", headers={"host": host})
        assert answer.status_code == 400
    assert (await control.get("/time", headers={"host": "localhost:1"})).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b'{"seconds": 60}', 415),
        ("application/x-www-form-urlencoded", b"seconds=60", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[60]", 400),
        ("application/json", b'{"x": "' + b"a" * 70_000 + b'"}', 413),
    ],
)
async def test_a_post_that_a_web_page_could_send_changes_nothing(
    lab: Lab, control: httpx.AsyncClient, content_type: str, body: bytes, status: int
) -> None:
    before = lab.clock.now()
    answer = await control.post("/time/advance", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert lab.clock.now() == before


async def test_a_fault_set_from_outside_meets_the_next_request_only(
    lab: Lab, control: httpx.AsyncClient
) -> None:
    wanted = {"faults": [{"kind": "throttle", "retry_after_s": 7, "verbs": ["get"]}]}
    assert (await control.post("/faults", json=wanted)).json() == {"set": 1, "played": 0}
    async with kube_client(lab) as kube:
        refused, fine = await kube.get(POD), await kube.get(POD)
    assert (refused.status_code, refused.headers["retry-after"], fine.status_code) == (429, "7", 200)
    assert (await control.post("/faults", json={"faults": []})).json() == {"set": 0, "played": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "faults: a list"),
        ({"faults": [{"kind": "earthquake"}]}, "kind: Input should be"),
        ({"faults": [{"kind": "error", "colour": "red"}]}, "colour: not known"),
        ({"faults": ["error"]}, "fault: "),
    ],
)
async def test_a_fault_that_is_not_known_is_refused(
    control: httpx.AsyncClient, body: dict[str, object], said: str
) -> None:
    answer = await control.post("/faults", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_fault")
    assert said in answer.json()["error"]["message"]


async def test_a_story_that_breaks_off_leaves_a_world_that_was_meant(
    lab: Lab, control: httpx.AsyncClient
) -> None:
    names = {one["metadata"]["name"] for one in lab.store.list("Deployment", "production")}
    lab.store.delete("Namespace", None, "production")
    answer = await control.post("/inject", json={"scenario": "oom-raise-limits"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "does_not_fit")
    assert "the lab was reset to pod-crashloop" in answer.json()["error"]["message"]
    assert {one["metadata"]["name"] for one in lab.store.list("Deployment", "production")} == names
    lab.clock.advance(3600)
