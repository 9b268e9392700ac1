"""The appearance cue: what stands where nothing like it ever stood, for a moment or for a minute."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.cues.appearance import Descriptor
from maskedskipunet.cues.cue import STRANGE, CueScore, strange_centre
from maskedskipunet.cues.memory import Memory
from maskedskipunet.cues.tails import MEDIAN_SURPRISE, RAREST, STRANGEST, Tails, mean_of_strangest
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import APPEARANCE, CueReading, Moment

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

LASTING_S = 60.0  # over which lasting strangeness is judged
LOOKS = 30  # at each place in that time
STILL_THERE_S = 10.0  # in which what lasts has to be there still, or it would last half a minute beyond its end
LASTING_RISE = float(np.log10(LASTING_S))  # a lasting departure says the same for a minute, a passing one for a second


@dataclass(frozen=True)
class Judge:
    """How strange distances are. places: tails by place. frames: tails of the mean of a frame's STRANGEST places."""

    places: Tails
    frames: Tails

    def scores(self, distances: Floats) -> tuple[float, Floats, Floats]:
        """Return the surprise of a frame, of its places in the frame's units, and of places by themselves.

        distances: (P,) -> number, (P,), (P,).
        """
        places = self.places.surprise(distances)
        both = np.append(places, mean_of_strangest(places))
        scores = self.frames.surprise(both[:, None])[:, 0]
        return float(scores[-1]), scores[:-1], places


@dataclass(frozen=True)
class AppearanceCue:
    """Judges frames by the nearest normal moment at each place.

    now: of a moment. lasting: of the median over LASTING_S; None where normal footage was too short. moments: of each
    number in the memory, its video and time. answered: moments that people called normal, which are never thinned out;
    None where there are none.
    """

    descriptor: Descriptor
    memory: Memory
    now: Judge
    lasting: Judge | None
    moments: Sequence[Moment]
    answered: Memory | None = None

    name = APPEARANCE
    late_frames = 0
    wants_images = False

    def start_run(self) -> "AppearanceRun":
        """Begin with a new unbroken run of frames."""
        return AppearanceRun(self)

    def nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return distance to the nearest normal moment at each place and the moment's number: (P, N, K) -> (P, N), (P,
        N).

        The number is -1 where nothing is known of a place.
        """
        distances, numbers = _nearest_moments(self.memory, vectors)
        if self.answered is None:
            return distances, numbers
        to_answered, answered = _nearest_moments(self.answered, vectors)
        return torch.minimum(distances, to_answered), torch.where(to_answered < distances, answered, numbers)

    def judge(
        self, distances: Floats, lasting: Floats | None, nearest: NDArray[np.int64], pixels: Pixels | None = None
    ) -> CueScore:
        """Return what one frame's distances, (P,), and their medians over the last minute say of it.

        nearest: (P,), the numbers of the nearest moments. pixels: the frame, uint8 (C, H, W).
        """
        score, places, looks = self.now.scores(distances)
        lasting_s = None
        if lasting is not None and self.lasting is not None:
            long_score, long_places, _ = self.lasting.scores(lasting)
            long_score, long_places = float(_by_the_minute(np.float32(long_score))), _by_the_minute(long_places)
            if long_score > score:
                score, lasting_s = long_score, LASTING_S
            places = np.maximum(places, long_places)
        strangest = int(places.argmax())
        number = int(nearest[strangest])
        moment = self.moments[number] if 0 <= number < len(self.moments) else None
        box = self.descriptor.grid.share_box(strangest)
        reading = CueReading(score, box, nearest=moment, lasting_s=lasting_s)
        if pixels is not None and score >= STRANGE:
            spread = round(float((places >= STRANGE).mean()), 4)
            centre = strange_centre(self.descriptor.grid, places)
            reading = replace(reading, look=self._look(places, nearest, pixels), spread=spread, centre=centre)
        return CueScore(score, places=places, reading=reading, looks=looks)

    def _look(self, places: Floats, nearest: NDArray[np.int64], pixels: Pixels) -> tuple[float, ...] | None:
        """Return how the STRANGEST places differ from their nearest normal moments, on average: see CueReading.look."""
        grid, seen = self.descriptor.grid, []
        for place in np.argsort(-places, kind="stable")[:STRANGEST].tolist():
            if (exemplar := self._exemplar(place, int(nearest[place]))) is not None:
                remembered = self.descriptor.mean[place].numpy() + self.descriptor.axes[place].numpy() @ exemplar
                colours = pixels[:, *grid.window(place)].mean(axis=(1, 2)) / 255
                seen.append(colours - remembered.reshape(len(pixels), -1).mean(axis=1))
        return tuple(round(float(value), 3) for value in np.mean(seen, axis=0)) if seen else None

    def _exemplar(self, place: int, number: int) -> Floats | None:
        """Return how a moment looks at a place, (K,); None where it is not remembered there."""
        for memory in filter(None, (self.memory, self.answered)):
            count = int(memory.counts[place])
            (found,) = np.nonzero(memory.moments[place, :count].numpy() == number)
            if len(found):
                return np.asarray(memory.exemplars[place, int(found[0])].numpy(), np.float32)
        return None


class LastingMeter:
    """How far each place has departed over the last minute of an unbroken run; its memory is bounded.

    It is the median of the minute or of its last seconds, whichever is lower: what has gone lasts no more.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Floats]] = deque()
        self._median: Floats | None = None

    def add(self, time_s: float, distances: Floats) -> Floats | None:
        """Take the next frame's distances, (P,), and return what lasts, (P,); None before a minute has passed."""
        if self._looks and time_s < self._looks[-1][0]:
            self._looks.clear()  # the clock went back: what was seen before is of another time
        if not self._looks or time_s - self._looks[-1][0] >= LASTING_S / LOOKS:
            self._looks.append((time_s, distances))
            while time_s - self._looks[0][0] > LASTING_S:
                self._looks.popleft()
            is_whole = time_s - self._looks[0][0] >= LASTING_S * (1 - 2 / LOOKS) and len(self._looks) > LOOKS // 2
            self._median = self._lasting(time_s) if is_whole else None
        return self._median

    def _lasting(self, time_s: float) -> Floats:
        recent = [seen for looked_s, seen in self._looks if time_s - looked_s <= STILL_THERE_S]
        found: Floats = np.minimum(np.median([seen for _, seen in self._looks], axis=0), np.median(recent, axis=0))
        return found


