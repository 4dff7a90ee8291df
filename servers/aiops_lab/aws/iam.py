"""IAM, as far as a cluster's workloads need it: roles with whom they trust, and OIDC providers.

moto has both, in one set for the whole process and with ids of its own; a scenario sets these in
`account.area(Iam)`. IAM is global: which region asked makes no difference.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

ISSUER = f"oidc.eks.{REGION}.amazonaws.com/id/LAB"
PROVIDER = f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{ISSUER}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role and its trust policy."""

    name: str
    trust: Mapping[str, Any]
    path: str = "/"

    @property
    def arn(self) -> str:
        """Its ARN, path included."""
        return f"arn:aws:iam::{ACCOUNT_ID}:role{self.path}{self.name}"


@dataclass(slots=True)
class Iam:
    """Roles by name, and the providers that the account trusts."""

    roles: dict[str, Role] = field(default_factory=dict)
    providers: tuple[str, ...] = (PROVIDER,)


def trusting_account(namespace: str, name: str, **changed: Any) -> dict[str, Any]:
    """The trust policy of IRSA for a ServiceAccount; `provider`, `audience` and `subject` may be wrong."""
    provider = str(changed.get("provider", ISSUER))
    conditions = {
        f"{provider}:aud": changed.get("audience", "sts.amazonaws.com"),
        f"{provider}:sub": changed.get("subject", f"system:serviceaccount:{namespace}:{name}"),
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{provider}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": conditions},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def trusting_pods() -> dict[str, Any]:
    """The trust policy of EKS Pod Identity."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def iam_operations(account: Account) -> Operations:
    """The operations of service `iam`, bound to one account."""
    served = {
        "GetRole": get_role,
        "ListOpenIDConnectProviders": list_open_id_connect_providers,
    }
    return {("iam", name): partial(act, account) for name, act in served.items()}


def get_role(account: Account, call: Call) -> Mapping[str, Any]:
    """A role with its trust policy, URL-encoded as IAM sends it. Raises AwsError NoSuchEntity."""
    name = str(call.params["RoleName"])
    found = account.area(Iam).roles.get(name)
    if found is None:
        raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    return {
        "Role": {
            "Path": found.path,
            "RoleName": found.name,
            "RoleId": f"AROA{found.name.upper()[:9]:0<9}EXAMPLE".replace("-", "X"),
            "Arn": found.arn,
            "CreateDate": account.created_at,
            "AssumeRolePolicyDocument": quote(json.dumps(found.trust)),
            "MaxSessionDuration": 3600,
        }
    }


def list_open_id_connect_providers(account: Account, call: Call) -> Mapping[str, Any]:
    """The OIDC providers of the account."""
    del call
    return {"OpenIDConnectProviderList": [{"Arn": arn} for arn in account.area(Iam).providers]}
