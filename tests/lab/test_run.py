"""The running lab as real clients meet it: kubectl, boto3, plain HTTP with EKS tokens."""

import base64
import socket
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from botocore.session import Session

from aiops_lab.run import Lab, Ports
from aiops_lab.serving import LabStartError, listen, port_of
from tests.lab.test_identity import eks_token, presigned
from tests.lab_fixture import child_environment, kube_client, kubectl, running_lab

PODS = "/api/v1/namespaces/production/pods"


def aws_client(lab: Lab, service: str, identity: str = "lab-admin") -> Any:
    key = lab.directory.standing(identity)
    return Session().create_client(
        service,
        endpoint_url=lab.aws_url,
        region_name="us-east-1",
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
    )


async def test_the_lab_answers_as_soon_as_it_is_entered() -> None:
    async with running_lab("pod-crashloop") as lab, kube_client(lab) as kube:
        assert (await kube.get(PODS)).status_code == 200


@pytest.mark.slow
async def test_kubectl_uses_the_exported_kubeconfig() -> None:
    async with running_lab("pod-crashloop") as lab:
        code, out, err = await kubectl(lab, "get", "pods", "-n", "production", "-o", "name")
        assert (code, err) == (0, "")
        assert "pod/api-server-6c9d7f5b8-x2k4q" in out.splitlines()
        name = "api-server-6c9d7f5b8-x2k4q"
        code, out, err = await kubectl(
            lab, "delete", "pod", name, "-n", "production", identity="aiops-reader"
        )
        assert code != 0
        assert 'User "aiops-reader" cannot' in err
        assert {one.status for one in lab.requests.writes()} == {403}


@pytest.mark.slow
async def test_a_plain_boto3_client_finds_the_lab_by_its_environment(tmp_path: Path) -> None:
    script = (
        "import boto3; print(boto3.client('eks').describe_cluster(name='my-cluster')['cluster']['endpoint']);"
        "print(boto3.client('sts').get_caller_identity()['Arn'])"
    )
    async with running_lab() as lab:
        environment = child_environment(lab, "aiops-executor", home=str(tmp_path))
        done = await anyio.run_process([sys.executable, "-c", script], env=environment)
        assert done.stdout.decode().split() == [
            lab.kube_url,
            "arn:aws:sts::111122223333:assumed-role/aiops-executor/lab",
        ]


async def test_an_eks_token_and_describe_cluster_are_all_a_client_needs(tmp_path: Path) -> None:
    async with running_lab() as lab:
        cluster = aws_client(lab, "eks", "aiops-reader").describe_cluster(name="my-cluster")["cluster"]
        ca_file = anyio.Path(tmp_path / "ca.crt")
        await ca_file.write_bytes(base64.b64decode(cluster["certificateAuthority"]["data"]))
        token = eks_token(presigned(lab.directory.standing("aiops-reader")))
        async with httpx.AsyncClient(
            base_url=cluster["endpoint"],
            verify=_trusting(tmp_path / "ca.crt"),
            headers={"authorization": f"Bearer {token}"},
            trust_env=False,
        ) as kube:
            assert (await kube.get(PODS)).status_code == 200
            assert (await kube.delete(f"{PODS}/some-pod")).status_code == 403
        assert [one.user for one in lab.requests.entries] == ["aiops-reader", "aiops-reader"]


def _trusting(ca_file: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(ca_file))


async def test_a_token_for_another_cluster_an_old_one_and_a_foreign_one_get_401() -> None:
    ahead = [0.0]
    lab = Lab(wall=lambda: time.time() + ahead[0])
    async with lab:
        good = lab.directory.standing("aiops-reader")
        foreign = Lab().directory.standing("aiops-reader")
        tokens = {
            "good": eks_token(presigned(good)),
            "other cluster": eks_token(presigned(good, cluster="other")),
            "foreign key": eks_token(presigned(foreign)),
            "no token": "",
        }
        answers = {}
        for name, token in tokens.items():
            async with kube_client(lab, token=token or "-") as kube:
                answers[name] = (await kube.get(PODS)).status_code
        assert answers == {"good": 200, "other cluster": 401, "foreign key": 401, "no token": 401}
        ahead[0] = 15 * 60 + 10
        async with kube_client(lab, token=tokens["good"]) as kube:
            assert (await kube.get(PODS)).status_code == 401


async def test_the_reader_reads_the_planner_may_dry_run_and_the_log_counts_real_writes_only() -> None:
    async with running_lab("pod-crashloop") as lab:
        pod = f"{PODS}/api-server-6c9d7f5b8-x2k4q"
        async with kube_client(lab, "aiops-reader") as reader:
            assert (await reader.get(pod)).status_code == 200
        async with kube_client(lab, "aiops-planner") as planner:
            assert (await planner.delete(pod, params={"dryRun": "All"})).status_code == 200
        assert lab.requests.writes() == []
        async with kube_client(lab, "aiops-executor") as executor:
            assert (await executor.delete(pod)).status_code == 200
        (write,) = lab.requests.writes()
        assert (write.user, write.verb, write.status) == ("aiops-executor", "delete", 200)


