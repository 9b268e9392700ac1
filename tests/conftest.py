"""What all tests share: where real footage lies, and the rule that it must not be skipped where it is."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is imported: small networks gain nothing from threads, and threads that wait for each other on
# cores shared with other work make a test take fifty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("no deadline", deadline=None)  # how long an example takes says nothing of the code
settings.load_profile("no deadline")

DATA_VARIABLE = "MASKEDSKIPUNET_DATA"
_skipped_on_real_data: list[str] = []


@pytest.fixture
def real_data() -> Path:
    """The folder of real footage that the environment names; without one the test is skipped, and says so."""
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        pytest.skip(f"no real footage: set {DATA_VARIABLE} to the folder that holds UCSDped2 and upcam")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"{DATA_VARIABLE} names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What fixtures of a module or session decode and measure does not reach the person's own cache either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKEDSKIPUNET_CACHE", str(tmp_path_factory.mktemp("session-cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests never touch the person's own cache of decoded frames."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MASKEDSKIPUNET_CACHE", str(folder))
    return folder


@pytest.fixture
def no_file_larger_than() -> Callable[[int], AbstractContextManager[None]]:
    """A block in which the system lets no file grow beyond some bytes: what a full disk does to a writer."""

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.skipped and item.get_closest_marker("real_data") and os.environ.get(DATA_VARIABLE):
        _skipped_on_real_data.append(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_on_real_data and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    for test in _skipped_on_real_data:
        terminalreporter.write_line(f"real footage is there, but this test was skipped: {test}", red=True)
