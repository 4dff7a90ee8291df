"""The generated roles and policies: complete, narrow, and the same as what the lab grants."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from aiops_eks.clients.disk_effects import DOCUMENT
from aiops_eks.clients.rights import ANY_KIND, AWS_RIGHTS, FORWARD_COMMAND, KINDS, kube_rights
from aiops_eks.planning.disk_commands import SPACE
from aiops_lab.aws.principals import LAB_PRINCIPALS
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from aiops_lab.roles import GIVEN, grant, may
from aiops_shared.auth.rights import Role
from eks_aiops.catalogue import all_tools
from eks_aiops.rights_files import files, role_name, tables
from tests.contracts.repository import ROOT

# These read what this suite has stored, or compute, and ask nobody.
OWN_RECORDS: dict[str, set[str]] = {
    "eks": {"get_action"},
    "observability": {"generate_telemetry_config"},
    "cost": set(),
    # It has no rights of its own: the servers that it asks have theirs.
    "sop": {
        *("find_sops", "get_run", "investigate", "search_incidents", "record_outcome"),
        *("generate_config", "verify_deployment", "get_report"),
    },
}


def roles() -> dict[str, list[dict[str, Any]]]:
    """File name -> its roles, as an operator applies them."""
    found = sorted((ROOT / "deploy/rbac").glob("*.yaml"))
    return {one.stem: list(yaml.safe_load_all(one.read_text("utf-8"))) for one in found}


def policies() -> dict[str, list[dict[str, Any]]]:
    """File name -> its statements."""
    found = sorted((ROOT / "deploy/iam").glob("*.json"))
    return {one.stem: json.loads(one.read_text("utf-8"))["Statement"] for one in found}


async def test_every_tool_stands_in_the_table_and_nothing_else_does() -> None:
    every = await all_tools(write=True)
    assert set(every) == {table.server for table in tables()}
    for table in tables():
        listed = {str(tool["name"]) for tool in every[table.server]}
        named = {tool for one in table.kube for tool in one.tools}
        named |= {tool for one in table.aws for tool in one.tools}
        # The table may be ahead by tools that are not wired yet, never behind.
        assert listed - named == OWN_RECORDS[table.server], table.server
    assert set(ANY_KIND) <= {str(tool["name"]) for tool in every["eks"]}


def test_nothing_is_given_by_a_wildcard() -> None:
    for name, found in roles().items():
        for role in found:
            for rule in role["rules"]:
                words = [*rule["verbs"], *rule.get("resources", ()), *rule.get("apiGroups", ())]
                assert "*" not in words, name
    for name, statements in policies().items():
        for one in statements:
            assert all("*" not in action for action in one["Action"]), name


def test_reading_roles_cannot_write_and_read_sees_no_secret_and_no_log() -> None:
    for role in (Role.READ, Role.SECRETS, Role.SENSITIVE, Role.FORWARD):
        # A forwarder that sends events on holds a Lease; it writes nothing else.
        mine = [one for one in kube_rights() if one.role is role and one.resource != "leases"]
        assert {verb for one in mine for verb in one.verbs} <= {"get", "list", "watch"}, role
    read = {one.resource for one in kube_rights() if one.role is Role.READ}
    assert not read & {"secrets", "pods/log", "pods/proxy", "pods/exec"}
    everything = {one.resource for one in kube_rights()}
    assert not everything & {"pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token"}


def test_no_role_gives_what_policy_refuses_whatever_the_rights() -> None:
    writes = {(one.resource, verb) for one in kube_rights() for verb in one.verbs} - {
        (one.resource, verb) for one in kube_rights() for verb in ("get", "list", "watch")
    }
    refused = {"secrets", "roles", "rolebindings", "clusterroles", "clusterrolebindings", "namespaces"}
    refused |= {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}
    assert not {resource for resource, _ in writes} & refused
    assert ("nodes", "delete") not in writes


def test_pods_are_made_in_the_debug_namespace_alone() -> None:
    makers = [one for one in kube_rights() if one.resource == "pods" and "create" in one.verbs]
    assert {one.namespace for one in makers} == {SPACE}


def test_commands_reach_one_document_and_instances_of_a_cluster() -> None:
    sent = [one for one in AWS_RIGHTS if one.action == "ssm:SendCommand"]
    assert {
        resource.rpartition("/")[2] for one in sent for resource in one.resources if "document" in resource
    }
    for one in sent:
        (where,) = one.resources
        assert where.endswith(f":document/{DOCUMENT}") or (":instance/" in where and one.tag)
    assert {one.role for one in sent} == {Role.EXECUTE}
    conditions = [one["Condition"] for one in policies()["eks-execute"] if "Condition" in one]
    assert len(conditions) == 2


def test_sids_are_in_iams_grammar_unique_and_name_the_tools() -> None:
    for name, statements in policies().items():
        sids = [one["Sid"] for one in statements]
        assert len(set(sids)) == len(sids), name
        assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    assert any("ListChanges" in one["Sid"] for one in policies()["eks-sensitive"])


def test_a_kind_that_nobody_named_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {kind: where for kind, where in KINDS.items() if kind != "Certificate"}
    monkeypatch.setattr("aiops_eks.clients.rights.KINDS", without)
    with pytest.raises(KeyError, match=r"Certificate\.cert-manager\.io"):
        files()


def test_the_lab_grants_what_deploy_gives_and_no_more() -> None:
    store = Store(lambda: datetime(2026, 1, 1, tzinfo=UTC), [*BUILT_IN, *LAB_CRDS], seed=0)
    grant(store)
    store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    for found in roles().values():
        for role in found:
            space = role["metadata"].get("namespace")
            held = store.get(role["kind"], space, role["metadata"]["name"])
            assert held is not None
            assert held["rules"] == role["rules"]
    for group, given in GIVEN.items():
        bound = {
            one["roleRef"]["name"]
            for one in store.list("ClusterRoleBinding")
            if f"aiops:{group}" in {subject["name"] for subject in one["subjects"]}
        }
        with_cluster_roles = {
            name
            for name in given
            if any(r["kind"] == "ClusterRole" for r in roles().get(name.replace("/", "-"), ()))
        }
        pairs = [name.split("/") for name in with_cluster_roles]
        assert bound == {role_name(server, Role(role)) for server, role in pairs}


def test_the_lab_lets_each_identity_call_what_its_policies_list() -> None:
    for principal in LAB_PRINCIPALS:
        group = (principal.groups or ("",))[0].removeprefix("aiops:")
        rights = [(f"{table.server}/{one.role}", one.action) for table in tables() for one in table.aws]
        held = {action for role, action in rights if role in GIVEN.get(group, ())}
        for _, action in rights:
            allowed = group not in GIVEN or action in held
            assert may(principal.groups, action) == allowed, (principal.name, action)
    assert not may(("aiops:execute",), "eks:DeleteCluster")
    assert may(("aiops:read",), "sts:GetCallerIdentity")


def test_the_page_names_every_role_and_the_command_that_watches() -> None:
    page = files()["docs/rights.md"]
    for role in Role:
        assert f"`{role}`" in page
    assert f"### {FORWARD_COMMAND}" in page
