"""The directory of clusters: found through AWS, a table, or a kubeconfig; opened with an EKS token."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aiops_lab.run import Lab
from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients
from aiops_shared.clock import SystemClock
from aiops_shared.errors import AiopsError, ClusterNotFoundError, InvalidInputError, NotConfiguredError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import AwsSettings, KubeSettings, Settings
from tests.lab_fixture import running_lab
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json

CALLER = CallerIdentity("ann", "human")
ACCOUNT, REGION = "111122223333", "us-east-1"


@pytest.fixture(autouse=True)
def _nothing_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AIOPS_CLUSTERS_FILE",
        "AIOPS_KUBE_CONTEXT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with running_lab("healthy") as lab:
        yield lab


def act_as(lab: Lab, monkeypatch: pytest.MonkeyPatch, identity: str = "lab-admin") -> str:
    """Give this process the identity's AWS environment; returns the cluster's name."""
    for name, value in lab.export(identity).items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    return lab.account.cluster


def directory(table: Path | None = None, context: str = "") -> ClusterDirectory:
    aws = AwsSettings(timeout_s=5)
    settings = Settings(clusters_file=table, kube=KubeSettings(context=context, timeout_s=5), aws=aws)
    return ClusterDirectory(settings, AwsClients(aws), SystemClock(), CALLER)


@pytest.mark.parametrize("identity", ["lab-admin", "aiops-reader"])
async def test_an_eks_cluster_is_found_described_and_read_with_an_eks_token(
    identity: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = act_as(lab, monkeypatch, identity)
    clusters = directory()
    (info,) = await clusters.known()
    assert (info.name, info.account_id, info.region, info.status) == (name, ACCOUNT, REGION, "ACTIVE")
    assert (info.source, info.reachable, info.problem) == ("discovered", True, "")
    assert info.arn.endswith(f":cluster/{name}")
    api = await clusters.open(None)
    assert (await api.table("pods")).rows
    assert {entry.user for entry in lab.requests.entries} == {identity}
    await clusters.aclose()


async def test_a_cluster_is_named_in_three_ways_and_opened_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = act_as(lab, monkeypatch)
    clusters = directory()
    words = [name, f"{ACCOUNT}/{REGION}/{name}", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{name}", None]
    assert len({id(await clusters.open(word)) for word in words}) == 1
    assert (await clusters.open(name)).cluster == name
    await clusters.aclose()


@pytest.mark.row("S48")
async def test_an_unknown_cluster_gets_the_nearest_name(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    name = act_as(lab, monkeypatch)
    clusters = directory()
    for word in (
        name[:-1],
        f"arn:aws:eks:us-west-2:{ACCOUNT}:cluster/{name}",
        f"999999999999/{REGION}/{name}",
    ):
        with pytest.raises(ClusterNotFoundError, match=name):
            await clusters.open(word)
    await clusters.aclose()


@pytest.mark.threat("T5")
@pytest.mark.parametrize(
    "word", ["", "../x", "https://evil.example", "a b", "a\nb", "-flag", "a%2fb", "\u0430", "x" * 400]
)
async def test_what_cannot_name_a_cluster_is_refused_before_any_request(
    word: str, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    act_as(lab, monkeypatch)
    with pytest.raises(InvalidInputError):
        await directory().open(word)
    assert lab.aws_requests() == []


async def test_the_operators_table_gives_roles_and_environments_and_is_the_limit(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = act_as(lab, monkeypatch)
    table = tmp_path / "clusters.yaml"
    table.write_text(
        f'accounts: [{{account_id: "{ACCOUNT}", role_arn: "arn:aws:iam::{ACCOUNT}:role/aiops-reader", '
        f"regions: [{REGION}]}}]\n"
        f'clusters: [{{name: {name}, account_id: "{ACCOUNT}", region: {REGION}, environment: staging}}]\n',
        encoding="utf-8",
    )
    clusters = directory(table)
    (info,) = await clusters.known()
    assert (info.source, info.environment) == ("table", "staging")
    assert await clusters.environment(name) == "staging"
    await (await clusters.open(name)).list("pods")
    assert {entry.user for entry in lab.requests.entries} == {"aiops-reader"}
    await clusters.aclose()


async def test_one_account_that_fails_is_a_warning_and_the_others_answer(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = act_as(lab, monkeypatch)
    table = tmp_path / "clusters.yaml"
    table.write_text(
        f'accounts:\n  - {{account_id: "{ACCOUNT}", regions: [{REGION}]}}\n'
        '  - {account_id: "999999999999", role_arn: "arn:aws:iam::999999999999:role/x", '
        "regions: [eu-west-1]}\n",
        encoding="utf-8",
    )
    clusters = directory(table)
    good, bad = await clusters.known()
    assert (good.name, good.problem) == (name, "")
    assert (bad.account_id, bad.region, bad.reachable) == ("999999999999", "eu-west-1", False)
    assert "AssumeRole" in bad.problem
    with pytest.raises(ClusterNotFoundError, match="999999999999/eu-west-1"):
        await clusters.open("elsewhere")
    await clusters.aclose()


async def test_a_name_in_two_regions_must_be_said_in_full(tmp_path: Path) -> None:
    table = tmp_path / "clusters.yaml"
    row = 'name: shop, account_id: "111122223333"'
    table.write_text(
        'accounts: [{account_id: "111122223333", regions: [us-west-2, eu-west-1]}]\n'
        f"clusters: [{{{row}, region: us-west-2}}, {{{row}, region: eu-west-1}}]\n",
        encoding="utf-8",
    )
    clusters = directory(table)
    for word in ("shop", None):
        with pytest.raises(
            InvalidInputError, match=r"111122223333/us-west-2/shop, 111122223333/eu-west-1/shop"
        ):
            await clusters.open(word)
    assert (await clusters.open("111122223333/eu-west-1/shop")).cluster == "shop"


async def test_globs_mean_several_clusters_each_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    name = act_as(lab, monkeypatch)
    clusters = directory()
    choice = await clusters.choose(["*", name, f"{ACCOUNT}/*/*"])
    assert [(one.label, one.word) for one in choice.clusters] == [(name, f"{ACCOUNT}/{REGION}/{name}")]
    with pytest.raises(ClusterNotFoundError):
        await clusters.choose(["prod-*"])
    assert not [one for one in lab.aws_requests() if one.operation == "DescribeCluster"]
    await clusters.aclose()


async def test_a_choice_names_clusters_so_that_no_two_are_alike(tmp_path: Path) -> None:
    table = tmp_path / "clusters.yaml"
    row = 'account_id: "111122223333"'
    table.write_text(
        'accounts: [{account_id: "111122223333", regions: [us-west-2, eu-west-1]}]\n'
        f"clusters: [{{name: shop, {row}, region: us-west-2}}, {{name: shop, {row}, region: eu-west-1}},"
        " {name: kind, context: kind-a}, {name: kind, context: kind-b}, {name: lone, context: lone-c}]\n",
        encoding="utf-8",
    )
    clusters = directory(table)
    choice = await clusters.choose(["lone", "kind-b", "kind-a", "111122223333/us-west-2/shop", "lone"])
    assert [one.label for one in choice.clusters] == [
        "lone",
        "kind-b",
        "kind-a",
        "111122223333/us-west-2/shop",
    ]
    with pytest.raises(InvalidInputError, match="several fit"):
        await clusters.choose(["lone", "shop"])


async def test_with_nothing_configured_the_error_names_what_to_give() -> None:
    for ask in (directory().known(), directory().open(None), directory().open("shop")):
        with pytest.raises(NotConfiguredError) as caught:
            await ask
        for way in ("AIOPS_KUBE_CONTEXT", "AIOPS_CLUSTERS_FILE", "AWS_PROFILE", "AWS_REGION"):
            assert way in caught.value.hint


async def test_a_context_without_a_kubeconfig_is_known_with_its_problem() -> None:
    clusters = directory(context="no-such-context")
    (info,) = await clusters.known()
    assert (info.name, info.source, info.reachable) == ("no-such-context", "kubeconfig", False)
    assert "kubectl config get-contexts" in info.problem
    with pytest.raises(AiopsError):
        await (await clusters.open(None)).list("pods")
    await clusters.aclose()


async def test_health_and_end_of_support_are_told_and_a_silent_endpoint_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = {
        "name": "shop",
        "status": "ACTIVE",
        "version": "1.33",
        "endpoint": "https://127.0.0.1:9",
        "certificateAuthority": {"data": base64.b64encode(b"no certificate").decode()},
        "health": {"issues": [{"code": "SubnetNotFound", "message": "subnet-1 is gone"}]},
    }
    versions = [{"clusterVersion": "1.33", "endOfStandardSupportDate": 1785283200}]
    identity = (
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )

    def answer(seen: Seen) -> Reply:
        if seen.path == "/":
            return Reply(identity, content_type="text/xml")
        if seen.path == "/cluster-versions":
            return as_json({"clusterVersions": versions})
        return as_json({"clusters": ["shop"]} if seen.path == "/clusters" else {"cluster": described})

    async with WireServer(answer) as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE",
            "AWS_SECRET_ACCESS_KEY": "fake-secret-worth-nothing",
        }.items():
            monkeypatch.setenv(name, value)
        clusters = directory()
        (info,) = await clusters.known()
        await clusters.aclose()
    assert info.support_ends_on == "2026-07-29"
    assert info.health_issues == ("SubnetNotFound: subnet-1 is gone",)
    assert info.reachable is False
    assert "certificate authority" in info.problem
