"""Clips of answered events: how they score, and those that a run keeps because they are normal."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from maskedskipunet.cues.answers import learn_answer
from maskedskipunet.cues.cue import CueScore
from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.data.frames import Frame
from maskedskipunet.data.sources import Source
from maskedskipunet.detection.budget import NormalScores
from maskedskipunet.detection.frame_score import FrameScore
from maskedskipunet.detection.reading import RECONSTRUCTION
from maskedskipunet.errors import DataError, RunError
from maskedskipunet.files import atomic_write
from maskedskipunet.progress import Progress
from maskedskipunet.records.recorded import RecordedEvent
from maskedskipunet.runs import write_json
from maskedskipunet.scoring.loading import load_scorer
from maskedskipunet.scoring.scorer import Scorer

FORMAT_VERSION = 1


class ClipScorer:
    """Scores clips with a model, and again once its cues know more, for which its network need not look again.

    Every frame of a clip is scored: `watch` cuts them of the frames that it scores. Scores are by their events' ids.
    """

    def __init__(self, model: Path, device: str, progress: Progress) -> None:
        self._scorer = load_scorer(model, device, calibrated=False)
        self._progress = progress
        self._network: dict[str, dict[int, float]] = {}  # the network's own scores of each clip, by frame

    def score(self, paths: Sequence[Path]) -> dict[str, NormalScores | None]:
        """Score clips with the model as it is; None for a clip without any score."""
        scored = {}
        with self._progress.stage("scoring clips", len(paths), "clips") as advance:
            for path in paths:
                found = list(self._scorer.score(_frames_of(path, self._progress.note)))
                self._network[path.stem] = {
                    frame.index: frame.cues[RECONSTRUCTION] for frame in found if RECONSTRUCTION in frame.cues
                }
                scored[path.stem] = _normal_scores(path.stem, found)
                advance(1)
        return scored

    def score_again(self, paths: Sequence[Path], cues: CueModel) -> dict[str, NormalScores | None]:
        """Score clips that `score` scored with other cues of the model."""
        scored = {}
        with self._progress.stage("scoring clips again", len(paths), "clips") as advance:
            for path in paths:
                scored[path.stem] = _normal_scores(path.stem, self._scorer_again(path, cues).score(_frames_of(path)))
                advance(1)
        return scored

    def _scorer_again(self, path: Path, cues: CueModel) -> Scorer:
        known, fusion = self._network[path.stem], cues.fusion

        def fuse(frame: FrameScore, judged: Mapping[str, CueScore]) -> FrameScore:
            return fusion(replace(frame, score=known.get(frame.index)), judged)

        scorer = self._scorer
        return Scorer(
            None,
            scorer.input_format,
            cues=cues.cues,
            fuse=fuse,
            cue_channels=scorer.channels,
            smoothing_s=cues.smoothing_s,
        )

    def learn(
        self, clips: Mapping[str, Path], cues: CueModel, spans: Mapping[str, tuple[float, float]] | None = None
    ) -> CueModel:
        """Make cues know clips as normal, by the ids of their events. Raises CalibrationError as learn_answer does.

        spans: of what is normal in a clip; a clip without a span is normal as a whole.
        """
        spans = spans or {}
        with self._progress.stage("learning what is normal", len(clips), "clips") as advance:
            for event_id, path in clips.items():
                frames = self._scorer.sized_frames(_frames_of(path))
                cues = learn_answer(cues, event_id, frames, spans.get(event_id, (-inf, inf)))
                advance(1)
        return cues


class AnsweredClips:
    """Clips that are normal though they alarmed: `ID.mp4` each, and `events.json` that tells which event it is."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._list = folder, folder / "events.json"

    def paths(self) -> list[Path]:
        """Return the clips that are kept."""
        return [path for path in sorted(self.folder.glob("*.mp4")) if path.is_file()]

    def ids(self) -> set[str]:
        """Return the ids of the listed events."""
        return {str(entry["id"]) for entry in self._read_entries()}

    def copied_to(self, folder: Path) -> "AnsweredClips":
        """Return these clips, copied into another run."""
        for path in [*self.paths(), *([self._list] if self._list.is_file() else [])]:
            _copy(path, folder / path.name)
        return AnsweredClips(folder)

    def add(self, events: Sequence[RecordedEvent], clips: Mapping[str, Path]) -> None:
        """Keep the clips of events."""
        entries = {entry["id"]: entry for entry in self._read_entries()}
        for recorded in events:
            name = f"{recorded.event.id}.mp4"
            _copy(clips[recorded.event.id], self.folder / name)
            entries[recorded.event.id] = {
                "id": recorded.event.id,
                "clip": name,
                "camera": recorded.camera,
                "began_unix_s": recorded.began_unix_s,
                "top_score": recorded.event.top_score,
            }
        self._write(list(entries.values()))

    def remove(self, ids: Iterable[str]) -> None:
        """Keep the clips of some events no more; nothing happens where there are none."""
        gone = set(ids)
        entries = self._read_entries()
        left = [entry for entry in entries if entry["id"] not in gone]
        if left:
            self._write(left)
        else:
            self._list.unlink(missing_ok=True)
        for event_id in gone:
            (self.folder / f"{event_id}.mp4").unlink(missing_ok=True)

    def _write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        write_json(self._list, {"format": FORMAT_VERSION, "events": list(entries)})

    def _read_entries(self) -> list[dict[str, Any]]:
        try:
            return [entry for entry in json.loads(self._list.read_text(encoding="utf-8"))["events"] if "id" in entry]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError("not a list of events", str(self._list), "Remove it; the clips stay") from error


def _normal_scores(name: str, frames: Iterable[FrameScore]) -> NormalScores | None:
    found = [(frame.time_s, np.nan if frame.score is None else frame.score) for frame in frames]
    time_s, scores = np.array(found or [(0.0, np.nan)]).T
    return None if np.isnan(scores).all() else NormalScores(name, time_s, scores)


def _frames_of(path: Path, note: Callable[[str], None] = lambda message: None) -> Iterator[Frame]:
    """Yield the frames of a clip, as far as it can be read. note: receives a line if it ends early."""
    try:
        yield from Source(path=path, on_bad_frame="skip").frames()
    except DataError as error:
        note(str(error))


def _copy(source: Path, target: Path) -> None:
    with atomic_write(target) as part:
        part.write_bytes(source.read_bytes())
