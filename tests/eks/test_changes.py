"""list_changes: one timeline of several sources, by whom and with what client; what is missing is said."""

from datetime import timedelta
from typing import Any

import pytest

from aiops_lab.aws.cloudtrail import ToldCall, tell
from aiops_lab.aws.logs import Queries
from aiops_lab.kube.faults import Fault
from aiops_lab.scenarios.names import cast
from aiops_shared.aws.audit_log import AuditAsk, search_audit
from tests.eks.changing import Changed, changed
from tests.eks.reading import records, tokens
from tests.lab_fixture import kubectl

SECRET = "fake-canary-9f8e7d6c"  # planted


def gaps(answer: dict[str, Any]) -> str:
    return "\n".join(answer["warnings"])


def only(answer: dict[str, Any], *words: str) -> list[dict[str, Any]]:
    """Rows in which every word stands."""
    return [row for row in records(answer["changes"]) if all(word in str(row) for word in words)]


def order(answer: dict[str, Any]) -> list[str]:
    return [row["at"] for row in records(answer["changes"])]


async def busy(world: Changed) -> None:
    """A rollout, a scaling, a cordon, a deletion and an AWS call, by kubectl and others."""
    lab = world.lab
    for command in (
        "set image deployment/billing -n production *=billing:9.9.9",
        "scale deployment/catalog -n production --replicas=4",
        f"cordon {lab.store.list('Node')[0]['metadata']['name']}",
        "create configmap doomed -n staging --from-literal=MODE=old",
        f"create secret generic vault -n staging --from-literal=password={SECRET}",
        "delete configmap doomed -n staging",
    ):
        code, _, err = await kubectl(lab, *command.split())
        assert code == 0, err
        lab.clock.advance(20)
    call = ToldCall(
        "ec2", "ModifySubnetAttribute", "dana", {"subnetId": "subnet-0aaa", "mapPublicIpOnLaunch": True}
    )
    tell(lab.account, call)
    lab.clock.advance(60)


@pytest.mark.row("S66")
async def test_one_timeline_of_five_sources_in_order_and_each_change_once() -> None:
    async with changed() as world:
        start = world.lab.clock.now() - timedelta(seconds=2)
        await busy(world)
        answer = await world.list(since=start.isoformat(), limit=50)
        assert order(answer) == sorted(order(answer), reverse=True)
        seen = {source for row in records(answer["changes"]) for source in row["sources"].split(",")}
        assert seen == {"audit", "revisions", "objects", "cloudtrail"}
        (rollout,) = only(answer, "Deployment production/billing")
        assert rollout["verb"] == "rollout"
        assert "image" in rollout["what"]
        assert "→ billing:9.9.9" in rollout["what"]
        assert (rollout["by"], rollout["client"][:8]) == ("lab-admin", "kubectl/")
        assert set(rollout["sources"].split(",")) == {"revisions", "audit"}
        (scale,) = only(answer, "Deployment production/catalog")
        assert (scale["verb"], scale["by"]) == ("scale", "lab-admin")
        assert "→ 4" in scale["what"]
        (cordon,) = only(answer, "cordon", "Node")
        assert cordon["by"] == "lab-admin"
        deleted, created = only(answer, "ConfigMap staging/doomed")
        assert (deleted["verb"], deleted["by"], created["verb"]) == ("delete", "lab-admin", "create")
        (subnet,) = only(answer, "ModifySubnetAttribute")
        assert (subnet["object"], subnet["by"]) == ("EC2 subnet-0aaa", "dana")
        assert only(answer, "Secret staging/vault")
        assert SECRET not in str(answer)
        assert answer["untrusted"] == ["changes"]
        assert len(answer["summary"]) <= 400
        assert tokens(answer) <= 1_900, tokens(answer)


async def test_a_page_goes_on_where_the_last_one_ended() -> None:
    async with changed() as world:
        start = world.lab.clock.now().isoformat()
        await busy(world)
        whole = await world.list(since=start, limit=50)
        first = await world.list(since=start, limit=3)
        assert first["truncated"]
        second = await world.list(since=start, limit=50, cursor=first["next_cursor"])
        assert first["changes"]["rows"] + second["changes"]["rows"] == whole["changes"]["rows"]
        assert "[invalid_input]" in await world.refused(since="-2h", cursor=first["next_cursor"])


async def test_a_dry_run_and_a_refused_write_are_no_changes() -> None:
    async with changed() as world:
        start = world.lab.clock.now().isoformat()
        for command in (
            "scale deployment/billing -n production --replicas=7 --dry-run=server",
            "delete configmap nothing -n production",
            "delete deployment billing -n production --dry-run=server",
        ):
            await kubectl(world.lab, *command.split())
        world.lab.clock.advance(5)
        assert (await world.list(since=start, namespace="production"))["total"] == 0


