"""Video files: reading frames from them and writing them, by PyAV."""

import logging
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from maskedskipunet.data.frames import Frame, Image, OnBadFrame, SourceInfo
from maskedskipunet.data.video.key_frame import KeyFrame
from maskedskipunet.data.video.rates import median_rate
from maskedskipunet.data.video.trust import PictureTrust, with_seams
from maskedskipunet.data.video.video_files import VIDEO_SUFFIXES as VIDEO_SUFFIXES
from maskedskipunet.errors import VideoError
from maskedskipunet.files import require_plain_file

# Told by content, not by name; closed, so that no file leads to others or to the network, as playlists and lists do.
_FORMATS = (
    "mov,avi,matroska,mpegts,mpeg,mpegvideo,asf,flv,ogg,mxf,nut,ivf,obu,dv,dhav,h264,hevc,m4v,mjpeg,mpjpeg,gif,"
    "yuv4mpegpipe"
)
_LOOKED_AT = 100  # packets, until one has given a picture
MAX_PIXELS = 89_478_485  # of a frame, as of an image: 8K has 33 million
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS, "max_pixels": str(MAX_PIXELS)}

# Each packet of these gives a picture (two packets one where it is interlaced); in others a packet may say "as before".
_A_PICTURE_EACH = frozenset({"av1", "h264", "hevc", "mjpeg", "mpeg2video", "vp9"})

log = logging.getLogger(__name__)


