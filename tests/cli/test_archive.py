"""`archive` from the command line: scores of unbroken scoring, whatever is cut, killed, damaged or started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from maskedskipunet.archive.claims import Claims
from maskedskipunet.data.video.encoding import VideoWriter

Call = Callable[..., Any]
FAST = ("--minutes", "0.2", "--workers", "2", "--worker-memory", "3")


def write(path: Path, seconds: int = 100, *, seed: int = 0, size: tuple[int, int] = (32, 48)) -> Path:
    """Write footage at 10 frames a second in which a thing goes to and fro, with a key frame every 25 seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    with VideoWriter(path, height_px=size[0], width_px=size[1], frame_rate=10) as writer:
        for number in range(10 * seconds):
            frame = np.full((*size, 3), 60 + number // 20 % 40, np.uint8)
            left = round(15 + 14 * np.sin(number / 9 + seed))
            frame[8:16, left : left + 8] = 220
            frame[20:, ::5] += random.integers(0, 20, dtype=np.uint8)
            writer.write(frame)
    return path


@pytest.fixture(scope="module")
def footage_long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive-footage")
    write(folder / "a.mp4")
    write(folder / "b.mp4", 60, seed=1)
    return folder


def rows(folder: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """Return an archive's rows by the video's file name and frame."""
    table = ds.dataset(folder / "scores", partitioning="hive").to_table()
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in table.to_pylist():
        video = found.setdefault(Path(row["address"]).name, {})
        assert row["frame"] not in video, "a frame has two rows"
        video[row["frame"]] = row
    return found


def same_as_unbroken(call: Call, run: Path, folder: Path, videos: list[Path], place: Path) -> None:
    found = rows(folder)
    assert found.keys() >= {video.name for video in videos}
    for video in videos:
        out = place / f"unbroken-{video.stem}"
        assert call("score", video, "--model", run, "--out", out).code == 0
        unbroken = pq.read_table(out / "scores.parquet").to_pylist()
        assert sorted(found[video.name]) == [row["frame"] for row in unbroken]
        for row in unbroken:
            other = found[video.name][row["frame"]]
            assert other["time"] == row["time"]
            for name in set(row) - {"video", "frame", "time", "label", "threshold"}:
                assert other[name] == pytest.approx(row[name], abs=1e-6), (video.name, row["frame"], name)


@pytest.fixture(scope="module")
def scored(call: Call, run: Path, footage_long: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that nothing disturbed; tests leave it as it is."""
    to = tmp_path_factory.mktemp("archive") / "scored"
    answer = call("archive", footage_long, "--model", run, "--to", to, *FAST)
    assert answer.code == 0, answer.err
    return to


def test_segments_join_to_the_scores_of_unbroken_scoring(
    call: Call, run: Path, footage_long: Path, scored: Path, tmp_path: Path
) -> None:
    same_as_unbroken(call, run, scored, [footage_long / "a.mp4", footage_long / "b.mp4"], tmp_path)
    assert len([*(scored / "scores").rglob("*.parquet")]) >= 6


def test_duckdb_and_arrow_read_the_scores_as_they_are(scored: Path) -> None:
    pattern = str(scored / "scores" / "*" / "*" / "*.parquet")
    counts = duckdb.sql(
        f"select source, count(*), count(distinct day) from '{pattern}' group by 1 order by 1"
    ).fetchall()

    assert [(name.rpartition("-")[0], count) for name, count, _ in counts] == [("a", 1000), ("b", 600)]
    assert ds.dataset(scored / "scores", partitioning="hive").count_rows() == 1600


def test_started_again_it_does_only_what_is_missing(
    cli: Call, run: Path, footage_long: Path, scored: Path, tmp_path: Path
) -> None:
    files = {path: path.stat().st_mtime_ns for path in (scored / "scores").rglob("*.parquet")}
    lost = next(iter(files))
    lost.unlink()

    answer = cli("archive", footage_long, "--model", run, "--to", scored, *FAST)

    assert answer.code == 0
    changed = [path for path, written in files.items() if path.stat().st_mtime_ns != written]
    assert changed == [lost]


def test_the_report_tells_coverage_speed_and_the_strangest_moments(cli: Call, scored: Path, tmp_path: Path) -> None:
    answer = cli("archive", "report", scored, "--json", tmp_path / "report.json")

    assert answer.code == 0, answer.err
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["frames"] == 1600
    assert told["hours_scored"] == pytest.approx(told["hours"]) == pytest.approx(160 / 3600, rel=0.02)
    assert told["frames_per_second"] > 0
    assert told["worker_hours_per_hour"] > 0
    found = rows(scored)
    for moment in told["moments"]:
        row = found[Path(moment["address"]).name][moment["frame"]]
        assert row["score"] == pytest.approx(moment["score"])
    assert "Strangest moments" in answer.out
    assert pq.read_table(scored / "manifest.parquet").num_rows == told["segments"]["done"]


def test_a_changed_video_is_scored_anew_and_its_old_scores_go(cli: Call, run: Path, place: Path) -> None:
    video = write(place / "v" / "a.mp4", 30)
    assert cli("archive", video, "--model", run, "--to", "out", *FAST).code == 0
    before = rows(Path("out"))["a.mp4"]
    write(video, 35, seed=3)

    assert cli("archive", video, "--model", run, "--to", "out", *FAST).code == 0

    after = rows(Path("out"))["a.mp4"]
    assert (len(before), len(after)) == (300, 350)
    assert before[20]["score"] != after[20]["score"]


def test_another_model_or_setting_is_seen(cli: Call, run: Path, network_run: Path, place: Path) -> None:
    video = write(place / "v" / "a.mp4", 10)
    assert cli("archive", video, "--model", run, "--to", "out", *FAST).code == 0
    assert "movement" in rows(Path("out"))["a.mp4"][5]

    with Claims(Path("out") / "claims") as claims:
        assert claims.take("something")
        busy = cli("archive", video, "--model", network_run, "--to", "out", *FAST)
    assert "another process is scoring into it" in busy.refusal()
    assert cli("archive", video, "--model", network_run, "--to", "out", *FAST).code == 0
    assert "movement" not in rows(Path("out"))["a.mp4"][5]


# -- faults -----------------------------------------------------------------------------------------------------------


def test_damaged_missing_and_too_large_videos_are_named_and_the_rest_is_scored(
    cli: Call, call: Call, run: Path, place: Path
) -> None:
    good = write(place / "v" / "good.mp4", 30)
    cut = write(place / "v" / "cut.mp4", 30)
    cut.write_bytes(cut.read_bytes()[:2000])
    large = place / "v" / "large.mp4"
    with VideoWriter(large, height_px=5600, width_px=7200, frame_rate=10) as writer:
        for _ in range(5):
            writer.write(np.zeros((5600, 7200, 3), np.uint8))
    (place / "list.txt").write_text("v/good.mp4\nv/gone.mp4\nv/large.mp4\nv/cut.mp4\n")

    answer = cli(
        "archive", "list.txt", "--model", run, "--to", "out", "--workers=1", "--worker-memory=1", "--json=out.json"
    )

    assert answer.code == 1, answer.err
    causes = {
        Path(failure["address"]).name: failure for failure in json.loads(Path("out.json").read_text())["failures"]
    }
    assert causes.keys() == {"gone.mp4", "large.mp4", "cut.mp4"}
    assert "cannot read it (No such file or directory)" in causes["gone.mp4"]["cause"]
    assert "cannot open the video" in causes["cut.mp4"]["cause"]
    assert "more than the bound of 1.0 GB" in causes["large.mp4"]["cause"]
    assert causes["large.mp4"]["kind"] == "set aside"
    for name in causes:
        assert name in answer.out
    same_as_unbroken(call, run, Path("out"), [good], place)


def test_what_cannot_be_asked_for_is_refused_in_one_line(cli: Call, run: Path, place: Path) -> None:
    (place / "empty").mkdir()
    (place / "other").mkdir()
    (place / "other" / "thing.txt").write_text("x")
    video = write(place / "a.mp4", 2)
    named = ("--model", run, "--to", "out")

    assert "must be given" in cli("archive", video).refusal()
    assert "holds no video" in cli("archive", "empty", *named).refusal()
    assert "0 workers" in cli("archive", video, *named, "--workers=0").refusal()
    assert "holds something else" in cli("archive", video, "--model", run, "--to", "other").refusal()
    assert "no object store" in cli("archive", "rtsp://camera/live", *named).refusal()
    assert "would be stored" in cli("archive", "https://me:word@host/a.mp4", *named).refusal()
    assert "holds no scores" in cli("archive", "report", "empty").refusal()
    assert "one folder" in cli("archive", "report").refusal()
    assert not (place / "out").exists()


# -- kills ------------------------------------------------------------------------------------------------------------


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "maskedskipunet", "archive", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


def wait_for(happened: Callable[[], Any], seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := happened():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    lines = [(int(child), Path(f"/proc/{child}/cmdline").read_bytes()) for child in found]
    return [child for child, line in lines if b"spawn_main" in line]


@pytest.fixture
def begun(network_run: Path, place: Path) -> Iterator[tuple["subprocess.Popen[bytes]", tuple[object, ...]]]:
    """A process that scores a long video with one worker, and its arguments."""
    video = write(place / "v" / "a.mp4", 200)
    arguments = (video, "--model", network_run, "--to", place / "out", "--minutes", "0.2", "--workers", "1")
    process = start(*arguments)
    yield process, arguments
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def scored_files(place: Path) -> list[Path]:
    return [*(place / "out" / "scores").rglob("[!.]*.parquet")]


def test_a_killed_worker_costs_its_segment_in_hand_alone(
    begun: Any, call: Call, network_run: Path, place: Path
) -> None:
    process, arguments = begun
    wait_for(lambda: len(scored_files(place)) >= 1)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)

    assert process.wait(600) == 0
    same_as_unbroken(call, network_run, place / "out", [arguments[0]], place)


def test_a_killed_leader_is_followed_by_one_that_does_what_is_missing(
    begun: Any, cli: Call, call: Call, network_run: Path, place: Path
) -> None:
    process, arguments = begun
    wait_for(lambda: len(scored_files(place)) >= 2)
    workers = children(process.pid)
    process.kill()
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in scored_files(place)}
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))  # they end with their leader

    assert cli("archive", *arguments).code == 0

    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    same_as_unbroken(call, network_run, place / "out", [arguments[0]], place)


def test_ctrl_c_keeps_what_is_done_and_leaves_no_claim(begun: Any, place: Path) -> None:
    process, _ = begun
    wait_for(lambda: len(scored_files(place)) >= 1)
    os.killpg(process.pid, signal.SIGINT)

    assert process.wait(120) == 130
    assert b"called again, it goes on from there" in process.stdout.read()
    assert [*(place / "out" / "claims").iterdir()] == []
    assert scored_files(place)
    assert not [*(place / "out").rglob("*.part")]


def test_two_processes_share_the_segments(begun: Any, call: Call, network_run: Path, place: Path) -> None:
    process, arguments = begun
    other = start(*arguments)
    try:
        assert (process.wait(600), other.wait(600)) == (0, 0)
    finally:
        other.kill()
        other.wait()
        assert other.stdout is not None
        other.stdout.close()

    same_as_unbroken(call, network_run, place / "out", [arguments[0]], place)
    assert [*(place / "out" / "deaths").iterdir()] == []
