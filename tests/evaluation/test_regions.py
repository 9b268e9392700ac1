import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskedskipunet.data.boxes import TrackedBox
from maskedskipunet.evaluation.maps import enlarged
from maskedskipunet.evaluation.regions import (
    FrameRegions,
    RegionCounts,
    area_to_one,
    box_regions,
    mask_regions,
    overlaps,
    region_boxes,
    thresholds,
)


def picture(rows: str) -> np.ndarray:
    """An array of the digits in some lines of text, . for 0."""
    return np.array([[int(sign.replace(".", "0")) for sign in row] for row in rows.split()], np.uint16)


def regions(*frames: list[tuple[list[int], int]]) -> list[FrameRegions]:
    """Frames of boxes with the numbers of their tracks."""
    return [
        FrameRegions(
            np.array([box for box, _ in frame], np.int64).reshape(-1, 4),
            np.array([track for _, track in frame], np.int64),
        )
        for frame in frames
    ]


# Overlaps


def test_overlaps_count_whole_pixels_ends_included() -> None:
    box = np.array([[0, 0, 1, 1]])
    others = np.array([[0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 2, 2], [2, 2, 3, 3], [0, 0, 9, 3]])

    assert overlaps(box, others).tolist() == [[1, 1 / 4, 1 / 7, 0, 1 / 10]]


# Ground truth from masks


def test_regions_are_what_hangs_together_corners_included() -> None:
    (frame,) = mask_regions([picture("11...1 ..1... ......") > 0])

    assert frame.boxes.tolist() == [[0, 0, 2, 1], [5, 0, 5, 0]]
    assert sorted(frame.tracks) == [0, 1]


@pytest.mark.parametrize("rows", ["1. .1", ".1 1."])
def test_pixels_that_touch_at_a_corner_alone_are_one_region_one_track_and_one_detection(rows: str) -> None:
    first, second = mask_regions([picture(rows) > 0, picture(rows) > 0])

    assert [first.boxes.tolist(), second.boxes.tolist()] == [[[0, 0, 1, 1]]] * 2
    assert {*first.tracks, *second.tracks} == {0}
    assert region_boxes(picture(rows), 1, 2, 2).tolist() == [[0, 0, 1, 1]]


def test_tracks_are_regions_that_share_a_pixel_from_frame_to_frame() -> None:
    """Two objects; one is hidden for a frame and is then another track; a third joins the first by touching both."""
    masks = [
        picture("11..22 11..22") > 0,
        picture(".11..2 .11..2") > 0,
        picture("..11.. ..11..") > 0,
        picture("..11.2 ..11.2") > 0,
    ]
    first, second, third, fourth = mask_regions(masks)

    left, right = first.tracks
    assert left != right
    assert second.tracks.tolist() == [left, right]
    assert third.tracks.tolist() == [left]
    assert fourth.tracks[0] == left
    assert fourth.tracks[1] not in (left, right)


def test_objects_that_meet_become_one_track() -> None:
    before, together, after = mask_regions([picture("1..1") > 0, picture("1111") > 0, picture("1..1") > 0])

    assert {*before.tracks, *together.tracks, *after.tracks} == {0}


def test_masks_without_anomalies_hold_nothing() -> None:
    assert [len(frame.boxes) for frame in mask_regions([np.zeros((2, 2), bool)] * 2)] == [0, 0]
    assert mask_regions([]) == []


# Detections from maps


