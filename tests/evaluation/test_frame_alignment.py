from pathlib import Path

import numpy as np
import pytest

from maskedskipunet.errors import ConfigError, DataError
from maskedskipunet.evaluation.frame_alignment import FrameAlignment, align_scores, clip_lengths, over_missing_frames
from maskedskipunet.evaluation.readers import Clip, Series

NAN = float("nan")
NAMES, FRAMES = ("Test001", "Test002", "Test010"), (5, 4, 6)


def series(*clips: tuple[str, list[float]] | tuple[str, list[float], list[int]]) -> Series:
    made = [
        Clip(name, np.array(values, np.float64), np.array(*frames, np.int64) if frames else None)
        for name, values, *frames in clips
    ]
    return Series(Path("s"), tuple(made))


def row(count: int) -> Series:
    return Series(Path("s"), (Clip("s", np.arange(count, dtype=np.float64)),), concatenated=True)


def placed(made: Series, alignment: FrameAlignment | None = None) -> list[list[float]]:
    found = align_scores(made, NAMES, FRAMES, alignment or FrameAlignment())
    return [[-1 if np.isnan(score) else score for score in scores.tolist()] for scores in found.scores]


WHOLE = [[0, 1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12, 13, 14]]


def test_one_row_is_cut_into_clips() -> None:
    assert placed(row(15)) == WHOLE
    assert align_scores(row(15), NAMES, FRAMES, FrameAlignment()).matching == "one row, clips in natural order"


@pytest.mark.parametrize(
    ("alignment", "expected"),
    [
        (FrameAlignment(first=2), [[-1, -1, 0, 1, 2], [-1, -1, 3, 4], [-1, -1, 5, 6, 7, 8]]),
        (FrameAlignment(last=-3), [[0, 1, 2, -1, -1], [3, 4, -1, -1], [5, 6, 7, 8, -1, -1]]),
        (FrameAlignment(first=1, last=-2), [[-1, 0, 1, 2, -1], [-1, 3, 4, -1], [-1, 5, 6, 7, 8, -1]]),
        (FrameAlignment(first=0, last=2), [[0, 1, 2, -1, -1], [3, 4, 5, -1], [6, 7, 8, -1, -1, -1]]),
    ],
)
def test_scores_stand_where_they_are_stated_to(alignment: FrameAlignment, expected: list[list[float]]) -> None:
    count = sum(score >= 0 for clip in expected for score in clip)
    by_clip = [(name, [score for score in clip if score >= 0]) for name, clip in zip(NAMES, expected, strict=True)]

    assert placed(row(count), alignment) == expected
    assert placed(series(*by_clip), alignment) == expected


def test_clips_are_matched_by_name_where_names_agree() -> None:
    made = series(*zip(NAMES[::-1], WHOLE[::-1], strict=True))

    assert placed(made) == WHOLE
    assert align_scores(made, NAMES, FRAMES, FrameAlignment()).matching == "matched to clips by name"


def test_clips_are_matched_in_natural_order_where_no_name_agrees() -> None:
    made = series(("10", WHOLE[2]), ("1", WHOLE[0]), ("2", WHOLE[1]))

    assert placed(made) == WHOLE
    assert align_scores(made, NAMES, FRAMES, FrameAlignment()).matching == "matched to clips in natural order of names"


def test_a_table_says_itself_where_its_scores_stand() -> None:
    made = series(("Test001", [1, 2], [1, 3]), ("Test002", [3], [0]), ("Test010", [], []))

    assert placed(made) == [[-1, 1, -1, 2, -1], [3, -1, -1, -1], [-1] * 6]


def test_a_table_is_moved_where_frames_are_stated_and_keeps_its_gaps() -> None:
    """Its frames without a score at the start are none: so a run's own table can be held to the published label."""
    made = series(
        ("Test001", [NAN, 1, NAN, 2, NAN], [0, 1, 2, 3, 4]), ("Test002", [3], [2]), ("Test010", [4, 5], [1, 2])
    )

    assert placed(made, FrameAlignment(first=0)) == [[1, -1, 2, -1, -1], [3, -1, -1, -1], [4, 5, -1, -1, -1, -1]]
    assert placed(made, FrameAlignment(last=-1)) == [[-1, -1, 1, -1, 2], [-1, -1, -1, 3], [-1, -1, -1, -1, 4, 5]]