async def test_two_labs_side_by_side_share_nothing() -> None:
    async with running_lab("healthy") as one, running_lab("pod-crashloop") as two:
        addresses = {one.kube_url, two.kube_url, one.aws_url, two.aws_url, one.url, two.url}
        assert len(addresses) == 6
        async with kube_client(two, token=one.token()) as stranger:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await httpx.AsyncClient(verify=_trusting(one.ca_path)).get(two.kube_url)
            assert (await stranger.get(PODS)).status_code == 401
        one.account.addons.pop("coredns")
        assert "coredns" not in aws_client(one, "eks").list_addons(clusterName="my-cluster")["addons"]
        assert "coredns" in aws_client(two, "eks").list_addons(clusterName="my-cluster")["addons"]
        assert one.requests.total == 0
        assert two.requests.total == 1


async def test_leaving_the_lab_leaves_no_file_no_port_and_no_thread() -> None:
    before = {thread.name for thread in threading.enumerate()}
    async with running_lab() as lab:
        kubeconfig = anyio.Path(lab.export()["KUBECONFIG"])
        assert stat.S_IMODE((await kubeconfig.stat()).st_mode) == 0o600
        assert stat.S_IMODE((await kubeconfig.parent.stat()).st_mode) == 0o700
        ports = [int(url.rpartition(":")[2]) for url in (lab.kube_url, lab.aws_url, lab.url)]
    assert not await kubeconfig.parent.exists()
    assert "lab-aws" not in {thread.name for thread in threading.enumerate()} - before
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_an_open_watch_does_not_hold_the_lab_up() -> None:
    lab = Lab()
    await lab.__aenter__()
    async with kube_client(lab) as kube, kube.stream("GET", f"{PODS}?watch=true", timeout=60) as watch:
        assert watch.status_code == 200
        with anyio.fail_after(20):  # the watch itself would last as long
            await lab.__aexit__(None, None, None)


async def test_a_lab_entered_in_one_task_may_be_left_in_another() -> None:
    lab = Lab()

    async def enter() -> None:
        await lab.__aenter__()

    async with anyio.create_task_group() as group:
        group.start_soon(enter)
    async with kube_client(lab) as kube:
        assert (await kube.get(PODS)).status_code == 200
    await lab.__aexit__(None, None, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com", ""])  # noqa: S104  # refused
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(LabStartError, match="not a loopback address"):
        Lab(host=host)


def test_a_connection_of_the_lab_sends_each_part_of_an_answer_at_once() -> None:
    with listen("127.0.0.1", 0) as door, socket.create_connection(("127.0.0.1", port_of(door))):
        taken, _ = door.accept()
        with taken:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_unknown_scenario_and_a_port_in_use_are_clear_errors_and_leave_nothing() -> None:
    with pytest.raises(LabStartError, match="scenario 'pod-crashlop' is not known"):
        async with Lab("pod-crashlop"):
            pytest.fail("started")
    async with running_lab() as lab:
        taken = int(lab.url.rpartition(":")[2])
        for ports in (Ports(kube=taken), Ports(aws=taken), Ports(control=taken)):
            with pytest.raises(LabStartError, match=f"cannot listen on 127.0.0.1:{taken}"):
                async with Lab(ports=ports):
                    pytest.fail("started")
    assert [thread for thread in threading.enumerate() if thread.name == "lab-aws"] == []


async def test_a_controller_that_breaks_is_not_hidden() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError), flatten_subgroups=True):
        async with Lab() as lab:
            lab.clock.call_later(0, broken)
            await lab.failed()


async def test_reset_brings_the_same_world_back_and_forgets_the_logs() -> None:
    async with running_lab("oom-raise-limits", seed=5) as lab, kube_client(lab) as kube:
        names = [pod["metadata"]["name"] for pod in lab.store.list("Pod", "production")]
        await kube.delete(f"{PODS}/{names[0]}")
        lab.reset("oom-raise-limits", 5)
        assert [pod["metadata"]["name"] for pod in lab.store.list("Pod", "production")] == names
        assert lab.requests.entries == []
        assert (await kube.get(PODS)).status_code == 200


async def test_the_labs_clock_runs_by_itself() -> None:
    async with running_lab(running=True) as lab:
        first = lab.clock.now()
        played: list[int] = []
        lab.clock.call_later(0.05, lambda: played.append(1))
        with anyio.fail_after(5):
            while not played:  # noqa: ASYNC110  # what is awaited is the clock itself
                await anyio.sleep(0.02)
        assert lab.clock.now() > first
