"""pods/proxy of the lab: what a declared program answers, and the refusals of a real server."""

from aiops_lab.scenarios.names import cast
from aiops_lab.scenarios.profiles import HEAP_PATH, HOME, PORT, heap_profile, leaker
from tests.lab_fixture import kube_client, running_lab


async def test_a_pod_answers_what_its_story_declared_to_who_may_ask() -> None:
    async with running_lab("memory-growing", seed=1) as lab, kube_client(lab) as kube:
        who = cast(1)
        pod = lab.store.list("Pod", HOME, labels=f"app={leaker(who)}")[0]["metadata"]["name"]
        door = f"/api/v1/namespaces/{HOME}/pods/{pod}:{PORT}/proxy"
        answer = await kube.get(f"{door}{HEAP_PATH}")
        assert (answer.status_code, answer.content) == (200, heap_profile(who))
        assert (await kube.get(f"{door}/debug/pprof/profile")).status_code == 404
        closed = await kube.get(f"/api/v1/namespaces/{HOME}/pods/{pod}:9/proxy/")
        assert closed.status_code == 503
        assert "connect: connection refused" in closed.json()["message"]
        assert (await kube.post(f"{door}{HEAP_PATH}")).status_code == 405
        gone = await kube.get(f"/api/v1/namespaces/{HOME}/pods/nobody:{PORT}/proxy{HEAP_PATH}")
        assert (gone.status_code, gone.json()["reason"]) == (404, "NotFound")
        async with kube_client(lab, "aiops-reader") as reader:
            refused = await reader.get(f"{door}{HEAP_PATH}")
            assert refused.status_code == 403
            assert "pods/proxy" in refused.json()["message"]
        async with kube_client(lab, "aiops-executor") as executor:
            assert (await executor.get(f"{door}{HEAP_PATH}")).status_code == 200
