"""Browsers on the live page, for `page_browsers.py`: cheap ones over HTTP, and tabs of Chromium.

Each kind runs in a process of its own and puts one dictionary a browser into a queue: how many states and pictures it
received, how many MB, the longest time without a state, and what went wrong.
"""

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

import httpx2

RETRY_S = 2.0  # after which a browser opens a stream again that has ended
PICTURE = re.compile(r'src="(/events/[^"]+/picture\.jpg)"')


class Answers(Protocol):
    """A queue that takes a kind of browsers, and what each of them received."""

    def put(self, answer: tuple[str, list[dict[str, Any]]]) -> None: ...


def http_browsers(address: str, count: int, for_s: float, answers: Answers) -> None:
    """Look at the live page with so many browsers at once, each doing what the page's script does."""

    async def look() -> list[dict[str, Any]]:
        return await asyncio.gather(*(HttpBrowser(address).look(for_s) for _ in range(count)))

    answers.put(("http", asyncio.run(look())))


class Received:
    """What a browser received, and what went wrong."""

    def __init__(self) -> None:
        self._states = self._pictures = self._bytes = 0
        self._last_s, self._longest_s = time.monotonic(), 0.0
        self._faults: list[str] = []

    def _count_state(self) -> None:
        now_s = time.monotonic()
        self._longest_s, self._last_s = max(self._longest_s, now_s - self._last_s), now_s
        self._states += 1

    def figures(self) -> dict[str, Any]:
        return {
            "states": self._states,
            "pictures": self._pictures,
            "mb": round(self._bytes / 1e6, 2),
            "longest_gap_s": round(self._longest_s, 2),
            "faults": self._faults,
        }


class HttpBrowser(Received):
    """Holds the stream open, fetches a tile's picture whenever there is another, and each event's picture once."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._versions: dict[str, int] = {}
        self._events: set[str] = set()

    async def look(self, for_s: float) -> dict[str, Any]:
        until_s = time.monotonic() + for_s
        async with httpx2.AsyncClient(base_url=self._address, timeout=30) as client:
            self._bytes += len((await client.get("/live")).content)
            self._last_s = time.monotonic()
            while time.monotonic() < until_s:
                try:
                    async for state in self._stream(client):
                        await self._show(client, state)
                        if time.monotonic() >= until_s:
                            break
                except httpx2.HTTPError as error:
                    self._faults.append(f"{type(error).__name__}: {error}"[:200])
                if time.monotonic() < until_s:
                    await asyncio.sleep(RETRY_S)
                    self._last_s = time.monotonic()
        return self.figures()

    async def _stream(self, client: httpx2.AsyncClient) -> AsyncIterator[dict[str, Any]]:
        async with client.stream("GET", "/live/stream") as answer:
            if answer.status_code != 200:
                self._faults.append(f"the stream: {answer.status_code}")
                return
            async for line in answer.aiter_lines():
                self._bytes += len(line)
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    async def _show(self, client: httpx2.AsyncClient, state: dict[str, Any]) -> None:
        self._count_state()
        if state["fault"] or not state["watched"]:
            self._faults.append(f"a state: {state['fault'] or 'no watch is running'}"[:200])
        for tile in state["tiles"]:
            if self._versions.get(tile["id"]) != tile["version"]:
                self._versions[tile["id"]] = tile["version"]
                if tile["version"]:
                    await self._fetch(client, f"/cameras/{tile['id']}/picture.jpg?v={tile['version']}")
        for path in PICTURE.findall(state["events"]):
            if path not in self._events:
                self._events.add(path)
                await self._fetch(client, path)

    async def _fetch(self, client: httpx2.AsyncClient, path: str) -> None:
        answer = await client.get(path)
        self._bytes += len(answer.content)
        if answer.status_code == 200:
            self._pictures += 1
        elif not (path.startswith("/events/") and answer.status_code == 404):  # an event that was pruned just now
            self._faults.append(f"{path}: {answer.status_code}")


def chromium_tabs(address: str, count: int, for_s: float, answers: Answers) -> None:
    """Look at the live page with so many tabs of Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        tabs = [ChromiumTab(browser.new_context(base_url=address).new_page()) for _ in range(count)]
        until_s = time.monotonic() + for_s
        while time.monotonic() < until_s:
            for tab in tabs:
                tab.look()
            tabs[0].page.wait_for_timeout(250)
        answers.put(("chromium", [tab.figures() for tab in tabs]))
        browser.close()


class ChromiumTab(Received):
    """A tab, and what was seen in it. A state that changes nothing on the page cannot be seen from outside."""

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.page = page
        self._shown = ""
        page.on("response", self._heard)
        page.on("pageerror", lambda error: self._faults.append(str(error)[:200]))
        page.goto("/live")

    def look(self) -> None:
        """Look whether the page shows something else than before."""
        shown = str(self.page.evaluate("document.querySelector('[data-tiles]').innerText"))
        fault = str(self.page.evaluate("document.querySelector('[data-live-fault]').textContent"))
        if fault and fault not in self._faults:
            self._faults.append(fault[:200])
        if shown != self._shown:
            self._shown = shown
            self._count_state()

    def _heard(self, response: Any) -> None:
        self._bytes += int(response.headers.get("content-length", 0))
        if response.url.partition("?")[0].endswith("picture.jpg"):
            if response.status == 200:
                self._pictures += 1
            elif response.status not in (304, 404):
                self._faults.append(f"{response.url}: {response.status}")
