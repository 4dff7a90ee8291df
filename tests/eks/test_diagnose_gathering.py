"""What diagnose gathers when sources fail, are forbidden or late: the rest answers, the gap is named."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
import pytest

from aiops_eks.clients import scope_reading as gathering
from aiops_eks.clients.facts import FactsReader
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_shared.errors import NotFoundError, UnreachableError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.models import LogLine
from tests.fakes.kube import FakeClock, FakeClusters, FakeKube, FakeSensitive, Obj, crashing, made, pod

TOKEN = "AKIA" + "IOSFODNN7EXAMPLE"
FATAL = f"level=fatal msg=boom key={TOKEN}"


@dataclass
class SlowKube(FakeKube):
    """Never answers for some kinds; counts how many requests were open at once."""

    silent: frozenset[str] = frozenset()
    broken_logs: bool = False
    open_now: int = 0
    most_open: int = field(default=0)

    async def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        await anyio.sleep(0.01 if kind not in self.silent else 60)
        self.open_now -= 1
        async for obj in super().every(kind, namespace, selector=selector, fields=fields, at_most=at_most):
            yield obj

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        previous: bool = False,
        tail: int = 200,
        since: datetime | None = None,
        limit_bytes: int = 1_000_000,
    ) -> Sequence[LogLine]:
        if self.broken_logs:
            raise UnreachableError("logs", "no connection")
        return await super().logs(namespace, pod, container=container, previous=previous, tail=tail)


def sick(**more: Any) -> SlowKube:
    lines = {("production", "cart-1", "app", True): [(130.0, FATAL)]}
    return SlowKube(objects=[crashing("cart-1", reason="Error"), pod("well")], lines=lines, **more)


async def diagnosed(
    kube: FakeKube, ask: Ask | None = None, sensitive: FakeSensitive | None = None
) -> Diagnosis:
    reader = FactsReader(FakeClusters([kube]), FakeClock(), sensitive or FakeSensitive(), redact)
    return answer(await reader.gather(ask or Ask()))


async def test_all_sources_are_asked_at_once_but_at_most_eight() -> None:
    kube = sick()
    found = await diagnosed(kube)
    assert [one.code for one in found.findings] == ["APP_ERROR"]
    assert 1 < kube.most_open <= 8


@pytest.mark.parametrize("kind", ["Event", "Node", "Service", "ReplicaSet"])
async def test_a_forbidden_source_is_a_named_gap_and_the_rest_answers(kind: str) -> None:
    found = await diagnosed(sick(denied=frozenset({kind})))
    assert [one.code for one in found.findings] == ["APP_ERROR"]
    assert any(gap.startswith(f"{kind}: [access_denied]") for gap in found.coverage_gaps)
    assert any(warning.startswith("coverage_gap: ") for warning in found.warnings)


async def test_a_source_that_never_answers_is_given_up_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "WITHIN_S", 0.5)
    found = await diagnosed(sick(silent=frozenset({"Event"})))
    assert [one.code for one in found.findings] == ["APP_ERROR"]
    assert any("Event: no answer" in gap for gap in found.coverage_gaps)


async def test_logs_that_cannot_be_read_leave_a_less_sure_answer() -> None:
    sure, unsure = await diagnosed(sick()), await diagnosed(sick(broken_logs=True))
    assert unsure.findings[0].code == "APP_ERROR"
    assert unsure.findings[0].confidence < sure.findings[0].confidence
    assert any(gap.startswith("logs of 1 containers: [unreachable]") for gap in unsure.coverage_gaps)


async def test_the_sensitive_switch_is_asked_once_and_only_when_a_log_is_worth_reading() -> None:
    switch = FakeSensitive()
    await diagnosed(FakeKube(objects=[pod("well")]), sensitive=switch)
    assert switch.asked == []
    await diagnosed(sick(), sensitive=switch)
    assert len(switch.asked) == 1


@pytest.mark.threat("T6")
async def test_a_secret_in_a_log_line_is_redacted_before_it_is_cut() -> None:
    found = await diagnosed(sick())
    assert "level=fatal" in str(found)
    assert TOKEN not in str(found)


async def test_secret_values_are_never_asked_for() -> None:
    reads = crashing("cart-1", reason="Error")
    reads["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "cart-db"}}]
    kube = FakeKube(objects=[reads, made("Secret", "cart-db", data={"password": "eA=="})])
    await diagnosed(kube)
    asked = [request for request in kube.requests if "secrets" in request]
    assert asked == ["table secrets production"]


async def test_an_unknown_object_is_refused_before_anything_is_listed() -> None:
    kube = sick()
    with pytest.raises(NotFoundError, match="nearest: cart-1"):
        await diagnosed(kube, Ask(kind="Pod", name="cart-2"))
    assert not [request for request in kube.requests if request.startswith("list services")]


async def test_a_name_in_two_namespaces_asks_which() -> None:
    kube = FakeKube(objects=[pod("twin", "production"), pod("twin", "staging")])
    with pytest.raises(NotFoundError, match="production, staging"):
        await diagnosed(kube, Ask(kind="Pod", name="twin"))
