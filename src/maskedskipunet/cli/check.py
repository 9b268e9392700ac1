"""`maskedskipunet check PATH`: what was recognised there."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.clip_geometry import ClipGeometry
from maskedskipunet.data.checking import Report, VideoRow, check
from maskedskipunet.data.frames import OnBadFrame

CLIP_LENGTH = 3  # frames, as published


def run(arguments: Sequence[str]) -> int:
    parser = Parser("check", "PATH", "Show what a path holds: clips, hours, sizes, rates, labels, anything odd.")
    parser.add("path", type=Path, required=True, help="Check this data set, folder of footage or video.")
    parser.add(
        "--on-bad-frame",
        type=OnBadFrame,
        default="stop",
        help="Say whether training would stop at a frame that cannot be read, or skip it.",
    )
    parser.add("--image-fps", type=float, default=10.0, help="Assume this many frames a second for folders of images.")
    parser.add("--spacing", type=int, default=1, help="Show how many seconds a clip spans with this --data.spacing.")
    parser.add_json()
    options = parser.parse(arguments)
    geometry = ClipGeometry(CLIP_LENGTH, options.spacing)
    report = check(options.path, options.on_bad_frame, options.image_fps)
    span = _clip_span(report, geometry, options.image_fps)
    console.write_figures(options.json, report.to_dict() | {"clip": span})
    _print(report, "" if span is None else _span_line(span))
    return 1 if report.failed else 0


def _clip_span(report: Report, geometry: ClipGeometry, image_fps: float) -> dict[str, Any] | None:
    """Return the length of a clip in seconds, at the median rate of the training videos; None if there is no video."""
    rates = [row.frame_rate or image_fps for row in report.train or report.test]
    if not rates:
        return None
    rate = median(rates)
    return {
        "frames": geometry.length,
        "spacing": geometry.spacing,
        "frames_per_second": rate,
        "seconds": geometry.span_s(rate),
    }


def _span_line(span: dict[str, Any]) -> str:
    apart = "" if span["spacing"] == 1 else f", each {span['spacing']} after the one before"
    return f"training looks at {span['frames']} frames at a time{apart}: {span['seconds']:.2f} s from first to last"


def _print(report: Report, span_line: str) -> None:
    console.say(f"{report.root}: layout {report.layout}")
    if report.label_set:
        console.say(f"labels: {report.label_set}")
    if report.masked:
        console.say(f"masks: for {report.masked} of {console.counted(report.test_videos, 'test clip')}")
    for split, rows in (("train", report.train), ("test", report.test)):
        if rows:
            has_labels = any(row.anomalous_frames is not None for row in rows)
            header = ("video", "frames", "length", "size", "frames/s", *(["anomalous"] if has_labels else []))
            console.print_table(f"{split}", header, [_cells(row, has_labels) for row in rows])
    for split, totals in report.totals.items():
        clips, frames = console.counted(totals.videos, "clip"), console.counted(totals.frames, "frame")
        length = f", {console.duration(totals.duration_s)}" if totals.videos else ""
        anomalous = "" if totals.anomalous_frames is None else f", {totals.anomalous_frames:,} of them anomalous"
        console.say(f"{split}: {clips}, {frames}{length}{anomalous}")
    if span_line:
        console.say(span_line)
    for oddity in report.oddities:
        console.say(f"{'fault' if oddity in report.faults else 'note'}: {oddity}")
    if report.failed:
        console.say(f"{console.counted(report.failed, 'video')} cannot be used as it is: see the faults above")


def _cells(row: VideoRow, has_labels: bool) -> tuple[str, ...]:
    rate = "not stated" if row.frame_rate is None else f"{row.frame_rate:.4g}"
    cells = row.name, f"{row.frames:,}", console.clock(row.duration_s), f"{row.width_px}x{row.height_px}", rate
    if not has_labels:
        return cells
    return *cells, "no labels" if row.anomalous_frames is None else f"{row.anomalous_frames:,}"