FIT_4 = (
    "All clips would fit with --first-frame 4, --last-frame -5, or --first-frame 2 --last-frame -3: "
    "know which frames the method leaves out."
)


@pytest.mark.parametrize(
    ("made", "alignment", "told"),
    [
        (
            row(14),
            FrameAlignment(),
            "s: found 14 scores, expected 15 for 3 clips of 15 frames. Give one a frame, or state",
        ),
        (
            row(16),
            FrameAlignment(),
            "s: found 16 scores, expected 15 for 3 clips of 15 frames. Give one a frame, or state",
        ),
        (
            row(12),
            FrameAlignment(),
            "s: found 12 scores, expected 15 for 3 clips of 15 frames. All clips would fit with --first-frame 1, "
            "--last-frame -2: know which frame the method leaves out.",
        ),
        (
            row(9),
            FrameAlignment(first=1),
            "s: found 9 scores, expected 12 for 3 clips of 15 frames. All clips would fit with ",
        ),
        (
            row(15),
            FrameAlignment(first=1),
            "s: found 15 scores, expected 12 for 3 clips of 15 frames. All clips would fit without",
        ),
        (
            row(3),
            FrameAlignment(),
            "s: found 3 scores, expected 15 for 3 clips of 15 frames. Give one a frame, or state",
        ),
        (
            row(18),
            FrameAlignment(),
            "s: found 18 scores, expected 15 for 3 clips of 15 frames. Give one a frame, or state",
        ),
        (
            series(("Test001", [1] * 5), ("Test002", [1] * 3), ("Test010", [1] * 6)),
            FrameAlignment(),
            "s, clip Test002: found 3 scores, expected 4 for frames 0 to 3 of 4. Give one a frame, or state",
        ),
        (
            series(("a", [1] * 5), ("b", [1] * 5), ("c", [1] * 6)),
            FrameAlignment(),
            "s, clip Test002 (b): found 5 scores, expected 4 for frames 0 to 3 of 4. Give one a frame, or state",
        ),
        (
            series(("a", [1] * 2), ("b", [1]), ("c", [1] * 3)),
            FrameAlignment(first=1),
            "s, clip Test001 (a): found 2 scores, expected 4 for frames 1 to 4 of 5. All clips would fit with "
            "--first-frame 3, --last-frame -4: know which frames the method leaves out.",
        ),
        (
            series(("Test001", [1] * 5), ("Test002", [1] * 4)),
            FrameAlignment(),
            "s: found 2 clips, expected 3, nothing for clip Test010. Give one for each test clip, under its name.",
        ),
        (
            series(("Test001", [1] * 5), ("Test002", [1] * 4), ("Test011", [1] * 6)),
            FrameAlignment(),
            "s: found nothing for clip Test010, no clip is named Test011.",
        ),
        (series(("a", [1] * 5), ("b", [1] * 4)), FrameAlignment(), "s: found 2 clips, expected 3."),
        (row(3), FrameAlignment(first=4), "clip Test002: frames 4 to 3 are not in it, it has 4. Check --first-frame"),
        (row(3), FrameAlignment(last=4), "clip Test002: frames 0 to 4 are not in it, it has 4."),
        (row(3), FrameAlignment(last=-5), "clip Test002: frames 0 to -1 are not in it, it has 4."),
        (
            series(("Test001", [1], [5]), ("Test002", [1], [1]), ("Test010", [1], [1])),
            FrameAlignment(),
            "s, clip Test001: found a score of frame 5, the last frame is 4. Check which clip it is.",
        ),
        (
            series(("Test001", [1] * 5, range(1, 6)), ("Test002", [1] * 4, range(1, 5)), ("Test010", [1], [1])),
            FrameAlignment(),
            "s, clip Test001: found a score of frame 5, the last frame is 4. Frames count from 0: --first-frame 0",
        ),
        (
            series(("Test001", [1, 1], [0, 4]), ("Test002", [1], [1]), ("Test010", [1], [1])),
            FrameAlignment(first=1),
            "s, clip Test001: its scores would stand at frames 1 to 5, stated are 1 to 4. Check --first-frame",
        ),
        (
            series(("Test001", [1, 1], [0, 2]), ("Test002", [1], [1]), ("Test010", [1], [1])),
            FrameAlignment(first=1, last=-1),
            "s, clip Test001: its scores would stand at frames 1 to 3, stated are 1 to 4.",
        ),
    ],
)
def test_what_does_not_fit_names_the_clip_and_what_would_fit(
    made: Series, alignment: FrameAlignment, told: str
) -> None:
    with pytest.raises(DataError) as refusal:
        align_scores(made, NAMES, FRAMES, alignment)

    assert str(refusal.value).startswith(told)


