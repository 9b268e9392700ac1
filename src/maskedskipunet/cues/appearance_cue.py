"""The appearance cue finds things where nothing like them was ever seen, for a moment or for a minute."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskedskipunet.cues.appearance import PATCH, Descriptor, new_memory
from maskedskipunet.cues.appearance_answer import AppearanceAnswer
from maskedskipunet.cues.appearance_judging import HISTORY_S, LASTING_S, RISE, Judge, LastingMeter, LastingRise
from maskedskipunet.cues.appearance_learning import count_looks, learn_appearance
from maskedskipunet.cues.appearance_remembering import AppearanceLearner
from maskedskipunet.cues.cue import STRANGE, CueScore, strange_centre
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.memory import Memory
from maskedskipunet.cues.normal_footage import Halves
from maskedskipunet.cues.tails import STRANGEST
from maskedskipunet.data.sized_frame import SizedFrame
from maskedskipunet.detection.reading import APPEARANCE, CueReading, Moment
from maskedskipunet.progress import Advance

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_ANSWERED, _NOW, _LASTING = "answered", "now", "lasting"


@dataclass(frozen=True)
class AppearanceCue:
    """Judges frames by the nearest normal moment at each place.

    now: judges a moment. lasting: judges the median over LASTING_S; None if normal footage was too short. moments: the
    video and time of each number in the memory. answered: moments that people called normal, which are never thinned
    out; None if there are none. rise: of what lasts.
    """

    descriptor: Descriptor
    memory: Memory
    now: Judge
    lasting: Judge | None
    moments: Sequence[Moment]
    answered: Memory | None = None
    rise: LastingRise = RISE

    name = APPEARANCE
    late_frames = 0
    early_frames = 0
    history_s = HISTORY_S
    wants_images = False
    judges_looks = True
    needed_frames: ClassVar[int] = 1
    short_footage_fault: ClassVar[str] = "sees only one light and will call any other strange"

    @classmethod
    def count_looks(cls, halves: Halves) -> int:
        """Return how many frames `learn` looks at, counting a frame each time."""
        return count_looks(halves)

    @classmethod
    def learn(cls, halves: Halves, grid: PlaceGrid, aspect_ratio: float | None, advance: Advance) -> "AppearanceCue":
        """Learn the appearance of normal footage; see `LearnedCue.learn`."""
        learned, now, lasting = learn_appearance(halves, grid, advance)
        return cls(learned.descriptor, learned.memory, now, lasting, learned.moments)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to store."""
        parts = self.descriptor.arrays() | self.memory.arrays()
        parts |= {} if self.answered is None else self.answered.arrays(_ANSWERED)
        judges = self.now.arrays(_NOW) | ({} if self.lasting is None else self.lasting.arrays(_LASTING))
        judges |= self.rise.arrays()
        return {name: tensor.numpy() for name, tensor in parts.items()} | _moment_arrays(self.moments) | judges

    @classmethod
    def from_arrays(cls, grid: PlaceGrid, arrays: Mapping[str, NDArray[Any]]) -> "AppearanceCue":
        """Return the cue whose `arrays` were stored. Raises KeyError or ValueError for missing or damaged arrays."""
        descriptor = Descriptor.from_arrays(grid, arrays)
        memory = Memory.from_arrays(arrays, new_memory(descriptor).capacity)
        answered = Memory.from_arrays(arrays, 0, _ANSWERED) if f"{_ANSWERED}.counts" in arrays else None
        for known in filter(None, (memory, answered)):
            if known.exemplars.shape[::2] != (grid.count, descriptor.size):
                raise ValueError("the memory of another grid")
        has_lasting = f"{_LASTING}.places.knots" in arrays
        lasting = Judge.from_arrays(_LASTING, arrays, grid.count) if has_lasting else None
        now = Judge.from_arrays(_NOW, arrays, grid.count)
        return cls(descriptor, memory, now, lasting, _moments(arrays), answered, LastingRise.from_arrays(arrays))

    def fits_channels(self, channels: int) -> bool:
        """Return whether it was learned from frames with so many channels."""
        return self.descriptor.mean.shape[1] == channels * PATCH**2

    def start_answer(self, name: str) -> AppearanceAnswer:
        """Begin to learn the look of a clip that a person called normal."""
        return AppearanceAnswer(self, name)

    def known_videos(self) -> set[str]:
        """Return the names of the footage in its memory."""
        return {moment.video for moment in self.moments}

    def start_remembering(self, frames: int) -> AppearanceLearner:
        """Begin to add normal footage to the memory. frames: the number of its frames, about."""
        return AppearanceLearner(self, frames)

    def start_run(self) -> "AppearanceRun":
        """Begin a new unbroken run of frames."""
        return AppearanceRun(self)

    def nearest(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest normal moment at each place, and the moment's number.

        vectors: (P, N, K). Returns two arrays (P, N). The number is -1 if nothing is known of a place.
        """
        distances, numbers = _nearest_moments(self.memory, vectors)
        if self.answered is None:
            return distances, numbers
        to_answered, answered = _nearest_moments(self.answered, vectors)
        return torch.minimum(distances, to_answered), torch.where(to_answered < distances, answered, numbers)

    def judge(
        self, distances: Floats, lasting: Floats | None, nearest: NDArray[np.int64], pixels: Pixels | None = None
    ) -> CueScore:
        """Judge one frame.

        distances: (P,), to the nearest moments. lasting: (P,), their medians over the last minute; None before a minute
        has passed. nearest: (P,), the numbers of the nearest moments. pixels: the frame, uint8 (C, H, W).
        """
        score, places, looks = self.now.scores(distances)
        lasting_s = None
        if lasting is not None and self.lasting is not None:
            long_score, long_places, _ = self.lasting.scores(lasting)
            long_score, long_places = float(self.rise(np.float32(long_score))), self.rise(long_places)
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


class AppearanceRun:
    """Judges one unbroken run of frames of one source."""

    def __init__(self, cue: AppearanceCue) -> None:
        self._cue = cue
        self._lasting = LastingMeter()

    def add(self, frames: Sequence[SizedFrame]) -> list[CueScore]:
        """Add the next frames and return their scores."""
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


def _moment_arrays(moments: Sequence[Moment]) -> dict[str, NDArray[Any]]:
    names = list(dict.fromkeys(moment.video for moment in moments))
    number = {name: position for position, name in enumerate(names)}
    return {
        "moments.names": np.frombuffer(json.dumps(names).encode(), np.uint8),
        "moments.videos": np.array([number[moment.video] for moment in moments], np.int32),
        "moments.times": np.array([moment.time_s for moment in moments], np.float64),
    }


def _moments(arrays: Mapping[str, NDArray[Any]]) -> list[Moment]:
    names = json.loads(arrays["moments.names"].tobytes())
    videos, times = arrays["moments.videos"], arrays["moments.times"]
    if videos.ndim != 1 or videos.shape != times.shape or (videos < 0).any():
        raise ValueError("the memory's moments do not belong together")
    return [Moment(str(names[video]), float(time_s)) for video, time_s in zip(videos, times, strict=True)]