class AppearanceRun:
    """Follows one unbroken run of frames of one source."""

    def __init__(self, cue: AppearanceCue) -> None:
        self._cue = cue
        self._lasting = LastingMeter()

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        """Take the next frames and return their scores."""
        seen = [sized.pixels for sized in frames if sized.pixels is not None]
        if not seen:
            return [CueScore(None)] * len(frames)
        distances, nearest = self._cue.nearest(self._cue.descriptor(np.stack(seen)))
        rows = iter(zip(distances.T.numpy(), nearest.T.numpy(), strict=True))
        return [CueScore(None) if sized.pixels is None else self._judge(sized, *next(rows)) for sized in frames]

    def _judge(self, sized: SizedFrame, distances: Floats, nearest: NDArray[np.int64]) -> CueScore:
        distances = self._cue.descriptor.grid.without(sized.ignored, distances)
        lasting = self._lasting.add(sized.frame.time_s, distances)
        return self._cue.judge(distances, lasting, nearest, sized.pixels)

    def finish(self) -> list[CueScore]:
        """Return no scores: each frame is judged when it comes."""
        return []


def _nearest_moments(memory: Memory, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return distance to the nearest exemplar and the number of its moment: (P, N, K) -> (P, N), (P, N)."""
    distances, exemplars = memory.nearest(vectors)
    if not memory.moments.shape[1]:
        return distances, torch.full_like(exemplars, -1)
    moments = memory.moments.long().gather(1, exemplars)
    return distances, moments.masked_fill(memory.counts[:, None] == 0, -1)


def _by_the_minute(surprise: Floats | np.float32) -> Floats:
    """Return the surprise of what lasts, raised so that it gives as few alarms an hour as a passing one as high.

    Of a thousand seconds that are as strange, those that last come in a few minutes, and those that pass in many single
    moments. From a surprise of MEDIAN_SURPRISE on it is raised within one decade by LASTING_RISE; below it is left.
    """
    share = np.clip(surprise - MEDIAN_SURPRISE, 0, 1)
    return np.asarray(np.minimum(surprise + LASTING_RISE * share, RAREST), np.float32)
