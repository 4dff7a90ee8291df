"""Who there is in the lab's account: users and roles, their access keys, the sessions that STS hands out.

The overlay asks it who signed a request, STS adds sessions to it, and the Kubernetes API asks it (by
`aiops_lab.identity`) who stands behind an EKS token. Every secret is drawn anew for each lab, so a token
of one lab is worth nothing in another.
"""

import secrets
import threading
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.errors import denied

SESSION_S = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Principal:
    """A user or a role of an account. `trusts` names who may assume a role: a name of its own account, or
    the ARN of another's; `external_id` is what they must say then.
    """

    name: str
    kind: str  # "user" or "role"
    groups: tuple[str, ...] = ()
    trusts: frozenset[str] = frozenset()
    account: str = ACCOUNT_ID
    external_id: str = ""

    @property
    def arn(self) -> str:
        """The IAM ARN, which access entries name."""
        return f"arn:aws:iam::{self.account}:{self.kind}/{self.name}"

    @property
    def key(self) -> str:
        """Under which the directory has it: its name at home, `account/name` elsewhere."""
        return self.name if self.account == ACCOUNT_ID else f"{self.account}/{self.name}"

    def trusts_caller(self, caller: "Principal", external_id: str) -> bool:
        """Whether its trust policy lets the caller assume it."""
        at_home = caller.account == self.account and caller.name in self.trusts
        known = at_home or caller.arn in self.trusts
        return known and self.external_id in {"", external_id}


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key pair, with the session token when it belongs to a role's session."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    principal: Principal
    session_token: str | None = field(default=None, repr=False)
    session_name: str | None = None
    expires_at: datetime | None = None

    @property
    def caller_arn(self) -> str:
        """The ARN that GetCallerIdentity answers."""
        if self.principal.kind == "user":
            return self.principal.arn
        account, role = self.principal.account, self.principal.name
        return f"arn:aws:sts::{account}:assumed-role/{role}/{self.session_name}"

    @property
    def user_id(self) -> str:
        """The unique id that GetCallerIdentity answers; a role's carries the session's name."""
        if self.principal.kind == "user":
            return _unique_id("AIDA", _called(self.principal))
        return f"{_unique_id('AROA', _called(self.principal))}:{self.session_name}"


def _called(principal: Principal) -> str:
    """What tells it from one of the same name in another account, within the nine letters of an id."""
    at_home = principal.account == ACCOUNT_ID
    return principal.name if at_home else principal.name[-5:] + principal.account[-4:]


def _unique_id(prefix: str, name: str) -> str:
    letters = "".join(letter for letter in name.upper() if letter.isalnum())
    return f"{prefix}{letters[:9].ljust(9, '0')}EXAMPLE"


# A newcomer's account: one administrator, one role for each right that `docs/guardrails.md` speaks of, one
# for each server that only reads, and the pipeline user that scenarios blame for a deleted ConfigMap.
LAB_PRINCIPALS = (
    Principal("lab-admin", "user", ("system:masters",)),
    Principal("ci-cleanup", "user", ("aiops:ci",)),
    Principal("aiops-reader", "role", ("aiops:read",), frozenset({"lab-admin", "aiops-reader"})),
    Principal("aiops-planner", "role", ("aiops:plan",), frozenset({"lab-admin", "aiops-planner"})),
    Principal("aiops-executor", "role", ("aiops:execute",), frozenset({"lab-admin", "aiops-executor"})),
    Principal("aiops-observer", "role", ("aiops:observe",), frozenset({"lab-admin", "aiops-observer"})),
    Principal("aiops-accountant", "role", ("aiops:account",), frozenset({"lab-admin", "aiops-accountant"})),
)


def principals_of(account: str, external_id: str) -> tuple[Principal, ...]:
    """A further account: for each principal at home a role that it and the administrator may assume."""
    admin = LAB_PRINCIPALS[0].arn
    return tuple(
        replace(
            one, kind="role", account=account, external_id=external_id, trusts=frozenset({admin, one.arn})
        )
        for one in LAB_PRINCIPALS
    )


class Directory:
    """The account's principals and every key that is valid now. Used from many request threads."""

    def __init__(self, wall: Callable[[], float], principals: Iterable[Principal] = LAB_PRINCIPALS) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self.principals = {principal.key: principal for principal in principals}
        self._keys: dict[str, AccessKey] = {}
        self._standing = {name: self._standing_key(one) for name, one in self.principals.items()}

    def now(self) -> datetime:
        """Real time: how long a credential lasts is never virtual (decision D19)."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def standing(self, name: str) -> AccessKey:
        """The key a principal has from the start. Raises KeyError for an unknown name (`Principal.key`)."""
        return self._standing[name]

    def key(self, access_key_id: str) -> AccessKey | None:
        """The key of this id, or None when there is none."""
        return self._keys.get(access_key_id)

    def of_account(self, account: str) -> "Directory":
        """The same directory as one account's own services see it: its principals alone, as if at home."""
        seen = copy(self)
        there = [one for one in self.principals.values() if one.account == account]
        seen.principals = {one.name: replace(one, account=ACCOUNT_ID) for one in there}
        return seen

    def assume(
        self, caller: AccessKey, role_arn: str, session_name: str, duration_s: float, external_id: str = ""
    ) -> AccessKey:
        """A new session of a role. Raises AwsError AccessDenied, as STS does for an unknown role too."""
        role = next((one for one in self.principals.values() if one.arn == role_arn), None)
        if role is None or not role.trusts_caller(caller.principal, external_id):
            who = f"User: {caller.caller_arn} is not authorized to perform"
            raise denied(f"{who}: sts:AssumeRole on resource: {role_arn}")
        session = AccessKey(
            access_key_id=_unique_id("ASIA", secrets.token_hex(5)),
            secret_access_key=_fake_secret(),
            principal=role,
            session_token=_fake_session_token(role.name),
            session_name=session_name,
            expires_at=self.now() + timedelta(seconds=duration_s),
        )
        self._add(session)
        return session

    def _standing_key(self, principal: Principal) -> AccessKey:
        is_role = principal.kind == "role"
        key = AccessKey(
            access_key_id=_unique_id("ASIA" if is_role else "AKIA", _called(principal)),
            secret_access_key=_fake_secret(),
            principal=principal,
            session_token=_fake_session_token(principal.name) if is_role else None,
            session_name="lab" if is_role else None,
        )
        self._add(key)
        return key

    def _add(self, key: AccessKey) -> None:
        with self._lock:
            now = self.now()
            alive = {k: v for k, v in self._keys.items() if v.expires_at is None or v.expires_at > now}
            self._keys = {**alive, key.access_key_id: key}


def _fake_secret() -> str:
    return f"lab-secret-worth-nothing-{secrets.token_hex(8)}"


def _fake_session_token(name: str) -> str:
    return f"lab-session-worth-nothing-{name}-{secrets.token_hex(8)}"
