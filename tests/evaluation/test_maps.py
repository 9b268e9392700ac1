from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskedskipunet.errors import DataError, DiskSpaceError
from maskedskipunet.evaluation.frame_alignment import FrameAlignment
from maskedskipunet.evaluation.maps import (
    CHUNK_FRAMES,
    SCALE,
    AveragedMaps,
    as_stored,
    enlarged,
    map_writer,
    maps_bytes,
    nearest,
    open_maps,
    read_maps,
)

RNG = np.random.default_rng(0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, frames: range, height_px: int = 4, width_px: int = 6) -> np.ndarray:
    maps = RNG.random((len(frames), height_px, width_px), np.float32)
    with map_writer(path, height_px=height_px, width_px=width_px) as keep:
        for frame, values in zip(frames, maps, strict=True):
            keep(frame, values)
    return maps


@pytest.mark.parametrize("count", [0, 1, CHUNK_FRAMES, 2 * CHUNK_FRAMES + 1])
def test_maps_are_read_as_they_were_written_to_half_a_step(place: Path, count: int) -> None:
    maps = write(place / "maps" / "a.parquet", range(2, 2 + count))

    found = open_maps(place / "maps" / "a.parquet")
    frames, read = zip(*found.maps(), strict=True) if count else ((), ())

    assert (found.frames, found.height_px, found.width_px, found.scale) == (count, 4, 6, SCALE)
    assert list(frames) == list(range(2, 2 + count))
    assert all(values.dtype == np.uint16 for values in read)
    if count:
        np.testing.assert_allclose(np.array(read) * found.scale, maps, atol=0.51 * SCALE)
    assert [path.name for path in (place / "maps").iterdir()] == ["a.parquet"]


def test_the_file_has_the_promised_columns_in_chunks(place: Path) -> None:
    write(place / "a.parquet", range(CHUNK_FRAMES + 1))

    with pq.ParquetFile(place / "a.parquet") as file:
        assert file.schema_arrow.names == ["frame", "map"]
        assert file.schema_arrow.types == [pa.int64(), pa.binary(48)]
        assert {b"height": b"4", b"width": b"6"}.items() <= file.schema_arrow.metadata.items()
        assert file.num_row_groups == 2
        assert file.metadata.row_group(0).column(1).compression == "ZSTD"


def test_maps_take_no_more_room_than_was_said(place: Path) -> None:
    write(place / "a.parquet", range(100), 32, 32)

    assert (place / "a.parquet").stat().st_size <= maps_bytes(100, 32, 32)


def test_nothing_is_left_of_maps_whose_making_failed(place: Path, no_file_larger_than) -> None:  # type: ignore[no-untyped-def]
    with suppress(KeyError), map_writer(place / "a.parquet", height_px=4, width_px=6) as keep:
        keep(0, np.zeros((4, 6)))
        raise KeyError
    with no_file_larger_than(10_000), pytest.raises(DiskSpaceError, match=r"a\.parquet: no space left on the disk"):
        write(place / "a.parquet", range(100), 32, 32)

    assert list(place.iterdir()) == []


def test_each_step_of_the_order_is_kept_and_what_is_outside_is_cut() -> None:
    values = np.arange(2**16) / (2**16 - 1)

    np.testing.assert_array_equal(as_stored(values), np.arange(2**16))
    np.testing.assert_array_equal(as_stored(np.array([-1.0, 2.0])), [0, 2**16 - 1])


@pytest.mark.parametrize(("length", "shown"), [(2, 5), (5, 5), (5, 2), (256, 240), (256, 360), (1, 3), (3, 1)])
def test_a_pixel_shows_the_maps_pixel_that_its_centre_lies_in(length: int, shown: int) -> None:
    centres = (np.arange(shown) + 0.5) / shown  # as shares of the line

    np.testing.assert_array_equal(nearest(length, shown), np.floor(centres * length + 1e-9))


def test_a_map_is_enlarged_in_both_directions() -> None:
    small = np.array([[1, 2], [3, 4]], np.uint16)

    assert enlarged(small, 2, 4).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert enlarged(small, 1, 1).tolist() == [[4]]


def test_the_maps_of_a_folder_are_matched_to_clips(place: Path) -> None:
    write(place / "b.parquet", range(1, 3))
    write(place / "a.parquet", range(5))

    found, matching = read_maps(place, ("a", "b"), (5, 4), FrameAlignment())

    assert [path.path.name for path in found] == ["a.parquet", "b.parquet"]
    assert matching == "matched to clips by name"


def test_another_methods_maps_are_scaled_together_and_stand_where_stated(place: Path) -> None:
    np.save("1.npy", np.array([[[0.0, 5.0]], [[10.0, 20.0]]]))
    np.save("2.npy", np.array([[[10, 10]]]))

    (first, second), matching = read_maps(place, ("a", "b"), (3, 2), FrameAlignment(first=1))

    assert matching == "matched to clips in natural order of names"
    maps = {frame: values.tolist() for frame, values in first.maps()}
    assert maps == {1: [[0, 16384]], 2: [[32768, 65535]]}
    assert [(frame, values.tolist()) for frame, values in second.maps()] == [(1, [[32768, 32768]])]


