"""A fleet: one AWS endpoint, several accounts and regions, a Kubernetes API of its own for every cluster."""

from typing import Any

import anyio
import httpx
import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.session import Session

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.principals import AccessKey
from aiops_lab.fleet import SECOND_ACCOUNT, ClusterSpec, Fleet, usual
from aiops_lab.serving import LabStartError
from aiops_shared.auth.eks_token import Signing, eks_token
from tests.fleet_fixture import running_fleet
from tests.lab_fixture import kube_client

SPECS = [
    ClusterSpec("shop", furnished=False),
    ClusterSpec("shop", region="eu-west-1", scenario="pod-crashloop", furnished=False),
    ClusterSpec("search", region="eu-west-1", furnished=False),
    ClusterSpec("pay", account=SECOND_ACCOUNT, region="eu-west-1", furnished=False),
]


def client(fleet: Fleet, service: str, region: str, key: AccessKey) -> Any:
    return Session().create_client(
        service,
        endpoint_url=fleet.aws_url,
        region_name=region,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        aws_session_token=key.session_token,
    )


def told(act: Any) -> str:
    with pytest.raises(ClientError) as refused:
        act()
    return str(refused.value)


async def test_a_fleet_answers_by_account_region_and_name() -> None:
    async with running_fleet(SPECS) as fleet:
        home = fleet.directory.standing("lab-admin")
        away = fleet.directory.standing(f"{SECOND_ACCOUNT}/aiops-reader")

        def walk() -> None:
            here, eu = (client(fleet, "eks", region, home) for region in ("us-east-1", "eu-west-1"))
            there = client(fleet, "eks", "eu-west-1", away)
            assert here.list_clusters()["clusters"] == ["shop"]
            assert eu.list_clusters()["clusters"] == ["shop", "search"]
            assert there.list_clusters()["clusters"] == ["pay"]
            assert client(fleet, "eks", "us-east-1", away).list_clusters()["clusters"] == []
            first, second = (one.describe_cluster(name="shop")["cluster"] for one in (here, eu))
            assert first["arn"] == f"arn:aws:eks:us-east-1:{ACCOUNT_ID}:cluster/shop"
            assert second["arn"] == f"arn:aws:eks:eu-west-1:{ACCOUNT_ID}:cluster/shop"
            assert first["endpoint"] == fleet.labs[0].kube_url
            assert second["endpoint"] == fleet.labs[1].kube_url
            assert first["certificateAuthority"] != second["certificateAuthority"]
            assert "No cluster found for name: pay." in told(lambda: eu.describe_cluster(name="pay"))
            pay = there.describe_cluster(name="pay")["cluster"]
            assert pay["roleArn"].startswith(f"arn:aws:iam::{SECOND_ACCOUNT}:role/")
            entries = there.list_access_entries(clusterName="pay")["accessEntries"]
            assert f"arn:aws:iam::{SECOND_ACCOUNT}:role/aiops-reader" in entries
            entry = there.describe_access_entry(clusterName="pay", principalArn=entries[0])["accessEntry"]
            assert entry["principalArn"] == entries[0]

        await anyio.to_thread.run_sync(walk)
        assert {(one.account, one.region) for one in fleet.aws_requests()} == {
            (ACCOUNT_ID, "us-east-1"),
            (ACCOUNT_ID, "eu-west-1"),
            (SECOND_ACCOUNT, "eu-west-1"),
            (SECOND_ACCOUNT, "us-east-1"),
        }


async def test_clusters_of_one_account_and_region_have_networks_of_their_own() -> None:
    async with running_fleet(SPECS[1:3]) as fleet:
        home = fleet.directory.standing("lab-admin")

        def walk() -> None:
            eks, ec2 = (client(fleet, service, "eu-west-1", home) for service in ("eks", "ec2"))
            wanted = {
                name: set(eks.describe_cluster(name=name)["cluster"]["resourcesVpcConfig"]["subnetIds"])
                for name in ("shop", "search")
            }
            assert not wanted["shop"] & wanted["search"]
            every = {one["SubnetId"]: one for one in ec2.describe_subnets()["Subnets"]}
            assert set(every) == wanted["shop"] | wanted["search"]
            search = ec2.describe_subnets(SubnetIds=sorted(wanted["search"]))["Subnets"]
            assert {one["SubnetId"] for one in search} == wanted["search"]
            assert len({one["VpcId"] for one in every.values()}) == 2
            assert all(f"ec2:eu-west-1:{ACCOUNT_ID}:" in one["SubnetArn"] for one in search)
            assert "InvalidSubnetID.NotFound" in told(lambda: ec2.describe_subnets(SubnetIds=["subnet-9aaa"]))

        await anyio.to_thread.run_sync(walk)