@pytest.mark.parametrize("seed", range(5))
async def test_who_deleted_the_config_map_is_told_with_time_and_client(seed: int) -> None:
    names = cast(seed)
    async with changed("pod-crashloop", seed) as world:
        answer = await world.list(namespace="production", kind="cm", name=names.config)
        (row,) = records(answer["changes"])
        assert (row["verb"], row["object"]) == ("delete", f"ConfigMap production/{names.config}")
        assert (row["by"], row["sources"]) == (names.cleaner, "audit")
        assert row["client"].startswith("kubectl/")
        told = world.lab.world.changes[0].at
        assert row["at"] == told.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_pod_that_is_gone_still_says_who_took_it_away() -> None:
    async with changed() as world:
        pod = world.lab.store.list("Pod", "production")[0]["metadata"]["name"]
        assert (await kubectl(world.lab, "delete", "pod", pod, "-n", "production", "--wait=false"))[0] == 0
        world.lab.clock.advance(90)
        assert world.lab.store.get("Pod", "production", pod) is None
        answer = await world.list(namespace="production", kind="Pod", name=pod)
        assert [(row["verb"], row["by"]) for row in records(answer["changes"])] == [("delete", "lab-admin")]
        assert not only(await world.list(namespace="production"), f"Pod production/{pod}")


async def test_without_an_audit_log_the_answer_says_how_to_switch_it_on() -> None:
    async with changed("pod-crashloop") as world:
        world.lab.account.logging = ("api",)
        answer = await world.list(namespace="production", since="-40d")
        assert "aws eks update-cluster-config --name my-cluster --logging" in gaps(answer)
        assert only(answer, "create", "Deployment production/api-server")
        assert not only(answer, "ConfigMap production/api-config", "delete")


async def test_what_no_source_knows_is_empty_and_says_where_to_look() -> None:
    async with changed() as world:
        answer = await world.list(namespace="staging", kind="ConfigMap", name="never-was")
        assert (answer["total"], records(answer["changes"])) == (0, [])
        assert "earlier since" in answer["hint"]


REFUSED = {
    "audit": ("logs", "StartQuery", "logs:StartQuery"),
    "cloudtrail": ("cloudtrail", "LookupEvents", "cloudtrail:LookupEvents"),
    "eks": ("eks", "ListUpdates", "eks:ListUpdates"),
}


@pytest.mark.fault("R21")
async def test_a_source_that_may_not_be_asked_says_which_right_is_missing_and_stops_no_other() -> None:
    async with changed("pod-crashloop") as world:
        for service, operation, _ in REFUSED.values():
            world.lab.fail_aws(service, operation, code="AccessDeniedException")
        answer = await world.list(since="-40d", limit=200)
        for source, (_, _, right) in REFUSED.items():
            assert f"coverage_gap: {source}: [access_denied]" in gaps(answer)
            assert right in gaps(answer)
        assert only(answer, "create", "Deployment production/api-server")


async def test_a_throttled_a_broken_and_a_slow_source_are_gaps_each() -> None:
    async with changed("pod-crashloop", timeout_s=4.0) as world:
        world.lab.fail_aws("logs", "StartQuery", code="ThrottlingException")
        world.lab.fail_aws("cloudtrail", "LookupEvents", cut=True)
        world.lab.fail_aws("eks", "ListUpdates", delay_s=30.0)
        answer = await world.list()
        said = gaps(answer)
        assert "coverage_gap: audit: [throttled]" in said
        assert "coverage_gap: cloudtrail: [upstream" in said
        assert "coverage_gap: eks: [timeout]" in said
        assert records(answer["changes"])
        world.lab.aws_faults.clear()


async def test_a_query_that_never_ends_is_stopped_and_gives_what_it_found() -> None:
    async with changed("pod-crashloop") as world:
        world.lab.account.area(Queries).polls = 1_000
        now = world.lab.clock.now()
        found = await search_audit(
            await world.clusters.eks(None), AuditAsk(now - timedelta(hours=1), now), within_s=0.5
        )
        assert found.records == ()
        assert "not done in time" in found.cut
        assert [one.operation for one in world.lab.aws_requests()][-1] == "StopQuery"


async def test_kinds_that_may_not_be_read_are_named_and_the_others_told() -> None:
    async with changed("pod-crashloop") as world:
        world.lab.set_faults(
            [
                Fault("error", times=None, path_contains="/networkpolicies", status=403),
                Fault("error", times=None, path_contains="/services", status=500),
            ]
        )
        answer = await world.list(since="-40d", namespace="production")
        assert "NetworkPolicy: [access_denied]" in gaps(answer)
        assert "Service: [upstream" in gaps(answer)
        assert only(answer, "create", "Deployment production/api-server")


async def test_a_cluster_without_an_aws_side_says_what_nobody_could_be_asked() -> None:
    async with changed("pod-crashloop", with_aws=False) as world:
        answer = await world.list(since="-40d", namespace="production")
        assert "coverage_gap: audit, cloudtrail, eks: [not_configured]" in gaps(answer)
        assert only(answer, "create", "Deployment production/api-server")


async def test_bad_input_is_refused_before_any_request() -> None:
    async with changed() as world:
        for arguments in (
            {"name": "x"},
            {"since": "-1h", "until": "-2h"},
            {"since": "-91d"},
            {"kind": "Pod", "name": "../x"},
            {"limit": 0},
        ):
            assert "invalid" in await world.refused(**arguments)
        assert len(world.lab.requests.entries) == 0
        assert world.lab.aws_requests() == []
        assert "nearest" in await world.refused(namespace="producton")
        assert "[kind_unknown]" in await world.refused(kind="Deploymnt")
