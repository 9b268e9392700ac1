"""Takes a picture of each page of `serve`, dark and light, into this folder.

The records and the run are those of generated footage, as `maskedskipunet demo` makes it:

    maskedskipunet demo --out demo
    maskedskipunet score demo/footage/test/*.mp4 --model demo/run --records records --camera door
    python docs/images/page/take_pictures.py records demo/run runs

Needs Chromium and playwright.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
PORT = 8477
PAGES = ("live", "review", "timeline", "kinds", "learning", "calibration", "runs")
QUALITY = 72


@contextmanager
def served(records: Path, run: Path, runs: Path) -> Iterator[str]:
    """Serve the page in this block; gives its address."""
    named = ["--records", records, "--model", run, "--runs", runs, "--port", PORT]
    process = subprocess.Popen([sys.executable, "-m", "maskedskipunet", "serve", *map(str, named)])
    address = f"http://127.0.0.1:{PORT}"
    try:
        for _ in range(300):
            try:
                with urlopen(f"{address}/health"):
                    break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def take_pictures(address: str, scheme: str, out: Path) -> None:
    """Take a picture of each page, and of the strangest event, in a colour scheme."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        options = {"base_url": address, "viewport": {"width": 1200, "height": 760}, "color_scheme": scheme}
        tab = browser.new_context(**options).new_page()

        def take(path: str, name: str) -> None:
            tab.goto(path)
            tab.wait_for_timeout(1500)
            tab.screenshot(path=out / f"{name}_{scheme}.jpg", type="jpeg", quality=QUALITY)

        for name in PAGES:
            take(f"/{name}", name)
        tab.goto("/review?order=strangest")
        if (card := tab.query_selector("[data-card]")) is not None:
            tab.set_viewport_size({"width": 1200, "height": 960})
            take(f"/events/{card.get_attribute('data-card')}", "event")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("records", "run", "runs"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with served(given.records, given.run, given.runs) as address:
        for scheme in ("light", "dark"):
            take_pictures(address, scheme, given.out)


if __name__ == "__main__":
    main()