@pytest.mark.threat("T4")
async def test_a_role_of_another_account_wants_its_external_id_and_opens_its_own_clusters_only() -> None:
    async with running_fleet([SPECS[0], SPECS[3]]) as fleet:
        reader = fleet.directory.standing("aiops-reader")
        role = f"arn:aws:iam::{SECOND_ACCOUNT}:role/aiops-reader"

        def walk() -> AccessKey:
            sts = client(fleet, "sts", "eu-west-1", reader)
            ask = {"RoleArn": role, "RoleSessionName": "aiops-ann+run-1"}
            for wrong in ({}, {"ExternalId": "wrong"}):
                assert "not authorized to perform: sts:AssumeRole" in told(
                    lambda wrong=wrong: sts.assume_role(**ask, **wrong)
                )
            admin = {**ask, "RoleArn": role.replace("reader", "executor"), "ExternalId": fleet.external_id}
            assert "AccessDenied" in told(lambda: sts.assume_role(**admin))
            given = sts.assume_role(**ask, ExternalId=fleet.external_id)
            assert given["AssumedRoleUser"]["Arn"].endswith(":assumed-role/aiops-reader/aiops-ann+run-1")
            key = fleet.directory.key(given["Credentials"]["AccessKeyId"])
            assert key is not None
            who = client(fleet, "sts", "eu-west-1", key).get_caller_identity()
            assert who["Account"] == SECOND_ACCOUNT
            return key

        session = await anyio.to_thread.run_sync(walk)
        token = _token(fleet, session, "pay")
        async with kube_client(fleet["pay"], token=token) as pay:
            assert (await pay.get("/api/v1/pods")).status_code == 200
        for lab, bearer in (
            (fleet["shop"], _token(fleet, session, "shop")),  # another account's identity
            (fleet["pay"], _token(fleet, reader, "pay")),
            (fleet["pay"], _token(fleet, session, "shop")),  # a token for another cluster
        ):
            async with kube_client(lab, token=bearer) as kube:
                assert (await kube.get("/api/v1/pods")).status_code == 401


def _token(fleet: Fleet, key: AccessKey, cluster: str) -> str:
    class Credentials:
        access_key = key.access_key_id
        secret_key = key.secret_access_key
        token = key.session_token

    return eks_token(Signing(Credentials(), fleet.aws_url, "eu-west-1"), cluster)


async def test_time_faults_and_stories_reach_the_clusters_they_are_meant_for() -> None:
    async with running_fleet(SPECS[:2]) as fleet:
        assert len({lab.clock.now() for lab in fleet.labs}) == 1
        fleet.clock.advance(90)
        fleet["111122223333/us-east-1/shop"].inject("image-pull")
        assert len({lab.clock.now() for lab in fleet.labs}) == 1
        assert fleet.labs[0].world.expected
        async with httpx.AsyncClient(base_url=fleet.url, trust_env=False) as door:
            before = (await door.get("/time")).json()["now"]
            after = (await door.post("/time/advance", json={"seconds": 60})).json()["now"]
            assert after > before
            await door.post("/faults", json={"faults": [{"kind": "error", "times": None}]})
        assert len({lab.clock.now() for lab in fleet.labs}) == 1
        for lab in fleet.labs:
            async with kube_client(lab) as kube:
                assert (await kube.get("/api/v1/pods")).status_code == 503
        fleet.reset("healthy", 2)
        assert [lab.seed for lab in fleet.labs] == [200, 201]
        assert fleet.requests.entries == []
        environment = fleet.export("aiops-reader")
        table = yaml.safe_load(await anyio.Path(environment["AIOPS_CLUSTERS_FILE"]).read_text())
        assert [one["region"] for one in table["clusters"]] == ["us-east-1", "eu-west-1"]
        done = await anyio.run_process(
            ["kubectl", "--context", fleet.labs[1].spec.full_name, "get", "nodes", "-o", "name"],
            env={
                "KUBECONFIG": environment["KUBECONFIG"],
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": "/x",
            },
            check=False,
        )
        assert done.stdout.count(b"node/") == 6, done.stderr
        assert [one.path for one in fleet.labs[0].requests.entries if "nodes" in one.path] == []


def test_two_clusters_of_one_place_and_name_are_refused() -> None:
    with pytest.raises(LabStartError):
        Fleet([ClusterSpec("shop"), ClusterSpec("shop")])
    assert len({one.full_name for one in usual(12, "healthy")}) == 12
