"""Why a principal gets 403, the pure side: forms of ARNs, misshapen answers, what is never a fault."""

import pytest

from aiops_eks.clients.aws_ground_shapes import access_entry, role, subnet
from aiops_eks.models.access_reasons import (
    FAULT,
    OK,
    UNKNOWN,
    binding,
    entry_checks,
    irsa_checks,
    rights_checks,
    who,
)
from aiops_eks.models.aws_ground import AccessEntry, RoleTrust, TrustRule

ISSUER = "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC"
PROVIDER = f"Federated arn:aws:iam::111122223333:oidc-provider/{ISSUER[8:]}"
SUBJECT = "system:serviceaccount:shop:web"


@pytest.mark.parametrize(
    ("given", "arn", "session"),
    [
        ("arn:aws:iam::111122223333:role/a/b/ops", "arn:aws:iam::111122223333:role/a/b/ops", False),
        ("arn:aws:sts::111122223333:assumed-role/ops/ann", "arn:aws:iam::111122223333:role/ops", True),
        ("arn:aws-cn:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/ann", False),
    ],
)
def test_an_arn_is_read_as_access_entries_name_it(given: str, arn: str, session: bool) -> None:
    found = who(given)
    assert found is not None
    assert (found.arn, found.session) == (arn, session)


@pytest.mark.parametrize("given", ["", "ops", "arn:aws:iam::1:role/x", "arn:aws:s3:::bucket", "a/b"])
def test_what_is_no_iam_principal_is_not_read_as_one(given: str) -> None:
    assert who(given) is None


def test_entries_that_could_not_be_read_are_unknown() -> None:
    found = who("arn:aws:iam::111122223333:role/ops")
    assert found is not None
    checks, known = entry_checks(found, "API_AND_CONFIG_MAP", None, None)
    assert ({one.verdict for one in checks}, known) == ({UNKNOWN}, None)


def test_an_entry_whose_policies_are_unknown_is_not_called_idle() -> None:
    entry = AccessEntry("arn:aws:iam::111122223333:role/ops", policies_known=False)
    assert {one.verdict for one in rights_checks(entry, [])} == {UNKNOWN}
    assert FAULT in {one.verdict for one in rights_checks(AccessEntry("x"), [])}


def test_built_in_groups_need_no_binding() -> None:
    entry = AccessEntry("x", groups=("system:masters",))
    assert FAULT not in {one.verdict for one in rights_checks(entry, [])}


@pytest.mark.parametrize(
    ("operator", "value", "verdict"),
    [
        ("StringLike", "system:serviceaccount:shop:*", OK),
        ("StringEquals", "system:serviceaccount:shop:*", FAULT),
        ("StringLike", "system:serviceaccount:other:*", FAULT),
        ("ForAnyValue:StringLike", "system:*:web", OK),
        ("Null", "false", OK),
    ],
)
def test_conditions_are_judged_by_their_operator(operator: str, value: str, verdict: str) -> None:
    rule = TrustRule(
        ("sts:AssumeRoleWithWebIdentity",), (PROVIDER,), ((operator, f"{ISSUER[8:]}:sub", (value,)),)
    )
    arn = "arn:aws:iam::111122223333:role/web"
    checks = irsa_checks("shop", "web", arn, ISSUER, RoleTrust(arn, (rule,)), [PROVIDER.split()[1]])
    worst = FAULT if any(one.verdict == FAULT for one in checks) else OK
    assert worst == verdict, checks


def test_one_statement_that_fits_is_enough() -> None:
    key = f"{ISSUER[8:]}:sub"
    rules = tuple(
        TrustRule(("sts:*",), (PROVIDER,), (("StringEquals", key, (one,)),)) for one in ("other", SUBJECT)
    )
    arn = "arn:aws:iam::111122223333:role/web"
    checks = irsa_checks("shop", "web", arn, ISSUER, RoleTrust(arn, rules), None)
    assert {one.verdict for one in checks} == {OK, UNKNOWN}  # the providers were not read


def test_misshapen_answers_read_as_absent() -> None:
    for broken in (
        {},
        {"AssumeRolePolicyDocument": "%7Bnope"},
        {"AssumeRolePolicyDocument": {"Statement": [3]}},
    ):
        assert role(broken).rules == ()
    one = {"Effect": "Allow", "Principal": "*", "Action": 7, "Condition": {"StringEquals": "x"}}
    (rule,) = role({"AssumeRolePolicyDocument": {"Statement": one}}).rules
    assert (rule.actions, rule.principals, rule.conditions) == ((), ("AWS *",), ())
    assert access_entry({"accessEntry": {"kubernetesGroups": "x"}}, "p") == AccessEntry("p")
    assert subnet({"CidrBlock": "nonsense", "Tags": "x"}).size == 0
    odd = binding({"subjects": [None, {"kind": 1}], "roleRef": []}, frozenset())
    assert (odd.kind, odd.role_there) == ("ClusterRoleBinding", False)