@contextmanager
def opened(
    path: Path | str, content: BinaryIO | None = None, *, parsed: bool = True
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and its picture stream. Raises VideoError if there is none.

    content: the video's bytes, if `path` is the name of something that is no local file. parsed: look into packets for
    what the container does not say of them.
    """
    try:
        # Recorders write titles in other encodings than UTF-8; they are nothing to us.
        options = _OPTIONS if parsed else _OPTIONS | {"fflags": "noparse+nofillin"}
        file: Any = _local_file(Path(path)) if content is None else content
        container = av.open(file, "r", options=dict(options), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or type(error).__name__
        if isinstance(error, av.error.ArgumentError):  # what a format outside the list ends in
            reason = "no kind of video that is read"
        raise VideoError(
            f"cannot open the video ({reason})", str(path), "Check that ffmpeg plays it, or leave it out"
        ) from error
    with container:
        if not container.streams.video:
            raise VideoError("the file holds no picture stream", str(path), "Name a file with video in it")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise VideoError(
                "no decoder knows how its pictures are stored", str(path), "Convert it to H.264, for example"
            )
        size = stream.codec_context.width, stream.codec_context.height
        if size[0] * size[1] > MAX_PIXELS:
            fault = f"frames of {size[0]}x{size[1]} are larger than {MAX_PIXELS:,} pixels"
            raise VideoError(fault, str(path), "Make the video smaller")
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        # Not over frames: after an error the decoder would lose good pictures, more of them the more cores there are.
        stream.thread_type = "SLICE"
        yield container, stream


def _local_file(path: Path) -> str:
    require_plain_file(path)
    if path.stat().st_size == 0:
        raise VideoError("the video is empty (zero bytes)", str(path), "Copy it again or leave it out")
    return f"file:{path}"


def probe_video(path: Path, on_bad_frame: OnBadFrame = "stop") -> SourceInfo:
    """Count a video's frames and read its size and rate; only a first picture is decoded, to see how it is turned.

    Frames are counted packet by packet: headers may lie, and some containers state no count.
    Raises VideoError when the file cannot be opened or holds no frame, and with `stop` when it ends early.
    """
    with opened(path) as (container, stream):
        intake = PacketIntake(path, container, stream)
        times_s = array("d", (sent.time_s for sent in map(intake.take, packets_of(container, stream, path)) if sent))
        count = len(times_s) or intake.before_key
        if not count:
            raise VideoError("the video holds no frame", str(path), "Leave it out")
        if on_bad_frame == "stop" and (early := intake.early_end()):
            raise early
        size = stream.codec_context.height, stream.codec_context.width
        rate = median_rate(times_s, stated_rate(stream))
    height_px, width_px = reversed(size) if _quarter_turns_of(path) % 2 else size
    return SourceInfo(count, height_px, width_px, rate)


def read_video(path: Path, on_bad_frame: OnBadFrame = "stop") -> Iterator[Frame]:
    """Decode a video's frames in display order and with the rotation that the file states.

    A frame that cannot be decoded, or that rests on one that was lost or damaged, is an error, or with `skip` a Frame
    whose image is None. What comes before the
    first key frame can never be decoded and is not counted: so begin recordings that were cut out of a stream.
    Raises VideoError when the file cannot be opened, changes its frame size, or ends early.
    """
    with opened(path) as (container, stream):
        reader = PictureReader(path, container, stream, on_bad_frame)
        yield from reader.read(packets_of(container, stream, path))


class _Sent(NamedTuple):
    """A packet that gives a frame. time_s: when it is shown. pts: the same as the file says it, if it does."""

    time_s: float
    pts: int | None


class PacketIntake:
    """Reads packets before they are decoded: which give a frame, when, and whether the stream is complete."""

    def __init__(self, path: Path | str, container: InputContainer, stream: VideoStream) -> None:
        self.path, self.stream = path, stream
        self.time_base = float(stream.time_base or 1)
        self.frame_s = 1 / (stated_rate(stream) or 25)
        self.declared_end_s = _declared_end_s(stream) if "matroska" in container.format.name else 0.0
        self.before_key = 0
        self.key_s: float | None = None
        self.shift_s = 0.0
        self.count = 0  # packets so far
        self._end_s = 0.0
        self._last_dts_s: float | None = None

    def take(self, packet: "av.Packet[VideoStream]") -> _Sent | None:
        """Return the frame that a packet gives; None for one before the first key frame or out of sight."""
        if not packet.size:
            return None
        self.count += 1
        if packet.dts is not None:
            self._follow_clock(packet.dts * self.time_base)
        time_s = self.time_s(packet.pts)
        self._end_s = max(self._end_s, time_s + (packet.duration or 0) * self.time_base)
        # A file that counts its frames begins with a key frame, be it damaged beyond recognition.
        if self.key_s is None and (packet.is_keyframe or self.stream.frames):
            self.key_s = time_s
        if not _is_shown(packet, self.stream):
            return None
        if self.key_s is None or time_s < self.key_s:
            self.before_key += 1
            return None
        return _Sent(time_s, packet.pts)

    def time_s(self, pts: int | None) -> float:
        """Return a time of the file in seconds; the first key frame's where the file states none."""
        return self.key_s or 0.0 if pts is None else pts * self.time_base + self.shift_s

    def early_end(self) -> VideoError | None:
        """Return the error to raise when less is there than the file declares."""
        if self.stream.frames > self.count:
            extent = f"{self.count} of {self.stream.frames} frames"
        elif self.declared_end_s - self._end_s > max(1.0, 2 * self.frame_s):
            extent = f"{self._end_s:.1f} of {self.declared_end_s:.1f} seconds"
        else:
            return None
        return VideoError(
            f"the video ends early: {extent} are there",
            str(self.path),
            "Copy it again, or go on with --on-bad-frame skip",
        )

    def _follow_clock(self, dts_s: float) -> None:
        """Follow the clock of recordings joined end to end: theirs starts anew, ours goes on from where it was."""
        if self._last_dts_s is not None and dts_s + self.shift_s < self._last_dts_s:
            self.shift_s = self._last_dts_s + self.frame_s - dts_s
        self._last_dts_s = dts_s + self.shift_s


class PictureReader:
    """Numbers decoded pictures and finds where one is missing.

    A decoder works some packets ahead, and what it cannot show it may drop without a word. The timestamps tell
    which picture was lost: those that were sent in and passed over by a later picture.
    """

    def __init__(
        self, path: Path | str, container: InputContainer, stream: VideoStream, on_bad_frame: OnBadFrame
    ) -> None:
        self.path, self.on_bad_frame = path, on_bad_frame
        self.intake = PacketIntake(path, container, stream)
        self.trust = PictureTrust(stream)
        codec = stream.codec_context
        self.a_picture_each = codec.name in _A_PICTURE_EACH
        # AVI states no times: FFmpeg numbers its packets as they are stored, not as they are shown.
        self.stored_order = container.format.name == "avi" and codec.name in ("h264", "hevc") and codec.has_b_frames
        self.waiting: list[_Sent] = []
        self.failures = 0
        self.index = 0
        self.start_s, self.last_s, self.first_s = 0.0, float("-inf"), float("-inf")
        self.shape: tuple[int, int] | None = None  # as stored
        self.quarter_turns = 0
        self.interlaced = False

    def begin_at(self, key: KeyFrame, start_s: float) -> None:
        """Begin at a key frame in the middle of a video whose first frame is shown at start_s."""
        self.index, self.start_s = key.index, start_s
        self.first_s = self.intake.key_s = self.intake.time_s(key.pts)
        self.intake.count = key.packet

    def read(self, packets: "Iterator[av.Packet[VideoStream]]") -> Iterator[Frame]:
        """Decode packets and yield their frames, and then those that are known to be missing at the end."""
        for packet, is_seam in with_seams(packets):
            self.send(packet, is_seam)
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                self.fail(error)
                decoded = []
            for picture in decoded:
                yield from self.frames(picture)
        yield from self.rest()

    def send(self, packet: "av.Packet[VideoStream]", is_seam: bool) -> None:
        """Note that a packet is about to be decoded. is_seam: another recording begins behind it."""
        is_cut = packet.is_corrupt and not is_seam  # the container knows that it was cut off
        self.failures += is_cut
        if packet.size:
            self.trust.send(packet, is_cut=is_cut)
        sent = self.intake.take(packet)
        if sent is not None and sent.pts is not None:
            self.waiting.append(sent)

    def fail(self, error: av.FFmpegError) -> None:
        """Note that the packet sent last cannot be decoded."""
        self.trust.fail()
        if self.intake.key_s is None and self.shape is None:
            return
        if self.on_bad_frame == "stop":
            earlier = sum(sent < self.waiting[-1] for sent in self.waiting)
            raise _bad_frame(self.path, self.index + earlier, error.strerror or type(error).__name__) from error
        self.failures += 1

    def frames(self, picture: VideoFrame) -> Iterator[Frame]:
        """Yield the picture as a Frame, after those that it shows to be lost."""
        self.interlaced = picture.interlaced_frame
        missing, time_s = self._in_stored_order() if self.stored_order else self._in_shown_order(picture)
        yield from self._holes(missing)
        if time_s is not None:
            yield self._numbered(time_s, self._image(picture))

    def rest(self) -> Iterator[Frame]:
        """Yield what is known to be missing after the last picture."""
        if self.shape is None:
            raise VideoError("no frame of the video can be decoded", str(self.path), "Copy it again or leave it out")
        if early := self.intake.early_end():
            if self.on_bad_frame == "stop":
                raise early
            log.warning("%s: %s", self.path, early.what)
        if self._are_lost():
            yield from self._holes(sorted(sent for sent in self.waiting if sent.time_s != self.last_s))

    def _in_shown_order(self, picture: VideoFrame) -> tuple[list[_Sent], float | None]:
        """Return which frames a picture passed over, and when it is shown: never, where its packet has given one
        already.
        """
        if picture.pts is None:
            return [], self.last_s + self.intake.frame_s if self.index else 0.0
        now = min((sent for sent in self.waiting if sent.pts == picture.pts), default=None)
        time_s = self.intake.time_s(picture.pts) if now is None else now.time_s
        if time_s < self.first_s or (now is None and self.failures and time_s <= self.last_s):
            return [], None
        # A packet at the time of a picture already shown held only its headers.
        passed = sorted(sent for sent in self.waiting if sent.time_s < time_s and sent.time_s != self.last_s)
        self.waiting = [sent for sent in self.waiting if sent.time_s >= time_s and sent is not now]
        return passed if self._are_lost() else [], time_s

    def _in_stored_order(self) -> tuple[list[_Sent], float | None]:
        """Return the matched pictures if only their order can be trusted: each failure lost one."""
        self.waiting.sort()
        lost = min(self.failures, len(self.waiting) - 1)
        if lost < 0:
            return [], None
        missing, now, self.waiting = self.waiting[:lost], self.waiting[lost], self.waiting[lost + 1 :]
        self.failures = 0
        return missing, now.time_s

    def _are_lost(self) -> bool:
        """Return whether packets that no picture came of are lost pictures."""
        return self.failures > 0 or (self.a_picture_each and not self.interlaced and self.shape is not None)

    def _holes(self, missing: list[_Sent]) -> Iterator[Frame]:
        for lost in missing:
            self._damaged()
            yield self._numbered(lost.time_s, None)

    def _damaged(self) -> None:
        if self.on_bad_frame == "stop":
            raise _bad_frame(self.path, self.index, "damaged data")

    def _image(self, picture: VideoFrame) -> Image | None:
        if self.shape is None:
            self.shape = picture.height, picture.width
            self.quarter_turns = _quarter_turns(picture)
        if not self.trust.trusts(picture):
            self.failures += picture.is_corrupt
            self._damaged()
            return None
        if (picture.height, picture.width) != self.shape:
            if self.on_bad_frame == "stop":
                sizes = f"{picture.width}x{picture.height} after {self.shape[1]}x{self.shape[0]}"
                raise VideoError(
                    f"frame {self.index} changes the size to {sizes}", str(self.path), "Split the video there"
                )
            return None
        image = picture.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
        return np.ascontiguousarray(np.rot90(image, self.quarter_turns)) if self.quarter_turns else image

    def _numbered(self, time_s: float, image: Image | None) -> Frame:
        if image is None:
            log.warning("%s: frame %d is bad and was skipped", self.path, self.index)
        if self.index == 0:
            self.start_s = time_s
        self.last_s = max(self.last_s, time_s)
        frame = Frame(self.index, self.last_s - self.start_s, image)
        self.index += 1
        return frame


def packets_of(container: InputContainer, stream: VideoStream, path: Path | str) -> Iterator["av.Packet[VideoStream]"]:
    try:
        yield from container.demux(stream)
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"cannot read on in the video ({error.strerror or type(error).__name__})",
            str(path),
            "Copy it again or leave it out",
        ) from error


