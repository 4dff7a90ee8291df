"""Why a query found nothing: a name that does not exist (with the nearest), or labels that match nothing.

Called by the reader of metrics after an empty answer; what cannot be found out is not said.
"""

from aiops_observability.models.metrics import MetricAsk
from aiops_shared.errors import AiopsError
from aiops_shared.metrics.ports import MetricsBackend
from aiops_shared.metrics.series import MetricAnswer

NEAREST = 3
PROMQL = frozenset({"prometheus", "amp"})


async def why_empty(backend: MetricsBackend, answer: MetricAnswer, ask: MetricAsk) -> str:
    """One or two sentences with what to ask next."""
    if ask.what.endswith("_by_zone"):
        return "Request metrics carry no label `zone` here; analyze_traces(group_by=az) tells zones apart."
    names = _names(answer.query) if backend.name in PROMQL else ()
    try:
        for name in names:
            near = await backend.search(name, limit=NEAREST)
            told = [one.name for one in near]
            if name not in told:
                return f"There is no metric {name}; nearest: {', '.join(told) or 'none'}."
            if not ask.what:
                labels = ", ".join(near[0].labels) or "none"
                return (
                    f"{name} exists with the labels {labels}: no series matches these values in this window."
                )
    except AiopsError as error:
        return f"Names were not looked up: {error.wire()}"
    if ask.what:
        about = " ".join(part for part in (ask.kind, ask.name) if part) or "anything"
        return (
            f"Searched {ask.namespace or 'every namespace'} for {about}: check the name, or that its"
            " metrics were scraped in this window; search= finds names."
        )
    return "Check names and labels by search= or show=labels; the window may lie outside of what is kept."


def _names(query: str) -> tuple[str, ...]:
    from aiops_shared.metrics.promql import parsed, selectors

    try:
        return tuple(dict.fromkeys(one.name for one in selectors(parsed(query)) if one.name))
    except AiopsError:
        return ()
