"""`maskedskipunet evaluate SCORES --data PATH`: any method's scores, by every protocol."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskedskipunet.cli import console
from maskedskipunet.cli.parsing import Options, Parser
from maskedskipunet.cli.values import UsageError
from maskedskipunet.runs import RunFolder, run_meant
from maskedskipunet.training.config import TrainConfig

if TYPE_CHECKING:
    from maskedskipunet.workflows.evaluate import EvaluateOptions

PLACES = {
    "pixel_auc": "pixel AUC",
    "pixel_40_auc": "AUC by the 40 % criterion",
    "pixel_40_eer": "equal error rate by the 40 % criterion",
    "rbdc": "RBDC, regions",
    "tbdc": "TBDC, tracks",
}


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser(
        "evaluate", "SCORES", "Compare any method's frame scores with ground truth; each protocol has a row of its own."
    )
    parser.add(
        "scores",
        type=Path,
        required=True,
        metavar="SCORES",
        help="Evaluate these scores: a run folder; a .parquet or .csv table of video, frame, score; a folder with a "
        ".npy, .csv or .txt file for each clip; or such a file with all clips one after another.",
    )
    parser.add(
        "--data",
        type=Path,
        metavar="PATH",
        help="Use the test clips and labels of this data set (default: the run's).",
    )
    parser.add(
        "--scene",
        type=str,
        metavar="NN",
        help="Use only clips of this scene, or all (default: as the run was trained).",
    )
    parser.add(
        "--ground-truth",
        type=Path,
        metavar="FILE",
        help="Use these labels instead of a data set: a file for all clips, or a folder with a file for each (default: "
        "none).",
    )
    parser.add(
        "--clips",
        type=str,
        metavar="LENGTHS",
        help="State the frames of each clip, 180,150,… or a file, if the ground truth does not (default: none).",
    )
    _add_scores(parser)
    _add_maps(parser)
    parser.add(
        "--sigma", type=float, default=5.0, metavar="FRAMES", help="Smooth scores with a Gaussian of this sigma."
    )
    parser.add(
        "--window", type=int, default=17, metavar="FRAMES", help="Smooth scores with a median over this window, odd."
    )
    parser.add("--seed", type=int, default=0, help="Set the seed of the bootstrap.")
    parser.add_json()
    return parser.parse(arguments)


def _add_scores(parser: Parser) -> None:
    parser.add(
        "--first-frame",
        type=int,
        metavar="N",
        help="State the frame, from 0, to which each clip's first score belongs (default: 0, or as a table says).",
    )
    parser.add(
        "--last-frame",
        type=int,
        metavar="N",
        help="State the frame of each clip's last score, negative from the end (default: -1, or as a table says).",
    )
    parser.add_switch(
        "--normality",
        dest="normality",
        help="Reverse the scores, because they say how normal a frame is (default: high is anomalous).",
    )


def _add_maps(parser: Parser) -> None:
    parser.add(
        "--maps",
        type=Path,
        metavar="FOLDER",
        help="Evaluate pixels and regions with these score maps: what `test --maps` writes, or .npy arrays of frames, "
        "height, width (default: the run's own, if it has any).",
    )
    parser.add(
        "--map-patch",
        type=int,
        metavar="PIXELS",
        help="Average maps over squares of this many pixels first; the published score uses 16 "
        "(default: maps as they are).",
    )


def run(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    scores = _scores(options.scores)
    data, scene = _data(options, scores)
    if options.seed < 0:
        raise UsageError(f"the seed {options.seed} is negative", "--seed", "Use 0 or more")

    from maskedskipunet.evaluation.truth import read_lengths
    from maskedskipunet.workflows.evaluate import evaluate

    maps = _maps(options, scores)
    result = evaluate(
        options.scores if scores is None else scores.scores,
        data=data,
        scene=scene,
        ground_truth=options.ground_truth,
        clips=None if options.clips is None else read_lengths(options.clips),
        options=_evaluate_options(options, maps),
        progress=console.make_progress(),
    )
    console.write_figures(options.json, result.figures)
    _print(result.figures)
    if maps is not None and "pixel_auc" not in result.figures:
        console.say("the data set has no masks, so its maps cannot be compared with anything")
    return 0


def _data(options: Options, scores: RunFolder | None) -> tuple[Path | None, str | None]:
    """Return the data set of the scored clips, and the scene; those of the run if neither data nor labels are named."""
    data = options.data
    scene = None if options.scene == "all" else options.scene
    if data is not None and (options.ground_truth is not None or options.clips is not None):
        other = "--ground-truth" if options.ground_truth is not None else "--clips"
        raise UsageError(f"--data and {other} both say which clips there are", "evaluate", "Leave one out")
    if data is None and options.ground_truth is None:
        if scores is None:
            cure = "Name the data set with --data, or labels with --ground-truth"
            raise UsageError("there is nothing to compare the scores with", "evaluate", cure)
        trained = TrainConfig.from_dict(scores.read_config(), str(scores.config)).data
        data, scene = trained.footage, trained.scene if options.scene is None else scene
        if not data.exists():
            cure = "Name where the run's footage is now with --data"
            raise UsageError("no such file or folder", str(data), cure)
    return data, scene


def _evaluate_options(options: Options, maps: Path | None) -> "EvaluateOptions":
    from maskedskipunet.evaluation.frame_alignment import FrameAlignment
    from maskedskipunet.evaluation.smoothing import Smoothing
    from maskedskipunet.workflows.evaluate import EvaluateOptions

    return EvaluateOptions(
        alignment=FrameAlignment(options.first_frame, options.last_frame),
        normality=options.normality,
        smoothing=Smoothing(options.sigma, options.window),
        maps=maps,
        map_patch_px=options.map_patch,
        seed=options.seed,
    )


def _scores(path: Path) -> RunFolder | None:
    """Return the run that a path names, if it is one."""
    found = run_meant(path)
    if found is not None and not found.scores.is_file():
        raise UsageError("the run has no scores yet", str(path), f"Make them with `maskedskipunet test {path}`")
    return found


def _maps(options: Options, scores: RunFolder | None) -> Path | None:
    """Return the named maps, or those beside the scores if the data set may have masks."""
    if options.maps is not None:
        if options.ground_truth is not None:
            cure = "Name the data set that has the masks, with --data"
            raise UsageError("maps need a data set", "--maps", cure)
        return Path(options.maps)
    own = (scores or RunFolder(options.scores)).maps
    return own if own.is_dir() and options.ground_truth is None else None


def _print(figures: Mapping[str, Any]) -> None:
    console.say(f"ground truth: {figures['ground_truth']}")
    if figures["label_set"]:
        console.say(f"labels: {figures['label_set']}")
    if figures["scene"]:
        console.say(f"scene: {figures['scene']} alone")
    console.say(f"scores: {figures['matching']}{', reversed: high was normal' if figures['normality'] else ''}")
    console.say("")
    intervals = figures["intervals"]
    rows = [
        (
            name,
            console.figure(figures[key]),
            _interval(intervals["by_videos"].get(key)),
            _interval(intervals["by_blocks"].get(key)),
        )
        for key, name in _rows(figures)
    ]
    console.print_table(
        f"Frame level, 95 % intervals by drawing videos and blocks of {intervals['block_frames']} frames",
        ("protocol", "figure", "videos", "blocks"),
        rows,
    )
    if "cues" in figures:
        names = list(figures["cues"])
        cue_rows = [
            (name, *(console.figure(figures["cues"][cue][key]) for cue in names)) for key, name in _rows(figures)
        ]
        console.print_table("Each cue alone; the score above fuses all cues", ("protocol", *names), cue_rows)
    scored = console.frames_scored(figures["frames_scored"], figures["frames"])
    console.say(f"{scored}, {figures['frames_anomalous']:,} labelled anomalous")
    if "pixel_auc" in figures:
        _print_places(figures)
    if figures["video_auc"] is None:
        console.say(
            "it is not known where clips begin, so there is no protocol by video: state their lengths with --clips"
        )
    if (auc := figures["micro_auc"]) is not None and auc < 0.5:
        reversed_hint = "leave --normality out" if figures["normality"] else "state --normality"
        console.say(f"the primary figure is below 0.5: if these scores say how normal a frame is, {reversed_hint}")


def _print_places(figures: Mapping[str, Any]) -> None:
    rows = [(name, console.figure(figures[key])) for key, name in PLACES.items()]
    console.say("")
    side = figures["map_patch_px"]
    scale = "as they are" if side is None else f"averaged over {side}x{side} of their pixels"
    console.print_table(f"Pixels, regions and tracks, maps {scale}", ("protocol", "figure"), rows)
    steps = console.counted(figures["region_thresholds"], "threshold")
    clips = f"{console.counted(figures['clips_with_masks'], 'clip')} with {figures['regions_from']}"
    console.say(
        f"maps of {console.counted(figures['frames_with_map'], 'frame')} in {clips}, {figures['maps_matching']}"
    )
    console.say(
        f"{console.counted(figures['regions'], 'region')} in {console.counted(figures['tracks'], 'track')}, "
        "from masks: connected regions, and tracks that overlap in time"
    )
    console.say(f"detections: connected regions of a map at or above each of {steps}")


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each frame-level key, and its name in the table."""
    smoothing, one_class = figures["smoothing"], figures["one_class_videos"]
    sigma, window = f"σ {smoothing['sigma_frames']:g}", f"median {smoothing['window_frames']}"
    yield "micro_auc", "micro AUC, raw (primary)"
    yield "macro_auc_two_class_videos", f"macro AUC, {_count(one_class)} one-class videos left out"
    yield "macro_auc_one_class_as_1", f"macro AUC, {_count(one_class)} one-class videos as 1"
    yield "macro_auc_padded", "macro AUC, min-max by video and padded"
    yield "micro_auc_min_max", "micro AUC, min-max by video"
    yield "micro_auc_gaussian", f"micro AUC, Gaussian {sigma}, centred"
    yield "micro_auc_gaussian_causal", f"micro AUC, Gaussian {sigma}, causal"
    yield "micro_auc_median", f"micro AUC, {window}, centred"
    yield "micro_auc_median_causal", f"micro AUC, {window}, causal"
    yield "average_precision", "average precision, raw"
    yield "equal_error_rate", "equal error rate, raw"


def _count(count: int | None) -> str:
    return "–" if count is None else str(count)


def _interval(pair: tuple[float, float] | None) -> str:
    """Return an interval for a table.

    >>> _interval((0.9712, 0.9954))
    '0.971–0.995'
    """
    return "–" if pair is None else f"{pair[0]:.3f}–{pair[1]:.3f}"
