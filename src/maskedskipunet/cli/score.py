"""`maskedskipunet score VIDEO --model RUN`: one video's scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Parser
from maskedskipunet.data.frames import OnBadFrame
from maskedskipunet.errors import RunError
from maskedskipunet.runs import find_run

TOP_MOMENTS = 5
APART_S = 2.0


def run(arguments: Sequence[str]) -> int:
    parser = Parser("score", "VIDEO --model RUN", "Score one video with a trained model.")
    parser.add("video", type=Path, required=True, metavar="VIDEO", help="A video file or a folder of images.")
    parser.add("--model", type=Path, required=True, metavar="RUN", help="A run folder or a model.")
    parser.add("--out", type=Path, metavar="FOLDER", help="For the results (default: scores/NAME).")
    parser.add_switch("--video", dest="with_video", help="Also write a comparison video.")
    parser.add("--on-bad-frame", type=OnBadFrame, default="stop", help="At a frame that cannot be read.")
    parser.add_device()
    parser.add_precision()
    parser.add_json()
    options = parser.parse(arguments)

    from maskedskipunet.workflows.score import score

    result = score(
        options.video,
        find_model(options.model),
        options.out or Path("scores") / options.video.resolve().stem,
        with_video=options.with_video,
        on_bad_frame=options.on_bad_frame,
        device=options.device,
        precision=options.precision,
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
    changed = {} if result.effect is None else {"precision_effect": result.effect.figures()}
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
    for path in (result.scores_path, result.plot_path, result.video_path):
        if path is not None:
            console.say(str(path))
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


def rarity(normal_share: float, frames: int) -> str:
    """How often a normal frame scores as high, by a calibration on so many frames.

    >>> rarity(0.32, 356), rarity(0.004, 356), rarity(1 / 357, 356)
    ('32% of frames', '1 in 250 frames', 'none of 356 frames')
    """
    if normal_share * frames < 1:
        return f"none of {console.counted(frames, 'frame')}"
    return f"{normal_share:.0%} of frames" if normal_share >= 0.05 else f"1 in {1 / normal_share:.0f} frames"


def find_model(path: Path) -> Path:
    """A run's folder, where a run is named; else what is named."""
    try:
        return find_run(path).path
    except RunError:
        return path
