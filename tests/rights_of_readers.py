"""What each call of a server that only reads asked of Kubernetes, AWS and AMP, beside its table of rights.

Used by `test_rights_used.py` of the observability and the cost server; the eks server, which writes, has a
walk of its own (`tests/eks/rights_walk.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from aiops_lab.observatory.amp import ACTIONS
from aiops_shared.auth.rights import Rights
from tests.asking import Asking
from tests.e2e.stage import Answer, Obj
from tests.eks.rights_walk import Use, Uses

OfStage = TypeVar("OfStage", bound=Asking)
FREE = {("aws", "sts:GetCallerIdentity")}  # no permission is needed (STS API reference)
SIGNED = {"monitoring": "cloudwatch"}  # IAM's name of a service, where it is not the signing name


def table(rights: Rights) -> Iterator[tuple[tuple[str, ...], Use]]:
    """Every right with its tools."""
    for kube in rights.kube:
        for verb in kube.verbs:
            yield kube.tools, ("kube", verb, kube.group, kube.resource, kube.namespace)
    for aws in rights.aws:
        yield aws.tools, ("aws", aws.action)


def given(rights: Rights) -> dict[str, set[Use]]:
    """By tool."""
    found: dict[str, set[Use]] = {}
    for tools, use in table(rights):
        for tool in tools:
            found.setdefault(tool, set()).add(use)
    return found


def wide(use: Use) -> Use:
    """In all namespaces: the tables have no other."""
    return (*use[:4], "") if use[0] == "kube" else use


def lacking(uses: Uses, rights: Rights) -> list[str]:
    """What was used and is not in the table of that tool."""
    granted = given(rights)
    return sorted(
        f"{tool}: {' '.join(use)}"
        for tool, book in uses.by_tool.items()
        for use in book - FREE
        if wide(use) not in granted.get(tool, set())
    )


class Walk(Generic[OfStage]):
    """Calls tools and books what each asked. `actions`: IAM's names where they are not the operations'."""

    def __init__(self, stage: OfStage, uses: Uses, actions: Mapping[str, str] | None = None) -> None:
        self.stage, self.uses, self.denied = stage, uses, list[str]()
        self._actions = actions or {}

    async def ask(self, tool: str, **arguments: object) -> Answer:
        """One call."""
        lab = self.stage.lab
        lab.requests.clear()
        lab.observatory.log.asked.clear()
        self.uses.aws.clear()
        answer = await self.stage.ask(tool, **arguments)
        for room, _, target in lab.observatory.log.asked:
            name = target.partition("?")[0].rstrip("/").rpartition("/")[2]
            if room == "amp" and name in ACTIONS:  # the rest AMP does not serve
                self.uses.aws.append(f"aps:{ACTIONS[name]}")
        self.uses.aws = [self._named(each) for each in self.uses.aws]
        self.uses.take(tool, lab.requests.entries)
        if "access_denied" in answer.text or "AccessDenied" in answer.text:
            self.denied.append(f"{tool} {arguments}: {answer.text[:400]}")
        return answer

    async def all(self, calls: Iterable[tuple[str, Obj]]) -> None:
        """Each of them."""
        for tool, arguments in calls:
            await self.ask(tool, **arguments)

    def _named(self, action: str) -> str:
        service, _, name = action.partition(":")
        named = f"{SIGNED.get(service, service)}:{name}"
        return self._actions.get(named, named)