def _is_shown(packet: "av.Packet[VideoStream]", stream: VideoStream) -> bool:
    """Return whether a packet gives a frame: not one that an edit cut away, nor VP8's hidden reference pictures."""
    if packet.is_discard:
        return False
    return stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & 0x10)


def _quarter_turns_of(path: Path) -> int:
    """Return the quarter turns of a video's first picture; 0 if its start cannot be decoded."""
    with opened(path) as (container, stream), suppress(av.FFmpegError, OSError):
        for packet in islice(container.demux(stream), _LOOKED_AT):
            with suppress(av.FFmpegError):
                for picture in packet.decode():
                    return _quarter_turns(picture)
    return 0


def _quarter_turns(picture: VideoFrame) -> int:
    """Return how often a picture is turned by 90 degrees, counterclockwise, to be shown: phones store what their chip
    saw.
    """
    return round(picture.rotation / 90) % 4


def stated_rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _declared_end_s(stream: VideoStream) -> float:
    """Return the end of the stream by Matroska's tag, such as `00:01:02.5`; 0 if there is none."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def _bad_frame(path: Path | str, index: int, reason: str) -> VideoError:
    return VideoError(
        f"frame {index} cannot be decoded ({reason})", str(path), "Repair the video, or go on with --on-bad-frame skip"
    )
