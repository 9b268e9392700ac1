import pytest

from maskedskipunet.detection.fusing import EventReason
from maskedskipunet.detection.reading import CueReading, Moment
from maskedskipunet.view.reasons import describe_moment, describe_reason


def sentence(cue: str, reading: CueReading) -> str:
    return describe_reason(EventReason(cue, {cue: 1.0}, {cue: reading}))


@pytest.mark.parametrize(
    ("cue", "reading", "expected"),
    [
        ("movement", CueReading(4, speed_ratio=3.14), "moves 3.1 times as fast as 99 % of what passes here"),
        ("movement", CueReading(4, speed_ratio=1.0), "moves at a place or in a direction where hardly anything moves"),
        ("movement", CueReading(4), "moves at a place or in a direction where hardly anything moves"),
        ("appearance", CueReading(4), "nothing normal ever looked like this here"),
        (
            "appearance",
            CueReading(4, nearest=Moment("monday", 3801.5)),
            "nothing normal ever looked like this here; nearest normal moment: monday at 1:03:21",
        ),
        ("appearance", CueReading(4, lasting_s=60.0), "has looked unlike anything normal here for 60 s"),
        ("reconstruction", CueReading(4), "the network cannot reconstruct this place from the frames around it"),
        (
            "sound",
            CueReading(3.2, finding="a loud bang"),
            "a loud bang; about one in 1,600 normal frames is as strange",
        ),
        (
            "sound",
            CueReading(12.0, finding="a loud bang"),
            "a loud bang; fewer than one in 1,000,000 normal frames is as strange",
        ),
        (
            "sound",
            CueReading(2.0),
            "the cue sound finds this place strange; about one in 100 normal frames is as strange",
        ),
    ],
)
def test_a_reason_is_one_sentence(cue: str, reading: CueReading, expected: str) -> None:
    assert sentence(cue, reading) == expected


def test_the_cue_that_raised_the_event_is_told_and_no_other() -> None:
    readings = {"movement": CueReading(1.0, speed_ratio=9.0), "appearance": CueReading(4.0)}
    reason = EventReason.of(readings)

    assert reason is not None
    assert describe_reason(reason) == "nothing normal ever looked like this here"


def test_a_moment_is_told_by_its_video_and_the_clock_of_a_day_at_most() -> None:
    assert describe_moment(Moment("a", 0.0)) == "a at 0:00:00"
    assert describe_moment(Moment("yard/b", 90_061.9)) == "yard/b at 1 day, 1:01:01"
