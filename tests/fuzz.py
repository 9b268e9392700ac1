"""Do damaged files ever do more than be refused? Mutates whole files of every kind that is read, and reads them.

    python tests/fuzz.py [--minutes 20] [--mutants N] [--seed 0] [--only mat,mp4] [--keep FOLDER] [--json PATH]

Mutants are the same for the same seed. They are read in a process of its own, whose memory is limited: a crash, a
hang, a mutant that needs too much memory and any exception but one of ours is a finding, whose file --keep keeps.
Prints counts by reader, and ends with code 1 where there is a finding. The suite runs it with a fixed number of
mutants.
"""

import argparse
import json
import logging
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MEMORY_BYTES = 1_500_000_000  # for the reading, beside what the libraries take
PATIENCE_S = 30.0  # for one mutant
FRAMES = 8


@dataclass(frozen=True)
class Kind:
    """A kind of file. name: of the file, in a folder of its own. make: writes a whole one. read: what is tried."""

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


# Whole files


def film(path: Path, codec: str, **options: str) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.height, stream.width = 32, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(FRAMES):
            image = np.full((32, 48, 3), 60, np.uint8)
            image[8:16, 2 * number : 2 * number + 8] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def picture(path: Path) -> None:
    import numpy as np
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)).save(path)


def array(path: Path) -> None:
    import numpy as np

    np.save(path, np.array([0, 0, 1, 1, 0, 0, 0, 1], np.uint8))


def masks(path: Path) -> None:
    import numpy as np

    np.save(path, np.zeros((FRAMES, 8, 8), np.uint8))


def archive(path: Path) -> None:
    import numpy as np

    np.savez_compressed(path, a=np.linspace(0, 1, FRAMES), b=np.linspace(0, 1, FRAMES))