def test_four_missing_frames_may_be_the_first_the_last_or_both_ends() -> None:
    with pytest.raises(DataError) as refusal:
        align_scores(row(2 * 16), ("a", "b"), (20, 20), FrameAlignment())

    assert str(refusal.value).endswith(FIT_4)


def test_a_frame_before_the_first_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--first-frame: -1 is before the clip's first frame\. Use 0 or more\."):
        FrameAlignment(first=-1)


def test_one_sequence_without_borders_is_taken_whole_or_not_at_all() -> None:
    assert align_scores(row(5), ("all",), (5,), FrameAlignment(0, -1), borders=False).matching == "one row"
    for made, alignment in (
        (row(5), FrameAlignment(first=1)),
        (row(4), FrameAlignment()),
        (row(4), FrameAlignment(first=1)),
    ):
        with pytest.raises(
            DataError, match=r"clips whose borders are not known\. State the clips' lengths with --clips"
        ):
            align_scores(made, ("all",), (5,), alignment, borders=False)


def test_scores_by_clip_say_how_long_clips_are() -> None:
    made = series(("10", [1] * 3), ("9", [1] * 2))

    assert clip_lengths(made, 5, FrameAlignment()) == {"9": 2, "10": 3}
    assert clip_lengths(made, 9, FrameAlignment(first=1, last=-2)) == {"9": 4, "10": 5}


@pytest.mark.parametrize(
    ("made", "alignment", "told"),
    [
        (
            row(5),
            FrameAlignment(),
            "s: the ground truth does not say where clips begin. State the clips' lengths with --clips",
        ),
        (series(("a", [1], [0])), FrameAlignment(), "s: the ground truth does not say where clips begin."),
        (series(("a", [1])), FrameAlignment(last=0), "s: the ground truth does not say where clips begin."),
        (
            series(("a", [1, 1]), ("b", [1])),
            FrameAlignment(),
            "s: found 3 scores in 2 clips, expected 5. All clips would fit with --first-frame 1, --last-frame -2",
        ),
        (
            series(("a", [1, 1]), ("b", [1, 1])),
            FrameAlignment(),
            "s: found 4 scores in 2 clips, expected 5. State the clips'",
        ),
        (
            series(("a", [1, 1]), ("b", [1])),
            FrameAlignment(first=2),
            "s: found 3 scores in 2 clips, expected 1. All clips would",
        ),
    ],
)
def test_scores_that_do_not_say_how_long_clips_are_are_refused(
    made: Series, alignment: FrameAlignment, told: str
) -> None:
    with pytest.raises(DataError) as refusal:
        clip_lengths(made, 5, alignment)

    assert str(refusal.value).startswith(told)


def test_scores_with_one_for_each_image_are_placed_at_the_frames_that_have_one() -> None:
    there = [np.array([True, False, True]), np.array([True, True])]
    in_a_row = Series(Path("a.npy"), (Clip("a", np.array([1.0, 2, 3, 4])),), concatenated=True)
    clips = Series(Path("a"), (Clip("y", np.array([3.0, 4])), Clip("x", np.array([1.0, 2]))))

    np.testing.assert_array_equal(
        over_missing_frames(in_a_row, ["x", "y"], there).clips[0].values, [1, np.nan, 2, 3, 4]
    )
    spread = over_missing_frames(clips, ["x", "y"], there)
    np.testing.assert_array_equal(spread.clips[1].values, [1, np.nan, 2])
    assert over_missing_frames(in_a_row, ["x", "y"], [np.ones(3, bool), np.ones(2, bool)]) is in_a_row
