"""One call, several clusters, accounts and regions: real servers and AWS sessions, nothing faked between."""

from collections import Counter
from pathlib import Path

import pytest

from aiops_lab.fleet import SECOND_ACCOUNT, ClusterSpec
from aiops_lab.kube.faults import Fault
from tests.eks.reading import tokens
from tests.fleet_fixture import PAY, SHOP, SHOP_EU, asked, column, running_fleet, three

SLOW = Fault("stall", times=None, stall_s=20.0)
DOWN = Fault("reset_before", times=None)


@pytest.mark.row("B9")
async def test_three_clusters_in_two_accounts_answer_one_list_and_no_client_serves_another_region(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stories = three("pod-crashloop", "healthy", "oom-raise-limits", furnished=True)
    async with running_fleet(stories, seed=3) as fleet, asked(fleet, monkeypatch) as stage:
        answer = await stage.ask("list_resources", kind="pods", cluster="*", unhealthy_only=True)
        table = answer["resources"]
        assert table["columns"][:3] == ["cluster", "namespace", "name"]
        assert set(column(table, "cluster")) == {SHOP, PAY}
        assert answer["total"] == sum(len(lab.store.list("Pod")) for lab in fleet.labs)
        assert not [one for one in answer.get("warnings", []) if one.startswith("coverage_gap")]
        assert SHOP in answer["summary"]
        assert tokens(answer) <= 1_500
        for lab in fleet.labs:
            assert {one.user for one in lab.requests.entries} == {"aiops-reader"}
            assert not lab.requests.writes()
        calls = [one for one in fleet.aws_requests() if one.service == "eks"]
        assert {(one.account, one.region) for one in calls} == {
            ("111122223333", "us-east-1"),
            ("111122223333", "eu-west-1"),
            (SECOND_ACCOUNT, "eu-west-1"),
        }
        described = Counter((one.account, one.region) for one in calls if one.operation == "DescribeCluster")
        assert set(described.values()) == {1}
        assert all(one.caller.endswith("assumed-role/aiops-reader/aiops-ann") for one in calls)
        assert not {one.status for one in fleet.aws_requests()} - {200}

        one = await stage.ask("list_resources", kind="pods", cluster=PAY, unhealthy_only=True)
        assert "cluster" not in one["resources"]["columns"]
        assert one["unhealthy"] > 0

        by_name = await stage.ask("list_resources", kind="nodes", cluster=[SHOP_EU, PAY])
        assert Counter(column(by_name["resources"], "cluster")) == {SHOP_EU: 6, PAY: 6}
        as_text = await stage.ask("list_resources", kind="nodes", cluster=f'["{SHOP_EU}", "{PAY}"]')
        assert as_text["resources"] == by_name["resources"]

        events = await stage.ask("list_events", cluster=f"{SHOP},{PAY}")
        assert set(column(events["events"], "cluster")) <= {SHOP, PAY}
        assert column(events["events"], "type") == sorted(column(events["events"], "type"), reverse=True)
        logs = await stage.ask(
            "get_pod_logs", cluster="*", namespace="kube-system", selector="k8s-app=kube-dns"
        )
        assert set(column(logs["sources"], "cluster")) == {SHOP, SHOP_EU, PAY}
        assert tokens(events) <= 1_500
        assert tokens(logs) <= 1_500

        assert "[invalid_input]" in await stage.refused("get_resource", kind="pod", name="x", cluster="*")
        unknown = await stage.refused("list_resources", kind="pods", cluster="paymnts-*")
        assert "[cluster_not_found]" in unknown
        assert PAY in unknown
        ambiguous = await stage.refused("list_resources", kind="pods", cluster=["shop", PAY])
        assert "several fit" in ambiguous


@pytest.mark.fault("R21")
async def test_one_cluster_that_fails_is_a_warning_and_the_others_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        running_fleet(three("pod-crashloop")) as fleet,
        asked(fleet, monkeypatch, timeout_s=3.0) as stage,
    ):
        fleet[PAY].set_faults([DOWN])
        answer = await stage.ask("list_resources", kind="pods", cluster="*", unhealthy_only=True)
        (gap,) = [one for one in answer["warnings"] if one.startswith("coverage_gap: cluster")]
        assert f"cluster {PAY}: [" in gap
        assert "some did not answer" in answer["summary"]
        assert set(column(answer["resources"], "cluster")) == {SHOP}
        found = await stage.ask("diagnose", cluster="*")
        assert any(PAY in one for one in found["warnings"])
        assert found["findings"][0]["clusters"] == [SHOP]
        for lab in fleet.labs:
            lab.set_faults([DOWN])
        said = await stage.refused("list_events", cluster="*")
        assert all(name in said for name in (SHOP, SHOP_EU, PAY))
        assert "[unreachable]" in said or "[upstream_error]" in said


