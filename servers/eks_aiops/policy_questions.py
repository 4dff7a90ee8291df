"""One made-up question to a policy, and its answer in words: what `eks-aiops policy ask` says.

The facts are those of an ordinary, well measured change but for what is given, the same as in the agreed
verdicts, so that an answer depends on what was asked and not on what was left out.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, get_args

from pydantic import ValidationError

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import ActionName, Caller, Environment, Facts, Limits, Request, Verdict
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import Settings
from eks_aiops.drilling.verdict_rows import ORDINARY

_WAITS: Final = {"requester": "waits for the requester", "other": "waits for another person"}
_SWITCHES: Final = frozenset({"frozen", "sensitive", "audit_down"})  # of the request, not measured


def question(
    action: str, target: str, told: Sequence[str], *, env: str, caller: Caller, at: datetime
) -> Request:
    """The request; `target` is KIND/NAME or KIND/NAMESPACE/NAME, `told` are NAME=VALUE.

    Raises InvalidInputError.
    """
    if action not in get_args(ActionName):
        raise InvalidInputError(action, "no action of that name", f"one of {', '.join(get_args(ActionName))}")
    if env not in get_args(Environment):
        raise InvalidInputError(env, "no environment of that name", "one of prod, staging, dev")
    kind, namespace, name = _target(target)
    given = dict(_pair(one) for one in told)
    limits = {key: value for key, value in given.items() if key in Limits.model_fields}
    switches = {key: value for key, value in given.items() if key in _SWITCHES}
    facts = {key: value for key, value in given.items() if key not in {*limits, *switches}}
    if unknown := sorted(set(facts) - set(Facts.model_fields)):
        raise InvalidInputError(unknown[0], "policy knows no such fact", "docs/policy-cookbook.md names them")
    try:
        return Request.model_validate(
            {
                "action": action,
                "kind": kind,
                "namespace": namespace,
                "name": name,
                "cluster": "shop-prod",
                "caller": caller,
                "limits": limits,
                "at": at,
                **switches,
                "facts": {**ORDINARY, **facts, "env": env},
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInputError(str(first["loc"][-1]), first["msg"], "give it as NAME=VALUE") from error


def answer(request: Request, settings: Settings) -> str:
    """What policy says; a second line where the environment's autonomy asks for more."""
    verdict = Policy(settings.policy).decide(request)
    capped = Modes.of(settings).capped(verdict, request)
    lines = [f"{_said(verdict)} by rule {verdict.rule}{': ' if verdict.advice else ''}{verdict.advice}"]
    if _said(capped) != _said(verdict):
        autonomy = Modes.of(settings).autonomy[request.facts.env]
        lines.append(f"under autonomy {autonomy}: {_said(capped)}")
    return "\n".join(lines)


def _said(verdict: Verdict) -> str:
    return _WAITS.get(verdict.approver, verdict.decision)


def _target(text: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise InvalidInputError(text, "it names no object", "write Kind/namespace/name, or Kind/name")
    return parts[0], parts[1] if len(parts) == 3 else "", parts[-1]


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidInputError(text, "it has no value", "write NAME=VALUE")
    return name, value