def test_maps_that_are_all_alike_are_0(place: Path) -> None:
    np.save("1.npy", np.full((1, 1, 2), 7.0))
    (only,), _ = read_maps(place, ("a",), (1,), FrameAlignment())

    assert [values.tolist() for _, values in only.maps()] == [[[0, 0]]]


@pytest.mark.parametrize("patch_px", [1, 2, 3, 16])
def test_an_averaged_map_holds_the_means_of_squares_inside_it(place: Path, patch_px: int) -> None:
    write(place / "maps" / "a.parquet", range(3, 5), height_px=20, width_px=24)
    raw = open_maps(place / "maps" / "a.parquet")

    averaged = dict(AveragedMaps(raw, patch_px).maps())

    assert list(averaged) == [3, 4]
    for number, values in raw.maps():
        square = values[:patch_px, :patch_px]  # its middle, for an even side the pixel after the middle
        at = patch_px // 2
        assert averaged[number].dtype == np.uint16
        assert abs(float(averaged[number][at, at]) - square.mean()) <= 0.5
        assert values.min() <= averaged[number].min() <= averaged[number].max() <= values.max()


def test_what_are_no_maps_is_refused(place: Path) -> None:
    def refused(name: str, frames: int = 2) -> str:
        folder = place / name
        with pytest.raises(DataError) as refusal:
            list(read_maps(folder, ("a",), (frames,), FrameAlignment())[0][0].maps())
        return str(refusal.value).removeprefix(f"{folder}")

    for name in ("empty", "words", "scores", "size", "long", "short", "flat", "infinite", "objects", "damaged"):
        (place / name).mkdir()
    (place / "words" / "a.parquet").write_text("words")
    pq.write_table(pa.table({"frame": [0], "map": [b"1"]}), "scores/a.parquet")
    told = {"height": "4", "width": "4", "scale": "1"}
    pq.write_table(
        pa.table([[0], [b"12"]], pa.schema({"frame": pa.int64(), "map": pa.binary(2)}, told)), "size/a.parquet"
    )
    write(place / "long" / "a.parquet", range(3))
    np.save("short/a.npy", np.zeros((1, 2, 2)))
    np.save("flat/a.npy", np.zeros((2, 2)))
    np.save("infinite/a.npy", np.full((2, 2, 2), np.nan))
    np.save("objects/a.npy", np.array([None]))
    write(place / "damaged" / "a.parquet", range(100), 32, 32)
    content = bytearray((place / "damaged" / "a.parquet").read_bytes())
    content[1000:2000] = bytes(1000)
    (place / "damaged" / "a.parquet").write_bytes(content)

    assert refused("empty") == ": found 0 clips, expected 1. Give one for each test clip, under its name."
    cure = "Make it again with `maskedskipunet test --maps`."
    for name in ("words", "scores", "size"):
        assert refused(name) == f"/a.parquet: not a file of score maps. {cure}"
    assert refused("long") == (
        "/a.parquet: found a map of frame 2, the last frame is 1. Check that the maps are of this data set."
    )
    assert refused("short").startswith(", clip a: found 1 maps, expected 2 for frames 0 to 1 of 2. All clips would fit")
    assert (
        refused("flat")
        == "/a.npy: found an array of shape (2, 2), expected numbers (frames, H, W). Save one array a clip."
    )
    assert refused("infinite") == "/a.npy: the maps hold values that are no numbers. Mend the maps."
    assert refused("objects") == "/a.npy: cannot read the array of maps. Save numbers (frames, H, W)."
    assert refused("damaged", 100) == f"/a.parquet: the file of score maps is damaged. {cure}"


def test_maps_that_reach_further_than_one_are_kept_in_steps_of_their_own(place: Path) -> None:
    maps = 16 * RNG.random((3, 4, 6), np.float32)
    with map_writer(place / "a.parquet", height_px=4, width_px=6, highest=16.0) as keep:
        for frame, values in enumerate(maps):
            keep(frame, values)

    found = open_maps(place / "a.parquet")

    np.testing.assert_allclose([values * found.scale for _, values in found.maps()], maps, atol=0.51 * 16 * SCALE)


def test_maps_of_different_units_are_not_held_against_each_other(place: Path) -> None:
    write(place / "maps" / "a.parquet", range(3))
    with map_writer(place / "maps" / "b.parquet", height_px=4, width_px=6, highest=16.0) as keep:
        keep(0, np.ones((4, 6), np.float32))

    with pytest.raises(DataError, match=r"not in the units of a\.parquet"):
        read_maps(place / "maps", ("a", "b"), (3, 1), FrameAlignment())
