"""Money: the causes that the cost server found, with what would save it."""

from collections.abc import Callable, Iterator
from typing import Final

from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.hypotheses import Hypothesis, Seen, Test
from aiops_sop.analysis.causes.reading import Obj, amount, inner, objects, text, texts
from aiops_sop.models.investigations import Action, Level

_TOPICS: Final = frozenset({"cost"})
MOST_ACTIONS: Final = 3
_RISKS: Final[dict[str, Level]] = {"low": "low", "medium": "medium", "high": "high"}


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """One for each cause of a changed bill; none when growth explains it."""
    told = facts.said("cost")
    if text(told.get("verdict")) == "no_anomaly":
        return
    for cause in objects(told.get("causes")):
        if text(cause.get("code")):
            yield _cause(facts, cause)


def _cause(facts: Facts, cause: Obj) -> Hypothesis:
    code, says, usd = text(cause.get("code")), text(cause.get("cause")), amount(cause.get("change_usd"))
    seen = tuple(objects(cause.get("evidence")))
    asked = facts.question.cluster
    cluster = asked if isinstance(asked, str) else text(facts.said("diagnose").get("cluster"))
    tests = [Test("the bill shows it", lambda _: Seen(True, says, "cost", "explain_cost_change"))]
    tests += [Test(_words(one), _given(one), "supports") for one in seen[1:2]]
    return Hypothesis(
        code=code,
        kind="Bill",
        namespace="",
        name=cluster or "account",
        severity="medium",
        headline=f"{says.rstrip('.')} (${usd:,.2f} more)",
        text=says,
        tests=tuple(tests),
        base=min(1.0, max(0.0, amount(cause.get("confidence"), 0.5))),
        answers=_TOPICS,
        actions=tuple(_actions(facts, code)),
        innocent=texts(cause.get("ruled_out")),
        sop="cost-spike",
        details={"hurts": (facts.question.service,)},
    )


def _words(one: Obj) -> str:
    return text(one.get("query")) or "another source agrees"


def _given(one: Obj) -> Callable[[Facts], Seen]:
    seen = Seen(True, text(one.get("says")), text(one.get("source")), text(one.get("query")))
    return lambda _: seen


def _actions(facts: Facts, code: str) -> Iterator[Action]:
    """What saves most, the advice of the same code first."""
    told = [one for one in objects(facts.said("savings").get("recommendations")) if text(one.get("proposed"))]
    told.sort(
        key=lambda one: (text(one.get("code")) != code, -amount(one.get("monthly_usd")), text(one.get("key")))
    )
    for one in told[:MOST_ACTIONS]:
        usd = amount(one.get("monthly_usd"))
        saves = f" (${usd:,.2f} a month)" if usd else ""
        yield Action(
            action=f"{text(one.get('target'))}: {text(one.get('proposed'))}{saves}",
            risk=_RISKS.get(text(inner(one, "risk", "level")), "medium"),
            needs_approval=True,
            sop="cost-spike",
            tool="cost.recommend_savings",
        )
