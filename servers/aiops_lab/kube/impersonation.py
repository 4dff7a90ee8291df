"""Acting as somebody else by `Impersonate-*` headers, where the caller has the right to."""

from starlette.datastructures import Headers

from aiops_lab.kube.errors import ApiError, PlainAnswer
from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.rbac import Attributes, Rbac, refusal

_SERVICE_ACCOUNT = "system:serviceaccount:"
_NO_USER = "without impersonating a user"
_EXTRA = "impersonate-extra-"


def impersonated(path: str, headers: Headers, caller: UserInfo, rbac: Rbac) -> UserInfo:
    """Whom the request acts as; the caller itself without such headers. Raises ApiError 403,
    or PlainAnswer 500 where a group or a uid comes without a user (endpoints/filters/impersonation.go)."""
    name, groups = headers.get("impersonate-user", ""), tuple(headers.getlist("impersonate-group"))
    if not name:
        if alone := _without_user(headers, groups):
            raise PlainAnswer(500, f'Internal Server Error: "{path}": requested [{alone}] {_NO_USER}\n')
        return caller
    for wanted in [_subject(name), *(Attributes("impersonate", "", "groups", name=g) for g in groups)]:
        _require(caller, wanted, rbac)
    extra = {
        key.removeprefix(_EXTRA): tuple(headers.getlist(key)) for key in headers if key.startswith(_EXTRA)
    }
    for key, values in extra.items():
        for value in values:
            wanted = Attributes("impersonate", "authentication.k8s.io", "userextras", key, name=value)
            _require(caller, wanted, rbac)
    return UserInfo(name, _groups(name, groups), extra, headers.get("impersonate-uid", ""))


def _without_user(headers: Headers, groups: tuple[str, ...]) -> str:
    """What is asked for beside a user, as Go prints the list of references."""
    asked = [f"{{Group  {group}    }}" for group in groups]
    asked += [f"{{UserExtra  {headers[key]}   {key} }}" for key in headers if key.startswith(_EXTRA)]
    if uid := headers.get("impersonate-uid", ""):
        asked.append(f"{{UID  {uid}  authentication.k8s.io/v1  }}")
    return " ".join(asked)


def _subject(name: str) -> Attributes:
    if name.startswith(_SERVICE_ACCOUNT) and name.count(":") == 3:
        namespace, _, account = name.removeprefix(_SERVICE_ACCOUNT).partition(":")
        return Attributes("impersonate", "", "serviceaccounts", namespace=namespace, name=account)
    return Attributes("impersonate", "", "users", name=name)


def _require(caller: UserInfo, wanted: Attributes, rbac: Rbac) -> None:
    if not rbac.allows(caller, wanted):
        error: ApiError = refusal(caller, wanted.resource, wanted)
        raise error


def _groups(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    if name.startswith(_SERVICE_ACCOUNT) and not groups:
        namespace = name.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return (*groups, "system:authenticated") if "system:authenticated" not in groups else groups
