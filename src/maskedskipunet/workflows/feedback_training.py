"""A new run that was trained on with clips of events that people called normal."""

import json
from dataclasses import dataclass
from pathlib import Path

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.detection.calibration import CALIBRATION_NAME, Calibration
from maskedskipunet.errors import CalibrationError, DataError
from maskedskipunet.files import atomic_write
from maskedskipunet.progress import Progress
from maskedskipunet.runs import RunFolder
from maskedskipunet.workflows.answered_clips import AnsweredClips, ClipScorer
from maskedskipunet.workflows.answered_events import AnsweredEvents, ClipScores
from maskedskipunet.workflows.calibrate import CalibrateOptions, calibrate
from maskedskipunet.workflows.fine_tuning import fine_tuned
from maskedskipunet.workflows.input_selection import NamedVideo


@dataclass(frozen=True)
class TrainedAgain:
    """A run that was trained on. scores: of the clips of all answered events by its model. carried_over: whether its
    thresholds are those of the network before.
    """

    run: RunFolder
    scores: ClipScores
    carried_over: bool


@dataclass(frozen=True)
class FeedbackTraining:
    """Trains a run further, with footage that was answered as normal."""

    epochs: int
    learning_rate: float
    device: str
    progress: Progress

    def train(self, run: RunFolder, answered: AnsweredEvents, calibration: Calibration) -> TrainedAgain:
        """Train a run on with the clips of events that are answered now, and all that it keeps from before."""
        kept = AnsweredClips(run.path / "feedback")
        marked = answered.marked_clips
        clips = {path.stem: path for path in kept.paths()} | marked
        training = fine_tuned(
            run,
            list(clips.values()),
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            device=self.device,
            progress=self.progress,
        )
        with training as new:
            if (cues := CueModel.read(new.model)) is not None:
                ClipScorer(new.path, self.device, self.progress).learn(clips, cues).write(new.model)
            anew = self._calibrate(run, new, calibration)
            scores = ClipScorer(new.path, self.device, self.progress).score(answered.paths)
            kept.copied_to(new.path / "feedback").add(answered.marked, answered.clips)
        kept.add(answered.marked, answered.clips)
        return TrainedAgain(new, scores, carried_over=not anew)

    def _calibrate(self, run: RunFolder, new: RunFolder, calibration: Calibration) -> bool:
        """Set the new run's threshold by the footage of the old one's; where that is gone, take its thresholds over.

        Returns whether it was set anew.
        """
        assert calibration.alarm is not None
        day = calibration.alarm.day
        try:
            inputs = json.loads(run.calibrated_on.read_text(encoding="utf-8"))
            videos = [NamedVideo(str(name), Path(path)) for name, path in inputs["videos"].items()]
            gone = [str(video.path) for video in videos if not video.path.exists()]
            if not gone:
                calibrate(
                    new.path,
                    videos,
                    calibration.alarm.budget,
                    CalibrateOptions(
                        exclude=inputs["exclude"],
                        interval_h=calibration.alarm.interval_h,
                        parts=() if day is None else [part.part for part in day.parts],
                        starts=None if day is None else day.starts,
                        device=self.device,
                    ),
                    progress=self.progress,
                )
                return True
            reason = f"{gone[0]} is not there any more"
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            reason = "it is not known which that was"
        except (DataError, CalibrationError) as error:
            reason = str(error)
        self.progress.note(
            f"the footage of the calibration cannot be scored again: {reason}; its thresholds are taken over"
        )
        with atomic_write(new.model / CALIBRATION_NAME) as part:
            part.write_bytes((run.model / CALIBRATION_NAME).read_bytes())
        return False
