"""The runners: Ray's actors and Slurm's jobs leave the same files with the same scores as processes of this machine."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pytest

from maskedskipunet.archive.ray_pool import REPORTS_VARIABLE
from maskedskipunet.archive.runners import CLUSTER_VARIABLE
from maskedskipunet.data.video.encoding import VideoWriter
from maskedskipunet.workflows.archive import ArchiveOptions, archive

STORED_RUN = Path(__file__).parents[1] / "golden" / "run_0_1_0"


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for name in "ab":
        with VideoWriter(folder / f"{name}.mp4", height_px=32, width_px=48, frame_rate=10) as writer:
            for number in range(600):
                frame = np.full((32, 48, 3), 60, np.uint8)
                frame[8:16, number % 40 : number % 40 + 8] = 200 + ord(name) % 50
                writer.write(frame)
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    table = ds.dataset(folder / "scores", partitioning="hive").to_table()
    return table.sort_by([("address", "ascending"), ("frame", "ascending")]).to_pylist()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in (folder / "scores").rglob("*.parquet")}


@pytest.fixture(scope="module")
def local(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that processes of this machine scored."""
    to = tmp_path_factory.mktemp("archive") / "local"
    report = archive([str(footage)], STORED_RUN, to, ArchiveOptions(workers=1, minutes=0.2))
    assert report.failures == ()
    return to


def same(found: Path, local: Path) -> None:
    assert files(found) == files(local)
    assert len(files(found)) >= 4
    for row, other in zip(rows(found), rows(local), strict=True):
        assert row["score"] == pytest.approx(other["score"], abs=1e-6)
        assert {**row, "score": None} == {**other, "score": None}


def test_ray_scores_as_processes_of_this_machine_do_and_tells_its_makers_nothing(
    footage: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv(REPORTS_VARIABLE, raising=False)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")

    options = ArchiveOptions(runner="ray", workers=1, minutes=0.2)
    report = archive([str(footage), str(bad)], STORED_RUN, tmp_path / "out", options)

    assert [failure.address for failure in report.failures] == [str(bad)]
    assert "cannot open the video" in report.failures[0].cause
    same(tmp_path / "out", local)
    assert os.environ[REPORTS_VARIABLE] == "0"


def test_slurm_jobs_score_as_processes_of_this_machine_do(
    footage: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv(CLUSTER_VARIABLE, "local")

    report = archive(
        [str(footage)], STORED_RUN, tmp_path / "out", ArchiveOptions(runner="slurm", workers=2, minutes=0.2)
    )

    assert report.failures == ()
    same(tmp_path / "out", local)
