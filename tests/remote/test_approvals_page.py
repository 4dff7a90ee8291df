"""The approvals page in a real browser: a person signs in, sees the whole change, approves (D4, T7, T11)."""

from pathlib import Path
from typing import Any

import pytest

from aiops_shared.guardrails.models import FieldChange
from aiops_shared.guardrails.plans import digest_of_plan
from aiops_shared.settings import inherited
from tests.remote.approving import IMAGE, WaitingRoom, waiting_room
from tests.remote.browser import Page, browser
from tests.remote.issuer import Served, issuer

HOSTILE = (
    '</pre><script>document.title="owned"</script><img src=x onerror="document.title=1">\u202etxt.exe\x1b[2J'
)
PICTURES = "AIOPS_TEST_PICTURES"
LONG = "x" * 5_000
MANY = "\n".join(f"line {number} <b>&amp;</b>" for number in range(10_000))
pytestmark = [pytest.mark.timeout(120), pytest.mark.threat("T7"), pytest.mark.slow]


def kept(folder: Path, name: str, png: bytes) -> None:
    """Where a person can look at it: AIOPS_TEST_PICTURES, else the test's own folder."""
    where = Path(inherited(PICTURES).get(PICTURES, folder))
    (where / f"{name}.png").write_bytes(png)
    assert png.startswith(b"\x89PNG")


async def hostile_plan(room: WaitingRoom) -> str:
    """A plan whose every text wants out of its place."""
    changes = tuple(
        FieldChange(path=f"metadata.annotations.{name}", before=before, after=after)
        for name, before, after in (
            (HOSTILE, HOSTILE, f"{HOSTILE}\nsecond line"),
            ("long", LONG, f"{LONG}y"),
            ("many", "", MANY),
        )
    )
    more: dict[str, Any] = {"lost": (HOSTILE,), "warnings": (HOSTILE,), "reason": HOSTILE}
    _, approval = await room.asked(
        "other", confirm=f"Apply {HOSTILE}", diff=changes, reversible="none", **more
    )
    return approval.approval_id


async def test_a_person_signs_in_reads_compares_and_approves(tmp_path: Path) -> None:
    with issuer() as idp:
        async with waiting_room(tmp_path, idp) as room, browser() as chromium:
            change = (
                FieldChange(path=IMAGE, before="shop/web:1.4.2", after="shop/web:1.5.0"),
                FieldChange(
                    path="spec.template.spec.containers[name=app].args",
                    before="--port=8080\n--workers=4",
                    after="--port=8080\n--workers=8\n--trace",
                ),
            )
            plan, approval = await room.asked(
                "other", diff=change, warnings=("The PDB allows one at a time",)
            )
            about, digest = approval.approval_id, digest_of_plan(plan)
            hostile = await hostile_plan(room)
            with Served(room.server, room.settings) as place:
                page = await chromium.open(f"{place.base}/approvals/{about}", width=1000)
                await signs_in(page, idp.token(sub="ben"), tmp_path)
                await reads(page, plan.confirm, digest, tmp_path)
                await is_not_fooled(page, f"{place.base}/approvals/{hostile}", tmp_path)
                await page.go(f"{place.base}/approvals")
                assert "2 waiting" in await page.text()
                kept(tmp_path, "list", await page.picture())
                await page.click(f'a[href="approvals/{about}"]')
                assert digest[:8] in await page.text()
                await page.click("button.go")
                assert "approved, not executed yet by ben" in await page.text()
                assert await room.state_of(about) == "approved"
                assert await page.script("document.querySelectorAll('form.decide').length") == 0
                await page.click("header button")
                assert "Sign in to approve" in await page.text()
                assert {url.split("/")[2] for url in page.asked} == {place.base.split("/")[2]}
                assert [said for said in page.complaints if "favicon" not in said and "401" not in said] == []


async def signs_in(page: Page, token: str, folder: Path) -> None:
    """A wrong token first, then the right one."""
    assert "Sign in to approve" in await page.text()
    kept(folder, "sign-in", await page.picture())
    await page.fill("#token", "not.a.token")
    await page.click("button.go")
    assert "This token is not taken" in await page.text()
    await page.fill("#token", token)
    await page.click("button.go")
    assert await page.script("document.cookie") == "", "no script could read the cookie"


async def reads(page: Page, says: str, digest: str, folder: Path) -> None:
    """All that a person needs, on every screen."""
    text = await page.text()
    for word in (
        says,
        "anna",
        "shop/web:1.4.2",
        "shop/web:1.5.0",
        "3 of 9 pods, one at a time",
        "prod-image",
        "a new image in production",
        "in part",
        "requests under way",
        digest,
        digest[:8],
        "30 min",
        "ben",
        "fixes the 504s",
        "The PDB allows one at a time",
        "somebody other than who asked",
    ):
        assert word in text, word
    colours = set()
    for name, width, dark in (("light", 1000, False), ("dark", 1000, True), ("narrow", 360, False)):
        await page.look(width, dark=dark)
        assert await page.fits(), name
        colours.add(await page.script("getComputedStyle(document.body).backgroundColor"))
        assert await page.script("getComputedStyle(document.querySelector('.del')).backgroundColor") != (
            await page.script("getComputedStyle(document.querySelector('.add')).backgroundColor")
        )
        kept(folder, f"plan-{name}", await page.picture())
    assert len(colours) == 2, "dark is dark"
    await page.look(1000)


async def is_not_fooled(page: Page, url: str, folder: Path) -> None:
    """Hostile text is text: nothing runs, nothing leaves its box, all ten thousand lines are there."""
    for width in (1000, 360):
        await page.look(width)
        await page.go(url)
        assert str(await page.script("document.title")).startswith("Apply ")
        assert await page.script("document.querySelectorAll('script, img, b').length") == 0
        text = await page.text()
        assert "</pre><script>" in text
        assert "\u202e" not in text
        assert "+ line 9999 <b>&amp;</b>" in text
        assert "cannot be undone" in text
        assert await page.fits()
        kept(folder, f"hostile-{width}", await page.picture(whole=False))
    await page.look(1000)
