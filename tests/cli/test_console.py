import io
import logging
import re
from contextlib import suppress
from itertools import count

import pytest

from maskedskipunet.cli import console

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def lines(shown: str) -> list[str]:
    """What stands on the screen, line by line, each state of a bar as a line."""
    return [line.rstrip() for line in re.split(r"[\r\n]+", ESCAPES.sub("", shown))]


HEADER = ("video", "frames", "AUC")
ROWS = [("a", "2,550", "0.9841"), ("b [red]c[/red]\nd", 3, None)]


def test_a_table_stands_under_its_title_and_its_names_are_no_markup(capsys):
    console.print_table("Within [bold]each[/bold] video, – where it has none", HEADER, ROWS)
    assert capsys.readouterr().out.splitlines() == [
        "Within [bold]each[/bold] video, – where it has none",
        "video               frames      AUC",
        "───────────────────────────────────",
        "a                    2,550   0.9841",
        r"b [red]c[/red]\nd        3         ",
        "",
    ]


def test_in_a_pipe_a_long_name_stays_on_its_line(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    console.print_table("Long", HEADER, [("x" * 200, 1, 2)])
    assert re.search(r"x{200} +1 +2\n", capsys.readouterr().out)


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_terminal_a_long_name_is_folded_and_figures_stay_whole(columns, terminal):
    screen = terminal(columns)
    console.print_table("A title that is longer than a narrow terminal is wide", HEADER, [("x" * 100, "1,234,567", 2)])
    shown = lines(screen.getvalue())
    table = shown[next(at for at, line in enumerate(shown) if line.startswith("video")) :]
    title = " ".join(line.strip() for line in shown[: len(shown) - len(table)])
    assert title == "A title that is longer than a narrow terminal is wide"
    assert max(map(len, shown)) <= columns
    assert sum(line.count("x") for line in table) == 100
    assert sum("1,234,567" in line for line in table) == 1


def test_where_the_terminal_is_too_narrow_for_the_figures_they_are_not_cut(terminal):
    screen = terminal(10)
    console.print_table("Narrow", HEADER, [("x" * 20, "1,234,567", "0.9841")])
    assert "1,234,567" in screen.getvalue()
    assert "0.9841" in screen.getvalue()


def test_a_terminal_that_knows_no_unicode_gets_a_table_all_the_same(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii", errors="backslashreplace"))
    console.print_table("Within each video, – for none", HEADER, [("ü", 1, None)])
    console.sys.stdout.flush()
    assert written.getvalue().decode("ascii").splitlines()[0] == r"Within each video, \u2013 for none"


def test_a_result_stays_on_one_line_whatever_a_file_is_called(capsys):
    console.say("videos: a\nb\x1b[31m\udcff.mp4")
    assert capsys.readouterr().out == "videos: a\\nb\\x1b[31m\\udcff.mp4\n"


def test_on_a_terminal_lines_are_broken_between_words_and_never_within_a_command(terminal):
    screen = terminal(80)
    command = "`maskedskipunet calibrate NORMAL… --model 'runs/a room' --false-alarms-per-day 1`"
    console.say(f"the threshold cannot be known without normal footage that was not trained on; {command} sets one")
    shown = lines(screen.getvalue())
    assert shown[:2] == [
        "the threshold cannot be known without normal footage that was not trained on;",
        f"  {command}",
    ]
    screen = terminal(80)
    console.say("/a/path/without/a/blank/" + 80 * "x")
    assert screen.getvalue() == "/a/path/without/a/blank/" + 80 * "x" + "\n"


def test_a_refusal_is_broken_between_words_too(terminal):
    from maskedskipunet.cli.main import refuse

    screen = terminal(40)
    assert refuse("there are no such videos as those that were asked for") == 2
    assert lines(screen.getvalue())[:2] == ["error: there are no such videos as those", "  that were asked for"]


@pytest.fixture
def clock(monkeypatch):
    """Time that passes by five seconds whenever someone looks."""
    ticks = count(0, 5)
    monkeypatch.setattr(console.time, "monotonic", lambda: float(next(ticks)))


def test_where_no_one_watches_progress_is_a_line_now_and_then_on_stderr(clock, capsys):
    progress = console.make_progress()
    with progress.stage("testing", 40) as advance:
        for _ in range(4):
            advance(10)
    progress.note("epoch 1:\nloss")
    out, err = capsys.readouterr()
    assert out == ""
    *middle, last, note = err.splitlines()
    assert 0 < len(middle) < 4
    assert all(re.fullmatch(r"testing: \d+ of 40 frames, [\d.]+ frames/s, \d+ s left", line) for line in middle)
    assert re.fullmatch(r"testing: 40 frames in \d+\.0 s", last)
    assert note == r"epoch 1:\nloss"


def test_a_stage_that_fails_does_not_say_that_it_ended(capsys):
    with suppress(ZeroDivisionError), console.make_progress().stage("testing", 4) as advance:
        advance(1 // 0)
    assert capsys.readouterr().err == ""


def test_a_single_thing_is_not_counted_as_many(capsys):
    with console.make_progress().stage("training", 1, "steps") as advance:
        advance(1)
    assert capsys.readouterr().err.startswith("training: 1 step in ")


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_terminal_progress_is_a_bar_that_never_wraps(columns, terminal):
    screen = terminal(columns)
    progress = console.make_progress()
    with progress.stage("decoding footage", 123_456) as advance:
        advance(61_728)
        progress.note("note [red]with[/red] brackets and more words than fit into the width of a narrow terminal")
        advance(61_728)
    shown = lines(screen.getvalue())
    at = next(at for at, line in enumerate(shown) if line.startswith("note"))
    end = next(end for end, line in enumerate(shown) if end > at and not line.startswith("  "))
    note = "note [red]with[/red] brackets and more words than fit into the width of a narrow terminal"
    assert " ".join(line.strip() for line in shown[at:end]) == note
    assert max(map(len, shown[at:end])) <= columns
    bars = [line for line in shown if line.startswith("decoding")]
    assert bars
    assert "123456/123456" in bars[-1]
    assert all(len(line) <= columns for line in shown if line != note)


def test_a_message_of_a_library_does_not_tear_a_bar(terminal, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
    screen = terminal(80)
    with console.make_progress().stage("decoding footage", 10) as advance:
        advance(5)
        logging.getLogger("maskedskipunet.data.images").warning("frame 3 was skipped")
        advance(5)
    assert "frame 3 was skipped" in lines(screen.getvalue())


@pytest.mark.parametrize(
    ("scored", "frames", "told"),
    [
        (2008, 2010, "2,008 of 2,010 frames scored"),
        (0, 1, "0 of 1 frame scored: no clip is whole, too few good frames follow one another"),
    ],
)
def test_where_no_frame_has_a_score_the_reason_is_told(scored, frames, told):
    assert console.frames_scored(scored, frames) == told
