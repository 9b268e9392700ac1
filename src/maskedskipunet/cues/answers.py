"""Clips that people called normal are taken into a model's cues at once, without training."""

from collections.abc import Iterable

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.learned_cue import LearnsAnswers
from maskedskipunet.data.sized_frame import SizedFrame


def learn_answer(model: CueModel, name: str, frames: Iterable[SizedFrame]) -> CueModel:
    """Return a model whose cues know footage that a person called normal; the given model stays unchanged.

    name: of the footage, for reasons of later alarms. frames: as the cues see them, in order. Raises CalibrationError
    if a cue cannot learn more answers.
    """
    learners = [cue.start_answer(name) for cue in model.cues if isinstance(cue, LearnsAnswers)]
    for frame in frames:
        for learner in learners:
            learner.add(frame)
    return model.with_cues(learner.finish() for learner in learners)
