"""One question of the demo: shown, asked, kept for the bench, its summary told."""

from collections.abc import Awaitable, Callable
from typing import Any

from eks_aiops.demo.clients import Ask as Plain
from eks_aiops.demo.report import Report

Heard = list[tuple[str, str]]
Ask = Callable[..., Awaitable[dict[str, Any]]]


def asking(report: Report, plain: Plain, heard: Heard) -> Ask:
    """How acts that only read ask their server."""

    async def ask(tool: str, **wanted: Any) -> dict[str, Any]:
        report.step(f"{tool}({', '.join(f'{key}={value!r}' for key, value in wanted.items())})")
        answer = await plain(tool, **wanted)
        heard.append((tool, answer.text))
        report.says(answer.error or str(answer.data.get("summary", "")))
        return answer.data

    return ask