def test_detections_are_boxes_of_what_reaches_the_threshold() -> None:
    score_map = picture("9.... .5..7 ....7")

    assert region_boxes(score_map, 5, 3, 5).tolist() == [[0, 0, 1, 1], [4, 1, 4, 2]]
    assert region_boxes(score_map, 7, 3, 5).tolist() == [[0, 0, 0, 0], [4, 1, 4, 2]]
    assert region_boxes(score_map, 10, 3, 5).tolist() == []


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 30), st.integers(1, 30), st.integers(0, 99))
def test_a_box_in_pixels_of_the_source_holds_just_what_shows_the_detection(
    map_height: int, map_width: int, height_px: int, width_px: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    score_map = np.zeros((map_height, map_width), np.uint16)
    top, left = rng.integers(map_height), rng.integers(map_width)
    score_map[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = 7
    rows, columns = np.nonzero(enlarged(score_map, height_px, width_px))

    expected = [[columns.min(), rows.min(), columns.max(), rows.max()]] if len(rows) else []
    assert region_boxes(score_map, 7, height_px, width_px).tolist() == expected


def test_thresholds_fall_and_are_reached_by_growing_shares_of_pixels() -> None:
    counts = np.bincount(np.random.default_rng(0).integers(0, 5000, 1_000_000), minlength=2**16)
    found = thresholds(counts)

    reached = np.array([counts[value:].sum() for value in found]) / counts.sum()
    assert len(found) <= 40
    assert (np.diff(found) < 0).all()
    assert found[0] == 4999  # the highest value there is
    assert reached[-1] == pytest.approx(0.3, abs=0.001)


def test_a_map_of_one_value_has_one_threshold() -> None:
    assert thresholds(np.bincount([7] * 10, minlength=2**16)).tolist() == [7]


# RBDC and TBDC, worked by hand


def test_area_by_hand() -> None:
    def area(points: list[tuple[float, float]]) -> float:
        across, up = zip(*points, strict=True)
        return area_to_one(np.array(across), np.array(up))

    assert area([(0, 1)]) == 1  # straight up at no false positive
    assert area([(1, 1)]) == 0.5  # a straight line from (0, 0)
    assert area([(0.5, 0.5)]) == pytest.approx(0.125 + 0.25)  # held flat from its last point on
    assert area([(0.5, 0.5), (1.5, 1)]) == pytest.approx(0.375)  # cut at one false positive a frame
    assert area([(2, 1)]) == 0
    assert area([(0.5, 0.5), (0.75, 0.25)]) == pytest.approx(0.375)  # the best so far stands
    assert area([(0.2, 0.4), (0.1, 0.4)]) == pytest.approx(0.02 + 0.9 * 0.4)  # in whatever order


MAPS = [
    picture("99....... 99....... .......5. ........."),  # step 9: hits A; step 5: and a false positive
    picture("......... ..77..... ..77..... ........."),  # step 7: hits A again
    picture(".....99.. .....99.. ......... ........."),  # step 9: a false positive, B is missed
    picture("......... ......... ......... 555555555"),  # step 5: hits B and C at once
]
TRUTH = regions(
    [([0, 0, 1, 1], 0)],
    [([2, 1, 4, 2], 0)],
    [([0, 2, 1, 3], 1)],
    [([0, 2, 1, 3], 1), ([5, 2, 8, 3], 2)],
)


def counts(steps: list[int], maps: list[np.ndarray], truth: list[FrameRegions]) -> dict:
    made = RegionCounts(np.array(steps), len(maps))
    made.add_clip(truth, enumerate(maps), *maps[0].shape)
    return made.figures()


def test_rbdc_and_tbdc_by_hand() -> None:
    figures = counts([9, 7, 5], MAPS, TRUTH)

    # Step 9: one of five regions, one of three tracks, one false positive in four frames. Step 7: straight up to two
    # regions, the same track. Step 5: the long box has an IoU of 2 / 11 with B and of 4 / 13 with C, so there are four
    # regions and all tracks; two false positives in four frames.
    assert figures["rbdc"] == pytest.approx(0.25 * 0.2 / 2 + 0.25 * (0.4 + 0.8) / 2 + 0.5 * 0.8)
    assert figures["tbdc"] == pytest.approx(0.25 * (1 / 3) / 2 + 0.25 * (1 / 3 + 1) / 2 + 0.5)
    assert (figures["regions"], figures["tracks"], figures["region_thresholds"]) == (5, 3, 3)


def test_several_detections_of_one_region_count_once_and_none_is_a_false_positive() -> None:
    figures = counts([9], [picture("99.99")], regions([([0, 0, 4, 0], 0)]))

    assert (figures["rbdc"], figures["tbdc"]) == (1, 1)


def test_an_iou_of_a_tenth_is_enough_and_less_is_not() -> None:
    def rbdc(length: int) -> float:
        found = np.zeros((1, 20), np.uint16)
        found[0, 0] = 9
        return counts([9], [found], regions([([0, 0, length - 1, 0], 0)]))["rbdc"]

    assert rbdc(10) == 1
    assert rbdc(11) == 0  # and one false positive a frame, where the curve ends


@pytest.mark.parametrize(("size", "hits", "expected"), [(10, 1, 1), (11, 1, 0), (11, 2, 1), (70, 7, 1), (70, 6, 0)])
def test_a_track_counts_once_a_tenth_of_its_regions_does(size: int, hits: int, expected: int) -> None:
    maps = [picture("9.") if at < hits else picture("..") for at in range(size)]

    assert counts([9], maps, regions(*[[([0, 0, 0, 0], 0)]] * size))["tbdc"] == expected


def test_frames_without_a_map_take_no_part() -> None:
    made = RegionCounts(np.array([9]), 1)
    made.add_clip(regions([([0, 0, 0, 0], 0)], [([0, 0, 0, 0], 1)]), [(1, picture("9."))], 1, 2)

    figures = made.figures()
    assert (figures["rbdc"], figures["tbdc"], figures["regions"], figures["tracks"]) == (1, 1, 1, 1)


def test_tracks_of_several_clips_are_apart() -> None:
    made = RegionCounts(np.array([9]), 2)
    for found in ("9.", ".."):
        made.add_clip(regions([([0, 0, 0, 0], 0)]), [(0, picture(found))], 1, 2)

    figures = made.figures()
    assert (figures["rbdc"], figures["tbdc"], figures["tracks"]) == (0.5, 0.5, 2)


def test_a_threshold_with_too_many_false_positives_is_given_up_and_changes_nothing() -> None:
    speckles = picture("9.5.5.5 ....... 5.5.5.5")
    truth = regions(*[[([0, 0, 0, 0], 0)]] * 3)

    assert counts([9, 5], [speckles] * 3, truth)["rbdc"] == counts([9], [speckles] * 3, truth)["rbdc"] == 1


def test_without_regions_there_is_no_figure() -> None:
    figures = counts([9], [picture("9.")], regions([]))

    assert (figures["rbdc"], figures["tbdc"]) == (None, None)


def test_regions_and_tracks_that_a_data_set_states_are_taken_as_they_are() -> None:
    boxes = [TrackedBox(1, 7, 0, 0, 3, 3), TrackedBox(1, 2, 5, 5, 6, 6), TrackedBox(2, 7, 1, 1, 4, 4)]
    first, second, third = box_regions(boxes, 3)
    assert (first.boxes.shape, first.tracks.tolist()) == ((0, 4), [])
    assert (second.boxes.tolist(), second.tracks.tolist()) == ([[0, 0, 3, 3], [5, 5, 6, 6]], [0, 1])
    assert (third.boxes.tolist(), third.tracks.tolist()) == ([[1, 1, 4, 4]], [0])
