"""`maskedskipunet score SOURCE… --model RUN`: scores and events of one video or many."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskedskipunet.cli import console
from maskedskipunet.cli.hiding import hide_passwords
from maskedskipunet.cli.models import find_model
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import PathText, UsageError
from maskedskipunet.data.frames import OnBadFrame

if TYPE_CHECKING:
    from maskedskipunet.detection.drift import DriftChange
    from maskedskipunet.workflows.gathering import NamedVideo, RemoteVideo
    from maskedskipunet.workflows.score import ScoreOptions

TOP_MOMENTS = 5
APART_S = 2.0


def run(arguments: Sequence[str]) -> int:
    parser = Parser("score", "SOURCE… --model RUN", "Score one video or many with a trained model.")
    parser.add(
        "sources",
        type=PathText,
        many=True,
        required=True,
        metavar="SOURCE",
        help="Video files, folders, patterns such as 'day*/*.mp4', addresses of videos (https://) and streams "
        "(rtsp://), or .txt lists of them. ${NAME} in an address is taken from the environment.",
    )
    parser.add("--model", type=Path, required=True, metavar="RUN", help="A run folder or a model.")
    parser.add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="For the results (default: scores/NAME, or of many videos scores/ with a folder each).",
    )
    parser.add_switch(
        "--video",
        dest="with_video",
        help="Also write a comparison video, and where the model has a threshold an annotated one.",
    )
    parser.add("--on-bad-frame", type=OnBadFrame, default="stop", help="At a frame that cannot be read.")
    parser.add(
        "--seconds", type=float, metavar="N", help="How much to take of a stream, which never ends (default: none)."
    )
    parser.add(
        "--videos-together",
        type=int,
        default=1,
        metavar="N",
        help="So many videos are scored side by side; scores do not depend on it.",
    )
    parser.add_ignore()
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.gathering import RemoteVideo, find_sources, is_address, is_one_video

    is_one = len(options.sources) == 1 and is_one_video(options.sources[0])
    if is_one and not is_address(options.sources[0]):
        _require_a_stream([], options)
        path = Path(options.sources[0])
        if path.is_dir():
            find_sources(options.sources, console.make_progress().note)  # says what in it is no frame
        # A link keeps its own name; `.` and `..` have none. Path.resolve raises for circular links.
        named = path if path.name not in ("", "..") else Path(os.path.realpath(path))
        return _score_one(path, named.stem, options)
    videos = find_sources(options.sources, console.make_progress().note)
    remote = [video for video in videos if isinstance(video, RemoteVideo)]
    _require_a_stream(remote, options)
    hide_passwords([secret for video in remote for secret in video.address.secrets])
    return _score_one(remote[0], remote[0].name, options) if is_one else _score_many(videos, options)


def _require_a_stream(remote: "Sequence[RemoteVideo]", options: Options) -> None:
    if options.seconds is not None and not remote:
        raise UsageError("none of the sources is a stream", "--seconds", "Leave it out")


def _score_options(options: Options) -> "ScoreOptions":
    from maskedskipunet.workflows.score import ScoreOptions

    return ScoreOptions(
        with_video=options.with_video,
        on_bad_frame=options.on_bad_frame,
        device=options.device,
        precision=options.precision,
        together=options.videos_together,
        seconds=options.seconds,
        ignore=tuple(options.ignore),
    )


def _score_one(video: "Path | RemoteVideo", name: str, options: Options) -> int:
    from maskedskipunet.workflows.score import score

    result = score(
        video,
        find_model(options.model),
        options.out or Path("scores") / name,
        _score_options(options),
        progress=console.make_progress(),
    )
    scored, has_score = result.scored, result.scored.labelled.scored
    top = top_moments(scored.time_s, scored.scores)
    shares = None if result.calibration is None else result.calibration.share(scored.scores[top]).tolist()
    best = [
        {
            "time_s": float(scored.time_s[at]),
            "frame": int(scored.index[at]),
            "score": float(scored.scores[at]),
            "normal_share": share,
        }
        for at, share in zip(top, shares or [None] * len(top), strict=True)
    ]
    frames, frames_scored = len(has_score), int(has_score.sum())
    changed: dict[str, object] = {} if result.effect is None else {"precision_effect": result.effect.figures()}
    if scored.events is not None:
        changed |= {"threshold": scored.threshold, "events": len(scored.events), "drift": [*map(asdict, scored.drift)]}
    console.write_figures(options.json, {"frames": frames, "frames_scored": frames_scored, "highest": best} | changed)
    if best:
        header = ["time (s)", "frame", "score"]
        rows = [[f"{moment['time_s']:.2f}", moment["frame"], f"{moment['score']:.5f}"] for moment in best]
        if result.calibration is not None and shares is not None:
            header.append("as high when normal")
            for row, share in zip(rows, shares, strict=True):
                row.append(rarity(share, result.calibration.frames))
        console.print_table("Highest scores", header, rows, left=0)
    console.say(console.frames_scored(frames_scored, frames))
    if result.effect is not None:
        console.say(result.effect.told())
    if scored.events is not None:
        console.say(f"{console.counted(len(scored.events), 'event')} at the threshold {scored.threshold:.5f}")
    for line in told_drift(scored.drift, options.model):
        console.say(line)
    for path in result.paths:
        console.say(str(path))
    return 0


def _score_many(videos: "Sequence[NamedVideo | RemoteVideo]", options: Options) -> int:
    from maskedskipunet.workflows.score_many import score_many

    out = options.out or Path("scores")
    result = score_many(
        videos,
        find_model(options.model),
        out,
        _score_options(options),
        progress=console.make_progress(),
    )
    figures = {
        "videos": [
            {
                "video": video.name,
                "frames": video.frames,
                "frames_scored": video.frames_scored,
                "highest": video.highest,
                "events": video.events,
                "drift": [*map(asdict, video.drift)],
            }
            for video in result.done
        ],
        "finished_before": list(result.before),
        "failed": [{"video": name, "fault": fault} for name, fault in result.failed],
    }
    console.write_figures(options.json, figures)
    if result.done:
        rows = [
            (
                video.name,
                f"{video.frames_scored:,}",
                f"{video.highest:.5f}",
                "–" if video.events is None else video.events,
            )
            for video in result.done
        ]
        console.print_table("Scored videos", ("video", "frames scored", "highest", "events"), rows)
    for video in result.done:
        for line in told_drift(video.drift, options.model):
            console.say(f"{video.name}: {line}")
    if result.before:
        console.say(f"{console.counted(len(result.before), 'video')} finished before")
    for name, fault in result.failed:
        console.say(f"failed: {name}: {fault}")
    console.say(f"results: {out}")
    return 1 if result.failed else 0


def told_drift(changes: "Sequence[DriftChange]", model: Path) -> list[str]:
    """A line for each change of what is normal, with the cure where one is needed."""
    cure = f"calibrate again, `maskedskipunet calibrate NORMAL… --model {shlex.quote(str(model))}`"
    return [f"{change.told()}: {cure}" if change.phase == "begin" else change.told() for change in changes]


def top_moments(time_s: np.ndarray, scores: np.ndarray) -> list[int]:
    """Positions of the highest scores, none within two seconds of a higher one."""
    chosen: list[int] = []
    for at in np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable"):
        if np.isnan(scores[at]) or len(chosen) == TOP_MOMENTS:
            break
        if all(abs(time_s[at] - time_s[other]) >= APART_S for other in chosen):
            chosen.append(int(at))
    return chosen


def rarity(normal_share: float, frames: int) -> str:
    """How often a normal frame scores as high, by a calibration on so many frames.

    >>> rarity(0.32, 356), rarity(0.004, 356), rarity(1 / 357, 356)
    ('32% of frames', '1 in 250 frames', 'none of 356 frames')
    """
    from maskedskipunet.detection.calibration import told_share

    if normal_share * frames < 1:
        return f"none of {console.counted(frames, 'frame')}"
    return told_share(normal_share, "frames")
