"""`maskedskipunet score VIDEO --model RUN`: one video's scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import add_device, add_json, make_parser, parse
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.errors import RunError
from maskedskipunet.runs import find_run

TOP_MOMENTS = 5
APART_S = 2.0


def run(arguments: Sequence[str]) -> int:
    parser = make_parser("score", "Score one video with a trained model.")
    parser.add_argument("video", type=Path, help="A video file or a folder of images.")
    parser.add_argument("--model", type=Path, required=True, metavar="RUN", help="A run folder or a model.")
    parser.add_argument("--out", type=Path | None, metavar="FOLDER", help="For the results; left out, scores/NAME.")
    parser.add_argument("--video", dest="with_video", action="store_true", help="Also write a comparison video.")
    parser.add_argument("--on-bad-frame", type=OnBadFrame, default="stop", help="skip or stop.")
    add_device(parser)
    add_json(parser)
    options = parse(parser, arguments)

    from maskedskipunet.workflows.score import score

    result = score(
        options.video,
        _model(options.model),
        options.out or Path("scores") / options.video.resolve().stem,
        with_video=options.with_video,
        on_bad_frame=options.on_bad_frame,
        device=options.device,
        progress=console.make_progress(),
    )
    scored = result.scored
    frames = int(scored.labelled.scored.sum())
    rows = [
        (f"{scored.time_s[at]:.2f}", int(scored.index[at]), f"{scored.scores[at]:.5f}")
        for at in top_moments(scored.time_s, scored.scores)
    ]
    console.print_table("Highest scores", ("time (s)", "frame", "score"), rows, left=0)
    console.say(f"{frames:,} of {len(scored.scores):,} frames scored")
    for path in (result.scores_path, result.plot_path, result.video_path):
        if path is not None:
            console.say(str(path))
    console.write_figures(
        options.json,
        {
            "frames": len(scored.scores),
            "frames_scored": frames,
            "highest": [{"time_s": float(time), "frame": frame, "score": float(value)} for time, frame, value in rows],
        },
    )
    return 0


def top_moments(time_s: np.ndarray, scores: np.ndarray) -> list[int]:
    """Positions of the highest scores, none within two seconds of a higher one."""
    chosen: list[int] = []
    for at in np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable"):
        if np.isnan(scores[at]) or len(chosen) == TOP_MOMENTS:
            break
        if all(abs(time_s[at] - time_s[other]) >= APART_S for other in chosen):
            chosen.append(int(at))
    return chosen


def _model(path: Path) -> Path:
    try:
        return find_run(path).path
    except RunError:
        return path