def table(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    frames = list(range(FRAMES))
    pq.write_table(pa.table({"video": ["a"] * FRAMES, "frame": frames, "score": [0.1] * FRAMES}), path)


def matrix(path: Path, name: str, compressed: bool = True) -> None:
    import numpy as np
    from scipy.io import savemat

    cells = np.empty((1, 3), object)
    for at in range(3):
        cells[0, at] = np.array([[1, 5], [3, 7]], float) if name == "gt" else np.zeros((8, 8), np.uint8)
    savemat(path, {name: cells}, do_compression=compressed)


def calibration(path: Path) -> None:
    import numpy as np

    from maskedskipunet.detection.calibration import Calibration

    Calibration.of({"a": np.linspace(0.1, 0.4, 200)}).write(path.parent)


def model(path: Path) -> None:
    from maskedskipunet import create_model

    create_model("unet", latent_dim=8).save_pretrained(path.parent)


def checkpoint(path: Path) -> None:
    shutil.copy(Path(__file__).parent / "golden" / "reference_checkpoint_latent8.pt", path)


def records(path: Path) -> None:
    from maskedskipunet.records.store import Records

    with Records.open(path.parent) as opened:
        record(opened)


def described(path: Path) -> None:
    from maskedskipunet.records.store import Records

    with TemporaryDirectory() as folder, Records.open(Path(folder)) as opened:
        record(opened)
        shutil.copy(next(Path(folder).rglob("a.json")), path)


def record(opened: Any) -> None:
    from maskedskipunet.detection.events import Event, EventUpdate

    event = Event("a", "rtsp://10.0.0.5/live", 1.0, 2.0, 1.5, 5, 10, 7, 0.3, 0.2, ((4, 8, 16, 32),), 0.001)
    opened.record(EventUpdate("new", event), camera="door", began_unix_s=1.7e9)
    opened.record(EventUpdate("end", event), camera="door", began_unix_s=1.7e9)


def text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


# Reading them


def see_video(path: Path) -> object:
    from maskedskipunet.data.video.decoding import probe_video, read_video
    from maskedskipunet.errors import DataError

    for mode in ("stop", "skip"):
        try:
            probe_video(path, mode)
        except DataError:
            if mode == "skip":
                raise
        else:
            for number, frame in enumerate(read_video(path, "skip")):
                assert frame.image is None or frame.image.ndim == 3
                assert frame.index == number
    return None


def see_image(path: Path) -> object:
    from maskedskipunet.data.images import read_image

    return read_image(path)


def see_labels(path: Path) -> object:
    from maskedskipunet.data.labels import LABEL_KINDS, LabelSource, labels_for

    return labels_for(LabelSource(path, LABEL_KINDS[path.suffix]), FRAMES)


def see_ranges(path: Path) -> object:
    from maskedskipunet.data.labels import mat_ranges, ucsd_ranges

    return mat_ranges(path) if path.suffix == ".mat" else ucsd_ranges(path)


def see_volume(path: Path) -> object:
    from maskedskipunet.data.volumes import read_volume

    return read_volume(path).labels()


def see_scores(path: Path) -> object:
    from maskedskipunet.evaluation.readers import read_series

    return read_series(path)


def see_calibration(path: Path) -> object:
    from maskedskipunet.detection.calibration import Calibration

    return Calibration.read(path.parent)


def see_model(path: Path) -> object:
    from maskedskipunet import load_model

    return load_model(path if path.suffix == ".pt" else path.parent)


def see_records(path: Path) -> object:
    from maskedskipunet.records.checking import check

    return check(path.parent)


def see_event(path: Path) -> object:
    from maskedskipunet.records.recorded import RecordedEvent

    return RecordedEvent.read(path)


def see_recipe(path: Path) -> object:
    from maskedskipunet.cli.recipes import read_recipe

    return [*read_recipe(path)]


def see_cameras(path: Path) -> object:
    from maskedskipunet.workflows.camera_file import read_camera_file

    return read_camera_file(path, Path())  # any model that is there


def see_run(path: Path) -> object:
    from maskedskipunet.runs import RunFolder
    from maskedskipunet.training.config import TrainConfig

    return TrainConfig.from_dict(RunFolder(path.parent).read_config())


RECIPE = "seed: 3\ntraining: {epochs: 2, batch_size: 4, learning_rate: 0.01}\ndata:\n  height_px: 64\n  fps: 5.0\n"
CAMERAS = "model: run\nfps: 5\ncameras:\n  door: rtsp://me:word@10.0.0.7/live\n  yard: usb:0\nmax_delay_s: 2\n"
RUN = (
    "model: {variant: unet, latent_dim: 8, clip_length: 1}\ndata: {path: footage, height_px: 64, width_px: 64}\n"
    "training: {epochs: 2}\nseed: 0\nruns: runs\nname: null\nstart_from: null\n"
)
KINDS = {
    "mp4": Kind("a.mp4", lambda path: film(path, "libx264", preset="ultrafast"), see_video),
    "mkv": Kind("a.mkv", lambda path: film(path, "libx264", preset="ultrafast"), see_video),
    "avi": Kind("a.avi", lambda path: film(path, "mpeg4"), see_video),
    "mjpeg": Kind("b.avi", lambda path: film(path, "mjpeg"), see_video),
    "ts": Kind("a.ts", lambda path: film(path, "mpeg2video"), see_video),
    "flv": Kind("a.flv", lambda path: film(path, "flv"), see_video),
    "png": Kind("a.png", picture, see_image),
    "jpg": Kind("a.jpg", picture, see_image),
    "bmp": Kind("a.bmp", picture, see_image),
    "tif": Kind("a.tif", picture, see_image),
    "webp": Kind("a.webp", picture, see_image),
    "mat": Kind("gt.mat", lambda path: matrix(path, "gt", compressed=False), see_ranges),
    "mat volume": Kind("1_label.mat", lambda path: matrix(path, "volLabel"), see_volume),
    "ucsd": Kind("UCSDped2.m", text("TestVideoFile{end+1}.gt_frame = [2:4, 6];\n"), see_ranges),
    "labels npy": Kind("a_labels.npy", array, see_labels),
    "labels csv": Kind("a_labels.csv", text("start,end\n2,4\n6,7\n"), see_labels),
    "labels txt": Kind("a_labels.txt", text("2-4\n6 7 # two\n"), see_labels),
    "masks npy": Kind("a.npy", masks, see_volume),
    "scores npy": Kind("s.npy", array, see_scores),
    "scores npz": Kind("s.npz", archive, see_scores),
    "scores parquet": Kind("s.parquet", table, see_scores),
    "scores csv": Kind("s.csv", text("video,frame,score\na,0,0.1\na,1,0.2\nb,0,1e-3\n"), see_scores),
    "scores txt": Kind("s.txt", text("0.1\n0.2\n1e-3\n"), see_scores),
    "calibration": Kind("calibration.json", calibration, see_calibration),
    "description": Kind("config.json", model, see_model),
    "weights": Kind("model.safetensors", model, see_model),
    "checkpoint": Kind("a.pt", checkpoint, see_model),
    "records": Kind("records.db", records, see_records),
    "event": Kind("a.json", described, see_event),
    "recipe": Kind("recipe.yaml", text(RECIPE), see_recipe),
    "cameras": Kind("cameras.yaml", text(CAMERAS), see_cameras),
    "run": Kind("config.yaml", text(RUN), see_run),
}


# Damage

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 0x40000000)
WORDS = (b"-1", b"nan", b"1e999", b"9" * 40, b"null", b"[]", b"{}", b'""', b"\x00", b"\xff", b"*a", b"<<: x", b"\n")


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with one to four kinds of damage; most leave its beginning, which says what it is, alone."""
    spoilt = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        if not spoilt:
            break
        at = chance.randrange(len(spoilt)) if chance.random() < 0.7 else chance.randrange(min(len(spoilt), 512))
        size = chance.choice((1, 2, 4, 8, 32, 200))
        match chance.randrange(9):
            case 0:
                spoilt[at] ^= 1 << chance.randrange(8)
            case 1:
                spoilt[at : at + size] = chance.randbytes(min(size, len(spoilt) - at))
            case 2:
                del spoilt[at:]
            case 3:
                del spoilt[at : at + size]
            case 4:
                spoilt[at:at] = spoilt[at : at + size] * chance.choice((1, 2, 50))
            case 5:
                spoilt[at : at + size] = bytes(min(size, len(spoilt) - at))
            case 6:
                order = chance.choice(("big", "little"))
                spoilt[at : at + 4] = chance.choice(NUMBERS).to_bytes(4, order)
            case 7:
                spoilt[at : at + chance.choice((0, 1, 3))] = chance.choice(WORDS)
            case _:
                other = chance.randrange(len(spoilt))
                spoilt[at : at + size] = spoilt[other : other + size]
    return bytes(spoilt)


# The process that reads


def read_for_ever() -> None:
    """Answer each line, a kind and a path, with what came of reading it."""
    warnings.simplefilter("ignore")
    logging.disable()
    from maskedskipunet.errors import MaskedSkipUNetError

    for kind in KINDS.values():  # so that every library is there before memory is limited
        with TemporaryDirectory() as folder:
            kind.make(Path(folder) / kind.name)
            kind.read(Path(folder) / kind.name)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, path = json.loads(line)
        try:
            KINDS[name].read(Path(path))
            answer = "read"
        except MaskedSkipUNetError as error:
            answer = f"refused: {type(error).__name__}" if len(str(error).splitlines()) == 1 else f"lines: {error}"
        except Exception:  # noqa: BLE001  # that there is none is what is to be found
            answer = traceback.format_exc()
        print(json.dumps(answer), flush=True)


class Child:
    """The reading process, started anew whenever a mutant ended it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def read(self, name: str, path: Path) -> str:
        """What came of it: `read`, `refused: …`, or a finding in words."""
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        print(json.dumps([name, str(path)]), file=self.process.stdin, flush=True)
        answer = self._answer(PATIENCE_S)
        if answer is not None:
            return answer
        code = self.process.poll()
        self.close()
        return "hang" if code is None else f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._answer(600) != "ready":
            raise SystemExit("the reading process did not start")

    def _answer(self, patience_s: float) -> str | None:
        """None where none comes, because the process is dead or (then it lives still) takes too long."""
        from select import select

        assert self.process is not None
        assert self.process.stdout is not None
        if not select([self.process.stdout], [], [], patience_s)[0]:
            return None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            return None
        answer: str = json.loads(line)
        return answer


