"""The hosts' pages in a real browser: each draws its data, light, dark, wide and narrow, and asks nobody."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_cost.charts.pages import money_page
from aiops_observability.charts.pages import series_page
from aiops_shared.app.views import DATA_KEY
from aiops_shared.settings import inherited
from aiops_sop.charts.marks import Mark
from aiops_sop.charts.page_data import timeline_page
from aiops_sop.charts.pages import story_page
from tests.remote.browser import Page, browser

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
PICTURES = "AIOPS_TEST_PICTURES"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.threat("T7")]
Obj = dict[str, Any]


def at(minutes: float) -> float:
    return T0.timestamp() + 60 * minutes


def a_step(name: str, state: str, began: float | None, took: float | None = None, **more: Any) -> Obj:
    found = {"id": name.lower(), "title": name, "state": state, **more}
    if began is not None:
        found["from_s"] = at(began)
    if began is not None and took is not None:
        found["to_s"] = at(began + took)
    return found


def a_run() -> Obj:
    steps = [
        a_step("Look at the deployment", "done", 0, 0.3),
        a_step(f"Find the leak {HOSTILE}", "done", 0.3, 1.2),
        a_step("Raise the memory limit", "done", 1.5, 2, action="act_1", says="memory 256Mi to 384Mi"),
        a_step("Wait for the rollout", "undone", 3.5, 4, back=True, says="readiness failed: given back"),
        a_step("Ask whether to roll back", "waiting", 7.5),
        a_step("Roll back", "pending", None),
    ]
    waiting = {"says": "Is checkout out of traffic?", "how": "eks-aiops approve ask_1", "until": "09:30"}
    row = {
        "kind": "run",
        "state": "waiting",
        "from_s": at(0),
        "to_s": at(9),
        "steps": steps,
        "waiting": waiting,
        "phases_s": {"detect": 30, "act": 120},
        "left_out": 0,
    }
    return {"title": "memory-leak for production/checkout: waiting", "rows": [row]}


def an_incident() -> Obj:
    marks = [
        Mark(T0, "deploy", "release 1.5.0 of checkout", 1),
        Mark(T0 + timedelta(minutes=4), "metrics", "memory grows 3 MiB/min", 2),
        Mark(T0 + timedelta(minutes=21), "kubernetes", f"OOMKilled {HOSTILE}", 3),
        Mark(T0 + timedelta(minutes=22), "alarms", "checkout-5xx fires", 4),
        Mark(T0 + timedelta(minutes=9), "cost", "nothing unusual"),
        Mark(T0 + timedelta(minutes=15), "logs", "GC overhead limit"),
    ]
    return timeline_page("checkout is killed since 1.5.0", marks)


def a_series() -> Obj:
    row = {
        "name": "memory",
        "unit": "MiB",
        "first_s": at(0),
        "step_s": 60,
        "values": [*range(100, 140), None],
        "anomalies": [
            {"kind": "growth", "from_s": at(20), "to_s": at(39), "expected": 105, "low": 90, "high": 120}
        ],
        "limit": 256,
        "verdict": "suspected leak",
    }
    return {"title": "Anomalies: memory", "rows": [row]}


def a_bill() -> Obj:
    parts = [{"name": "nodes", "value": 120.5}, {"name": "traffic", "value": -30.0}]
    row = {
        "kind": "waterfall",
        "unit": "USD",
        "before": {"name": "last week", "value": 900.0},
        "parts": parts,
        "after": {"name": "this week", "value": 990.5},
    }
    return {"title": "why the bill moved", "rows": [row]}


async def drawn(page: Page, folder: Path, name: str, make: Callable[[], str], data: Obj) -> str:
    """The page with the data of a call, as a host hands it over; a picture of each look. Its text."""
    (folder / f"{name}.html").write_text(make(), "utf-8")
    await page.look(820)
    await page.go((folder / f"{name}.html").as_uri())
    answer = {"structuredContent": {"summary": f"In short {HOSTILE}"}, "_meta": {DATA_KEY: data}}
    said = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": answer}
    theme = {"jsonrpc": "2.0", "method": "ui/notifications/host-context-changed", "params": {"theme": "dark"}}
    post = "new Promise((done) => {{ window.postMessage({}, '*'); setTimeout(done, 50); }})"
    await page.script(post.format(json.dumps(said)))
    where = Path(inherited(PICTURES).get(PICTURES, folder))
    (where / f"page-{name}.png").write_bytes(await page.picture())
    await page.script(post.format(json.dumps(theme)))
    await page.look(380)
    assert await page.fits(), name
    (where / f"page-{name}-dark-narrow.png").write_bytes(await page.picture())
    text = await page.text()
    assert f"In short {HOSTILE}" in text
    assert await page.script("document.title") != "owned"
    assert await page.script("document.querySelectorAll('img').length") == 0
    assert [url for url in page.asked if not url.startswith("file:")] == []
    assert page.complaints == []
    shapes = (
        "document.querySelectorAll('#rows svg rect, #rows svg circle, #rows svg path, #rows svg polyline')"
    )
    assert await page.script(f"{shapes}.length") > 1, "something is drawn"
    return text


async def test_every_page_draws_what_it_is_given_and_asks_nobody(tmp_path: Path) -> None:
    async with browser() as chromium:
        page = await chromium.open()
        text = await drawn(page, tmp_path, "run", story_page, a_run())
        for word in (
            "Waits: Is checkout out of traffic?",
            "eks-aiops approve ask_1",
            "◆ Raise the memory limit",
            "↺ Wait for the rollout",
            "act 2 min",
            "◆ 2 min",
            "pending",
            "09:",
        ):
            assert word in text or word in await page.script("document.body.textContent"), word
        assert await page.script("document.querySelectorAll('rect.waiting').length") == 1
        text = await drawn(page, tmp_path, "incident", story_page, an_incident())
        assert await page.script("document.querySelectorAll('circle.link').length") == 4
        assert text.index("release 1.5.0") < text.index("memory grows") < text.index("OOMKilled")
        await drawn(page, tmp_path, "series", series_page, a_series())
        await drawn(page, tmp_path, "bill", money_page, a_bill())
