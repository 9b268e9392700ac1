"""What the tests of the page share: records with events, the page over them, and browsers of different users."""

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from maskedskipunet.cli.main import main
from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading, Moment
from maskedskipunet.records.store import Records
from maskedskipunet.records.users import add_user
from maskedskipunet.web import passwords
from maskedskipunet.web.app import create_app
from maskedskipunet.web.learning import LearningQueue
from maskedskipunet.web.learning_process import LearningRequest, LearningStage
from maskedskipunet.web.page import Page, open_page
from maskedskipunet.web.settings import PageSettings

BASE = "http://127.0.0.1:8420"
PASSWORD = "a long password"
WIDE = "".join(chr(number % 251) for number in range(5000)).encode("latin-1")  # a clip whose parts differ


def _loaded(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


shared = _loaded("records_conftest", Path(__file__).parents[1] / "records" / "conftest.py")
calibrated_run = _loaded("calibrated_run", Path(__file__).with_name("calibrated_run.py"))
web_pages = _loaded("web_pages", Path(__file__).with_name("pages.py"))
empty_database, new_book, book = shared.empty_database, shared.new_book, shared.book
BEGAN_UNIX_S = shared.BEGAN_UNIX_S
APPEARANCE = EventReason(
    "appearance",
    {"appearance": 0.9, "movement": 0.1},
    {"appearance": CueReading(4.0, (0.1, 0.2, 0.3, 0.4), nearest=Moment("monday", 61.0)), "movement": CueReading(1.0)},
)
MOVEMENT = EventReason("movement", {"movement": 1.0}, {"movement": CueReading(4.0, speed_ratio=3.14)})


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Calls a command in this process."""

    def call(*arguments: Any) -> Answer:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


class FakeLearner:
    """Learns in no time, or when it is let; keeps what it was asked for."""

    def __init__(self) -> None:
        self.requests: list[LearningRequest] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.error: Exception | None = None

    def __call__(
        self, request: LearningRequest, note: Callable[[LearningStage], None], is_over: threading.Event
    ) -> Mapping[str, Any]:
        self.requests.append(request)
        note(LearningStage("scoring clips", 3, 10))
        assert self.may_go.wait(10)
        if self.error is not None:
            raise self.error
        if request.what == "undo":
            return {"undone": {"files": ["cues.safetensors"], "events": [*request.events]}}
        effect = {
            "id": request.events[0],
            "camera": "door",
            "answer": "normal",
            "marked": True,
            "before_score": 5.0,
            "alarms_before": True,
            "after_score": 1.0,
            "alarms_after": False,
            "top_score": 6.0,
        }
        rule = {"threshold": 4.0, "release": 3.0}
        return {
            "by": "cues",
            "before": rule,
            "after": rule,
            "events": [effect],
            "lost": [],
            "others": None,
            "settled": [],
        }


@pytest.fixture
def learner() -> FakeLearner:
    return FakeLearner()


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing that takes a tenth of a second on purpose takes none in tests."""
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: hasher)
    passwords._nobody.cache_clear()


@pytest.fixture
def filled(book: Any) -> Any:
    """Records with five events: `a` to `d` are over, `e` goes on; a, b and d are of one kind."""
    book.whole("a", reason=APPEARANCE, kind_id="a", top_score=0.9)
    book.whole("b", began_s=60, reason=APPEARANCE, kind_id="a", top_score=0.3)
    book.whole("c", began_s=120, reason=MOVEMENT, kind_id="c", top_score=0.5, camera="yard / back", clip=_clip())
    book.whole("d", began_s=180, reason=APPEARANCE, kind_id="a", top_score=0.4)
    book.tell("new", "e", began_s=240)
    book.clock.now_unix_s = BEGAN_UNIX_S + 300
    return book


def _clip() -> bytes:
    def box(kind: bytes, content: bytes = b"") -> bytes:
        return (8 + len(content)).to_bytes(4) + kind + content

    return box(b"ftyp", b"isom") + box(b"moov", b"index") + box(b"mdat", WIDE)


@pytest.fixture
def open_site(filled: Any, learner: FakeLearner, tmp_path: Path) -> Iterator[Callable[..., "Site"]]:
    """Opens the page over the filled records, as often as a test wants."""
    with ExitStack() as opened:

        def site(*, learns: bool = False, **changed: Any) -> Site:
            settings = PageSettings(**{"records": filled.folder, "runs": tmp_path / "runs"} | changed)
            queue = LearningQueue(tmp_path / "run" if learns else None, filled.folder, learner)
            return Site(opened.enter_context(open_page(settings, queue)), opened)

        yield site


class Site:
    """A page and those who visit it."""

    def __init__(self, page: Page, opened: ExitStack) -> None:
        self.page, self._opened = page, opened
        self.app = create_app(page, "1.2.3")

    @property
    def records(self) -> Records:
        return self.page.records

    def browser(self, **more: Any) -> "Browser":
        client = TestClient(self.app, base_url=more.pop("base_url", BASE), follow_redirects=False, **more)
        return Browser(client, self.page.csrf_token)

    def add_user(self, name: str, role: Any = "editor") -> None:
        add_user(self.records, name, passwords.hash_password(PASSWORD), role)

    def logged_in(self, name: str) -> "Browser":
        browser = self.browser()
        answer = browser.client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        page = browser.client.get("/live").text
        return Browser(browser.client, _token_in(page))


class Browser:
    """Somebody at the page, whose forms repeat the token as the page's own do."""

    def __init__(self, client: TestClient, csrf: str) -> None:
        self.client, self.csrf = client, csrf

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def part(self, path: str) -> Any:
        return self.client.get(path, headers={"hx-request": "true"})

    def send(self, path: str, *, part: bool = False, **fields: Any) -> Any:
        return self.client.post(
            path, data={"csrf": self.csrf} | fields, headers={"hx-request": "true"} if part else None
        )

    def json(self, path: str, body: Any) -> Any:
        return self.client.post(path, json=body, headers={"x-csrf-token": self.csrf})


def _token_in(page: str) -> str:
    return page.split('name="csrf" value="', 1)[1].split('"', 1)[0]


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()