@pytest.mark.fault("R21")
async def test_an_account_whose_role_is_refused_is_a_warning_that_names_the_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_fleet(three()) as fleet:
        fleet.external_id = "another"  # what the table says no longer
        role = fleet.directory.principals[f"{SECOND_ACCOUNT}/aiops-reader"]
        table = fleet.table("aiops-reader").replace(f"external_id: {role.external_id}", "external_id: wrong")
        async with asked(fleet, monkeypatch) as stage:
            path = stage.clusters._settings.clusters_file  # the operator edits the file
            assert path is not None
            path.write_text(table, encoding="utf-8")
            answer = await stage.ask("list_resources", kind="deployments", cluster="*")
            assert set(column(answer["resources"], "cluster")) <= {SHOP, SHOP_EU}
            said = " ".join(answer["warnings"])
            assert "sts:AssumeRole" in said
            assert f"arn:aws:iam::{SECOND_ACCOUNT}:role/aiops-reader" in said
            assert all(one.account == "111122223333" for one in fleet.aws_requests())


@pytest.mark.fault("R21")
async def test_a_cluster_that_is_too_slow_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiops_eks.clients.fanout.Fanout.__init__.__defaults__", (4.0, 40.0))
    async with running_fleet(three()) as fleet, asked(fleet, monkeypatch) as stage:
        await stage.ask("list_resources", kind="nodes", cluster="*")
        fleet[SHOP_EU].set_faults([SLOW])
        answer = await stage.ask("list_resources", kind="pods", cluster="*")
        (gap,) = [one for one in answer["warnings"] if "coverage_gap" in one]
        assert SHOP_EU in gap
        assert "[timeout]" in gap
        assert SHOP_EU not in column(answer["resources"], "cluster")
        fleet[SHOP_EU].set_faults([])


async def test_a_cursor_goes_on_in_every_cluster_and_shows_each_object_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stories = three("pod-crashloop", furnished=True)
    async with running_fleet(stories) as fleet, asked(fleet, monkeypatch) as stage:
        seen: list[tuple[str, str, str]] = []
        cursors = [""]
        while cursors[-1] or not seen:
            page = await stage.ask("list_resources", kind="pods", cluster="*", limit=40, cursor=cursors[-1])
            table = page["resources"]
            seen += zip(*(column(table, name) for name in ("cluster", "namespace", "name")), strict=True)
            cursors.append(page.get("next_cursor", ""))
        assert len(cursors) > 3
        expected = [
            (name, pod["metadata"]["namespace"], pod["metadata"]["name"])
            for name, lab in zip((SHOP, SHOP_EU, PAY), fleet.labs, strict=True)
            for pod in lab.store.list("Pod")
        ]
        assert sorted(seen) == sorted(expected)
        assert seen[0][0] == SHOP  # the only one with something broken
        foreign = await stage.refused(
            "list_resources", kind="pods", cluster=[SHOP, PAY], limit=40, cursor=cursors[1]
        )
        assert foreign.startswith("[invalid_input] cursor")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(90)  # twenty worlds are built first
async def test_twenty_clusters_are_asked_with_a_bounded_number_of_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs = [ClusterSpec(f"c-{at:02}", region="eu-west-1", furnished=False) for at in range(20)]
    async with running_fleet(specs) as fleet:
        before = _open_files()
        async with asked(fleet, monkeypatch) as stage:
            answer = await stage.ask("list_resources", kind="nodes", cluster="c-*")
            assert answer["total"] == 120
            assert tokens(answer) <= 1_500
            # Both ends are in this process, and a cluster is asked at most eight things at a time.
            assert _open_files() - before <= 20 * 2 * 9
            assert stage.clusters._open.connected == 20  # one connection pool a cluster, no more
