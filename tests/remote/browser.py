"""A real browser without a window: headless Chromium, spoken to over its debugging pipe.

    async with browser() as chromium:
        page = await chromium.open("http://127.0.0.1:8000/approvals", width=390, dark=True)
        await page.fill("#token", token); await page.click("button.go")
        assert "waits" in await page.text(); (folder / "page.png").write_bytes(await page.picture())

No package is needed: the pipe carries JSON, each message ended by NUL (`--remote-debugging-pipe`). What loads
from elsewhere is in `page.asked`, what the page complains of in `page.complaints`.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from aiops_shared.settings import inherited

Obj = dict[str, Any]
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # the tests' container has no user namespaces; it shows our own pages alone
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
PATIENCE_S = 40.0


@dataclass
class Page:
    """One tab."""

    browser: "Chromium"
    session: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    loaded: anyio.Event = field(default_factory=anyio.Event)

    async def send(self, method: str, **params: Any) -> Obj:
        """One command of the DevTools protocol."""
        return await self.browser.send(method, params, self.session)

    async def go(self, url: str) -> None:
        """Load a page, wait until it stands."""
        self.loaded = anyio.Event()
        await self.send("Page.navigate", url=url)
        await self._stands()

    async def _stands(self) -> None:
        with anyio.fail_after(PATIENCE_S):
            await self.loaded.wait()

    async def script(self, expression: str) -> Any:
        """What an expression gives, run beside the page's own policy."""
        done = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def text(self) -> str:
        """All that can be read."""
        return str(await self.script("document.body.innerText"))

    async def fill(self, selector: str, value: str) -> None:
        """Write into a field."""
        await self.script(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(value)}; 0")

    async def click(self, selector: str) -> None:
        """Click as a person would: with the mouse, where the element is; wait for the page after it."""
        place = await self.script(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)}); it.scrollIntoView();"
            " const box = it.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        self.loaded = anyio.Event()
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": place[0], "y": place[1]}
            await self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **where)
        await self._stands()

    async def look(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """As on a screen of this size, in light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.send("Emulation.setEmulatedMedia", features=theme)

    async def fits(self) -> bool:
        """Whether nothing reaches out of the screen sideways."""
        return bool(await self.script("document.documentElement.scrollWidth <= window.innerWidth"))

    async def picture(self, *, whole: bool = True) -> bytes:
        """A PNG."""
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])


class Chromium:
    """The process."""

    def __init__(self, out: int, back: int) -> None:
        self._out, self._back = out, back
        self._next = 0
        self._waiting: dict[int, tuple[anyio.Event, list[Obj]]] = {}
        self._pages: dict[str, Page] = {}

    async def send(self, method: str, params: Obj, session: str = "") -> Obj:
        """A command, its answer."""
        self._next += 1
        number, came, box = self._next, anyio.Event(), list[Obj]()
        self._waiting[number] = (came, box)
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        await anyio.to_thread.run_sync(os.write, self._out, json.dumps(message).encode() + b"\0")
        with anyio.fail_after(PATIENCE_S):
            await came.wait()
        assert "error" not in box[0], f"{method}: {box[0].get('error')}"
        found: Obj = box[0].get("result", {})
        return found

    async def open(self, url: str = "about:blank", width: int = 1100, *, dark: bool = False) -> Page:
        """A tab of its own cookies."""
        context = (await self.send("Target.createBrowserContext", {}))["browserContextId"]
        wish = {"url": "about:blank", "browserContextId": context}
        target = (await self.send("Target.createTarget", wish))["targetId"]
        given = await self.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = self._pages[given["sessionId"]] = Page(self, given["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.send(f"{domain}.enable")
        await page.look(width, dark=dark)
        if url != "about:blank":
            await page.go(url)
        return page

    async def listen(self) -> None:
        """Hand out what comes, until the pipe ends."""
        left = b""
        while chunk := await anyio.to_thread.run_sync(os.read, self._back, 1 << 16, abandon_on_cancel=True):
            *whole, left = (left + chunk).split(b"\0")
            for text in whole:
                self._heard(json.loads(text))

    def _heard(self, said: Obj) -> None:
        if "id" in said:
            came, box = self._waiting.pop(said["id"])
            box.append(said)
            came.set()
            return
        page, params = self._pages.get(said.get("sessionId", "")), said.get("params", {})
        if page is None:
            return
        match said["method"]:
            case "Page.loadEventFired":
                page.loaded.set()
            case "Network.requestWillBeSent":
                page.asked.append(params["request"]["url"])
            case "Log.entryAdded":
                page.complaints.append(params["entry"]["text"])
            case "Runtime.exceptionThrown":
                page.complaints.append(json.dumps(params["exceptionDetails"]))


def _program() -> str:
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if inherited("CI"):
        pytest.fail("chromium is not installed")
    pytest.skip("chromium is not installed: the pages cannot be tried")


def _started(program: str, folder: Path, before: Callable[[], None]) -> subprocess.Popen[bytes]:
    command = [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    env = {"HOME": str(folder), "PATH": os.defpath, "LANG": "C.UTF-8"}
    with (folder / "browser.log").open("wb") as log:
        return subprocess.Popen(command, env=env, stdout=log, stderr=log, close_fds=False, preexec_fn=before)


@asynccontextmanager
async def browser() -> AsyncIterator[Chromium]:
    """Chromium with a profile of its own, gone afterwards."""
    program = _program()
    to_it, out = os.pipe()
    back, from_it = os.pipe()

    def as_it_wants() -> None:  # it reads commands from 3 and answers on 4
        os.dup2(os.dup(to_it), 3)
        os.dup2(os.dup(from_it), 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = _started(program, Path(folder), as_it_wants)
        os.close(to_it)
        os.close(from_it)
        chromium = Chromium(out, back)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chromium.listen)
                yield chromium
                tasks.cancel_scope.cancel()
        finally:
            os.close(out)
            process.terminate()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(process.wait, 10)
            os.close(back)
