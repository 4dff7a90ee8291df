"""What include=access says: who is let in, which ServiceAccounts have roles, and why somebody gets 403."""

from typing import Any

import pytest

from aiops_lab.aws.access import Access, Association, Entry
from aiops_lab.aws.eks_state import EksState
from aiops_lab.aws.iam import Iam, Role, trusting_account, trusting_pods
from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab
from tests.eks.cluster_views.seeing import Seen, gaps, rows, seen

OPS = "arn:aws:iam::111122223333:role/teams/ops"
RBAC = "rbac.authorization.k8s.io"


def enter(lab: Lab, principal: str, **what: Any) -> None:
    lab.account.area(Access).entries[principal] = Entry(principal, **what)


def bound(name: str, group: str, role: str = "aiops-eks-read") -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
    }


def account(name: str, role: str = "") -> Obj:
    notes = {"eks.amazonaws.com/role-arn": role} if role else {}
    meta = {"name": name, "namespace": "production", "annotations": notes}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def aws_auth(*arns: str) -> Obj:
    lines = "".join(f"- rolearn: {arn}\n  username: ops\n  groups: [aiops:read]\n" for arn in arns)
    meta = {"name": "aws-auth", "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"mapRoles": lines}}


async def faults(view: Seen, principal: str) -> dict[str, str]:
    """What is found to be wrong, by check; what is unknown or well is left out."""
    answer = await view.describe("access", principal=principal)
    found = rows(answer, "why_403")
    assert all(row["next_step"] for row in found if row["verdict"] == "fault"), found
    return {str(row["check"]): str(row["says"]) for row in found if row["verdict"] == "fault"}


async def test_an_iam_principal_is_followed_from_the_door_to_its_rights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab = view.lab
        nobody = "arn:aws:iam::111122223333:role/nobody"
        assert await faults(view, nobody) == {"access entry": f"no access entry for {nobody}"}
        enter(lab, OPS)
        assert "may do nothing" in (await faults(view, OPS))["rights"]
        enter(lab, OPS, groups=("ops-team",))
        assert await faults(view, OPS) == {"group ops-team": "no binding has this group as its subject"}
        lab.store.create(bound("ops", "ops-team", "long-gone"))
        assert "that role does not exist" in (await faults(view, OPS))["role"]
        lab.store.create(bound("ops-too", "ops-team"))
        lab.store.delete("ClusterRoleBinding", None, "ops")
        assert await faults(view, OPS) == {}
        session = "arn:aws:sts::111122223333:assumed-role/ops/ann"
        assert await faults(view, session) == {}
        pathless = "arn:aws:iam::111122223333:role/ops"
        assert f"the entry names {OPS}" in (await faults(view, pathless))["access entry"]
        enter(lab, OPS, policies=(("AmazonEKSViewPolicy", ("dev",)),))
        answer = await view.describe("access", principal=OPS)
        told = {row["check"]: row for row in rows(answer, "why_403")}
        assert told["access policies"]["says"] == "AmazonEKSViewPolicy (namespace: dev): elsewhere 403"
        assert "no fault at the door" in answer["summary"]
        assert lab.requests.writes() == []


async def test_the_authentication_mode_decides_which_door_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab = view.lab
        plain = "arn:aws:iam::111122223333:role/ops"
        lab.store.create(aws_auth(OPS))
        assert "does not look at aws-auth" in (await faults(view, OPS))["authentication mode"]
        lab.account.area(EksState).authentication = "CONFIG_MAP"
        assert "must have no path" in (await faults(view, OPS))["aws-auth"]
        enter(lab, OPS, groups=("aiops:read",))
        found = lab.store.get("ConfigMap", "kube-system", "aws-auth")
        assert found is not None
        lab.store.update({**found, "data": aws_auth(plain)["data"]})
        assert await faults(view, OPS) == {}
        lab.store.update(
            {
                **found,
                "data": {"mapRoles": "{{ not yaml"},
                "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            }
        )
        wrong = await faults(view, OPS)
        assert set(wrong) == {"aws-auth"}
        lab.account.area(EksState).authentication = "API_AND_CONFIG_MAP"
        assert await faults(view, OPS) == {}


async def test_a_service_accounts_rights_and_its_role_by_irsa(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab, role = view.lab, "arn:aws:iam::111122223333:role/shop"
        lab.store.create(account("shop", role))
        wrong = await faults(view, "production/shop")
        assert "no binding names it" in wrong["Kubernetes rights"]
        assert wrong["IRSA role"] == f"{role}: no such role"
        roles = lab.account.area(Iam).roles
        roles["shop"] = Role("shop", trusting_account("production", "shop"))
        subject = {"kind": "ServiceAccount", "namespace": "production", "name": "shop"}
        lab.store.create({**bound("shop", ""), "subjects": [subject]})
        assert await faults(view, "production/shop") == {}
        roles["shop"] = Role("shop", trusting_account("production", "shop", audience="aws", subject="x:*"))
        wrong = await faults(view, "production/shop")
        assert "wants the audience aws" in wrong["IRSA audience"]
        assert "the token says system:serviceaccount:production:shop" in wrong["IRSA subject"]
        roles["shop"] = Role("shop", trusting_account("production", "shop", provider="oidc.other/id/1"))
        assert (
            "does not trust the cluster's OIDC provider"
            in (await faults(view, "production/shop"))["IRSA trust"]
        )
        lab.account.area(Iam).providers = ()
        assert "IAM has no provider" in (await faults(view, "production/shop"))["OIDC provider"]


async def test_a_service_accounts_role_by_pod_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab, role = view.lab, "arn:aws:iam::111122223333:role/jobs"
        lab.store.create(account("jobs"))
        answer = await view.describe("access", principal="production/jobs")
        told = {row["check"]: row for row in rows(answer, "why_403")}
        assert "no Pod Identity association" in str(told["AWS role"]["says"])
        lab.account.area(Access).associations["a-1"] = Association("a-1", "production", "jobs", role)
        lab.account.area(Iam).roles["jobs"] = Role("jobs", trusting_account("production", "jobs"))
        wrong = await faults(view, "production/jobs")
        assert "does not let pods.eks.amazonaws.com" in wrong["Pod Identity trust"]
        assert wrong["Pod Identity agent"] == "no agent runs in the cluster"
        lab.account.area(Iam).roles["jobs"] = Role("jobs", trusting_pods())
        lab.account.area(EksState).auto_mode = True
        assert set(await faults(view, "production/jobs")) == {"Kubernetes rights"}


async def test_without_a_principal_all_doors_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        enter(view.lab, OPS)
        role = "arn:aws:iam::111122223333:role/jobs"
        view.lab.store.create(account("jobs", role))
        view.lab.account.area(Access).associations["a-1"] = Association("a-1", "production", "jobs", role)
        answer = await view.describe("access")
        entries = {row["principal"]: row for row in rows(answer, "access_entries")}
        assert entries[OPS]["may_do_nothing"] is True
        assert entries["arn:aws:iam::111122223333:role/my-cluster-node"]["type"] == "EC2_LINUX"
        assert {row["by"] for row in rows(answer, "service_account_roles")} == {
            "IRSA (has both)",
            "Pod Identity (has both)",
        }
        assert "1 with neither policy nor group" in answer["summary"]
        assert not gaps(answer)


async def test_a_name_that_is_not_there_gets_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.store.create(account("payments-worker"))
        answer = await view.describe("access", principal="production/payment-worker")
        (row,) = rows(answer, "why_403")
        assert (row["check"], row["verdict"]) == ("ServiceAccount", "fault")
        assert "payments-worker" in str(row["next_step"]) + gaps(answer)


async def test_what_could_not_be_read_is_unknown_and_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=5) as view:
        lab, role = view.lab, "arn:aws:iam::111122223333:role/shop"
        lab.store.create(account("shop", role))
        lab.account.area(Iam).roles["shop"] = Role("shop", trusting_account("production", "shop"))
        lab.fail_aws("iam", "GetRole", code="AccessDenied")
        lab.fail_aws("eks", "ListPodIdentityAssociations", code="AccessDeniedException")
        answer = await view.describe("access", principal="production/shop")
        told = {row["check"]: row["verdict"] for row in rows(answer, "why_403")}
        assert told["AWS role"] == "unknown"
        assert "iam:GetRole" in gaps(answer)
        assert "eks:ListPodIdentityAssociations is not allowed" in gaps(answer)
        lab.aws_faults.clear()
        lab.fail_aws("eks", "ListAccessEntries", delay_s=20)
        answer = await view.describe("access", principal=OPS)
        assert {row["verdict"] for row in rows(answer, "why_403")} == {"unknown"}
        assert "eks:ListAccessEntries: [timeout]" in gaps(answer)


async def test_half_of_the_entries_and_bindings_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        lab = view.lab
        enter(lab, OPS, groups=("ops-team",))
        hidden = {"principalArn": "arn:aws:iam::111122223333:user/ci-cleanup"}
        lab.fail_aws("eks", "DescribeAccessEntry", code="ThrottlingException", params=hidden)
        role = lab.store.get("ClusterRole", None, "aiops-eks-read")
        assert role is not None
        role["rules"] = [rule for rule in role["rules"] if rule.get("apiGroups") != [RBAC]]
        lab.store.update(role)
        answer = await view.describe("access", principal=OPS)
        told = {row["check"]: row["verdict"] for row in rows(answer, "why_403")}
        assert told["access entry"] == "ok"
        assert told["group ops-team"] == "unknown"
        assert "eks:DescribeAccessEntry: [throttled]" in gaps(answer)
        assert "access: bindings" in gaps(answer)
        answer = await view.describe("access", principal="arn:aws:iam::111122223333:role/nobody")
        assert {row["verdict"] for row in rows(answer, "why_403")} == {"unknown"}