@contextmanager
def whole_files(names: list[str]) -> Iterator[dict[str, Path]]:
    """A whole file of each kind, in a folder of its own with what belongs beside it."""
    with TemporaryDirectory() as folder:
        made = {}
        for name in names:
            made[name] = Path(folder) / name.replace(" ", "_") / KINDS[name].name
            made[name].parent.mkdir()
            KINDS[name].make(made[name])
        yield made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--mutants", type=int, default=None, help="of each kind (default: until the time is over)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, separated by commas")
    parser.add_argument("--keep", type=Path, help="a folder for mutants that are findings")
    parser.add_argument("--json", type=Path, help="also write counts and findings to this file")
    options = parser.parse_args()
    names = options.only.split(",")
    if options.mutants is None and options.minutes == float("inf"):
        parser.error("name --mutants or --minutes")
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    findings: list[dict[str, object]] = []
    began_s, number, child = time.monotonic(), 0, Child()
    with whole_files(names) as made:
        contents = {name: path.read_bytes() for name, path in made.items()}
        while number != options.mutants and time.monotonic() - began_s < options.minutes * 60:
            for name, path in made.items():
                mutant = mutated(contents[name], random.Random(f"{options.seed}/{name}/{number}"))
                path.write_bytes(mutant)
                answer = child.read(name, path)
                is_finding = answer != "read" and not answer.startswith("refused: ")
                counts[name]["finding" if is_finding else answer.split(":")[0]] += 1
                if is_finding:
                    findings.append({"kind": name, "seed": options.seed, "number": number, "what": answer})
                    print(f"{name} {number}: {answer}", file=sys.stderr, flush=True)
                    if options.keep:
                        options.keep.mkdir(parents=True, exist_ok=True)
                        (options.keep / f"{number}_{path.name}").write_bytes(mutant)
                path.write_bytes(contents[name])
                for left in path.parent.glob(f"{path.name}-*"):  # SQLite's, which would mend the next one
                    left.unlink()
            number += 1
    child.close()
    told = {"mutants": sum(map(Counter.total, counts.values())), "kinds": counts, "findings": findings}
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))
    for name, count in counts.items():
        print(f"{name:<15} {count['read']:>8} read {count['refused']:>8} refused {count['finding']:>4} findings")
    print(f"{told['mutants']} mutants, {len(findings)} findings in {time.monotonic() - began_s:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        read_for_ever()
    else:
        sys.exit(main())
