"""Clips that people called normal are taken into a model's cues at once, without training."""

from collections.abc import Iterable
from math import inf

from maskedskipunet.cues.cue_model import CueModel
from maskedskipunet.cues.learned_cue import LearnsAnswers
from maskedskipunet.data.sized_frame import SizedFrame


def learn_answer(
    model: CueModel, name: str, frames: Iterable[SizedFrame], span: tuple[float, float] = (-inf, inf)
) -> CueModel:
    """Return a model whose cues know footage that a person called normal; the given model stays unchanged.

    name: of the footage, for reasons of later alarms. frames: as the cues see them, in order. span: first and last
    second of what was called normal; cues that judge looks learn nothing else, and movement sees how it comes and
    goes. Raises CalibrationError if a cue cannot learn more answers.
    """
    begin_s, end_s = span
    learners = [(cue.start_answer(name), cue.judges_looks) for cue in model.cues if isinstance(cue, LearnsAnswers)]
    for sized in frames:
        is_within = begin_s <= sized.frame.time_s <= end_s
        for learner, within_only in learners:
            if is_within or not within_only:
                learner.add(sized)
    return model.with_cues(learner.finish() for learner, _ in learners)
