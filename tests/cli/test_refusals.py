"""Bad input of every kind: one line on stderr that says what, where and the cure, code 2, nothing left behind."""

import pickle
import re
import resource
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image as Picture

from maskedskipunet.workflows import estimate

PUBLISHED = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"

TRAIN = "train --data footage "
TEST = "test run --data "
SCORE = "score footage/test/c.mp4 --model "
CALIBRATE = "calibrate footage/normal --model run "


class Trap:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self):
        return Path.mkdir, (Path("sprung"),)


@pytest.fixture
def desk(place, footage, run, make, small, monkeypatch, tmp_path_factory):
    """Where a careless person works: footage and a run, and beside them all kinds of broken things."""
    monkeypatch.setenv("MASKEDSKIPUNET_CACHE", str(place.parent / f"{place.name}-cache"))
    (place / "footage").symlink_to(footage)
    (place / "run").symlink_to(shutil.copytree(run, tmp_path_factory.mktemp("own") / "small"))
    (place / "file").write_text("hello")
    (place / "empty").mkdir()
    make.images(place / "single" / "clip", 1)
    make.images(place / "mixed" / "clip")
    make.images(place / "odd", 1)
    shutil.copy(PUBLISHED, place / "published.pt")
    broken = {"zero": b"", "cut": (footage / "test" / "c.mp4").read_bytes()[:-200], "words": b"no video at all"}
    for name, content in broken.items():
        (place / f"{name}_video" / "normal").mkdir(parents=True)
        (place / f"{name}_video" / "normal" / "a.mp4").write_bytes(content)
        make.images(place / f"{name}_image" / "clip")
    image = place / "mixed" / "clip" / "003.png"
    for name, content in {"zero": b"", "cut": image.read_bytes()[:60], "words": b"no image"}.items():
        (place / f"{name}_image" / "clip" / "003.png").write_bytes(content)
    make.video(place / "large.mp4", 1, height_px=64, width_px=64)
    Picture.new("L", (20, 20)).save(image)
    for name, labels in {
        "few": "0\n1\n",
        "beyond": "start,end\n2,20\n",
        "words": "0\nx\n",
        "back": "start,end\n4,2\n",
    }.items():
        shutil.copytree(footage, place / f"{name}_labels")
        (place / f"{name}_labels" / "test" / "c_labels.csv").write_text(labels)
    for number in (1, 2):
        make.images(place / "ucsd" / "Test" / f"Test{number:03d}")
    (place / "ucsd" / "Test" / "UCSDped9.m").write_text("TestVideoFile{end+1}.gt_frame = [1:3];\n")
    make.video(place / "untested" / "normal" / "a.mp4")
    (place / "trap.pt").write_bytes(pickle.dumps(Trap()))
    torch.save({"weights": Trap()}, place / "zipped_trap.pt")
    torch.save({"other": torch.zeros(2)}, place / "other.pt")
    (place / "words.safetensors").write_text("no weights")
    (place / "trap.yaml").write_text("seed: !!python/object/apply:os.mkdir [sprung]\n")
    (place / "typo.yaml").write_text("training: {epoch: 3}\n")
    (place / "broken.yaml").write_text("a: [1\nb: }")
    shutil.copytree(run, place / "runs" / "many" / "one")
    (place / "runs" / "many" / "latest").symlink_to("one")
    (place / "runs" / "taken").mkdir()
    (place / "dangling").symlink_to("gone")
    return place


REFUSED = [
    # nothing or the wrong thing is named
    ("train", "data: no footage is named. Name it with --data PATH."),
    ("ablate", "data: no footage is named. Name it with --data PATH."),
    ("check", "PATH must be given. See `maskedskipunet check --help`."),
    ("test", "MODEL must be given."),
    ("score", "SOURCE and --model RUN must be given."),
    ("score --model run", "SOURCE must be given."),
    ("score '' --model run", "SOURCE: '' is no path."),
    ("cache", "list|clear must be given."),
    ("cache drop", "list|clear: 'drop' is not among the choices. Use list or clear."),
    ("cache list --cache file", "file: not a folder."),
    ("train footage", "'footage' is one argument too many."),
    ("train --data ''", "--data: '' is no path. Name a file or a folder."),
    ("test run --epochs 3", "there is no option '--epochs'."),
    (TRAIN + "--epochs 3", "there is no option '--epochs'. Perhaps you mean --training.epochs."),
    (TRAIN + "--training.epoch 3", "there is no option '--training.epoch'. Perhaps you mean --training.epochs."),
    (TRAIN + "--seed", "--seed needs a value."),
    (SCORE + "run --video=yes", "--video takes no value. Write --video alone."),
    # places
    ("check nosuch", "nosuch: no such file or folder. Name a video"),
    ("train --data nosuch", "nosuch: no such file or folder. Name a video"),
    (TEST + "nosuch", "nosuch: no such file or folder. Check the path."),
    ("score nosuch --model run", "nosuch: no such file or folder. Name a video"),
    ("check empty", "empty: the folder is empty. Put videos or folders of images into it."),
    ("train --data empty", "empty: the folder is empty."),
    (TEST + "empty", "empty: the folder is empty."),
    ("check file", "file: the file is no video. Name a file that ends in"),
    ("score nosuch footage --model run", "nosuch: no such file or folder. Name a video"),
    ("score no*.mp4 --model run", "no*.mp4: no video matches the pattern. Check the pattern."),
    ("score empty --model run", "empty: the folder holds no video. Name a folder with videos"),
    ("score rtsp://user:secret@host/a?key=b --model run", "rtsp://host/a: a stream never ends. Say with --seconds"),
    ("score footage/test/c.mp4 file --model run", "file: the file is no video."),
    ("calibrate", "NORMAL and --model RUN must be given."),
    (CALIBRATE, "calibrate: no budget is given. Use one of --false-alarms-per-hour, -per-day or -per-week."),
    (CALIBRATE + "--false-alarms-per-day 1 --false-alarms-per-week 1", "calibrate: more than one budget is given."),
    (CALIBRATE + "--false-alarms-per-day 0", "budget: 0 false alarms per day. Use more than 0"),
    (CALIBRATE + "--false-alarms-per-day nan", "--false-alarms-per-day: 'nan' is not a number."),
    (
        CALIBRATE + "--false-alarms-per-day 1 --exclude x",
        "exclude: there is no video 'x' in the footage. Name one of a",
    ),
    (
        CALIBRATE + "--false-alarms-per-day 1 --exclude a@1.2.3-4",
        "exclude: 'a@1.2.3-4' is not a time range of a video.",
    ),
    (CALIBRATE + "--false-alarms-per-day 1 --exclude a,b", "exclude: all footage is excluded. Leave some in."),
    (CALIBRATE + "--false-alarms-per-day 1 --interval-hours 0", "interval: 0 hours. Use more than 0."),
    (CALIBRATE + "--false-alarms-per-day 1", "hours of footage give"),
    (CALIBRATE + "--false-alarms-per-day 1 --pictures file", "file: there is a file where a folder is wanted."),
    ("calibrate footage/normal --model published.pt --false-alarms-per-day 1", "published.pt: holds no trained model."),
    (TEST + "untested", "untested: there are no test videos. Put test videos under test/"),
    # footage
    (
        "train --data single --model.latent_dim 8 --data.height_px 32 --data.width_px 32",
        "single: no 3 good frames follow",
    ),
    ("score single/clip --model run", "single/clip: no 3 good frames follow one another"),
    ("train --data mixed", "mixed/clip/003.png: the image is 20x20, but 000.png is 48x32. Bring all images of the"),
    ("train --data zero_image", "zero_image/clip/003.png: cannot read the image (it is empty, zero bytes). Copy it"),
    ("train --data cut_image", "cut_image/clip/003.png: cannot read the image (image file is truncated)"),
    ("train --data words_image", "words_image/clip/003.png: cannot read the image (it is not an image)"),
    ("train --data zero_video", "zero_video/normal/a.mp4: the video is empty (zero bytes)."),
    ("train --data cut_video", "cut_video/normal/a.mp4: "),
    ("train --data words_video", "words_video/normal/a.mp4: cannot open the video (Invalid data"),
    ("score zero_video/normal/a.mp4 --model run --on-bad-frame skip", "zero_video/normal/a.mp4: the video is empty"),
    # ground truth
    (TEST + "few_labels", "few_labels/test/c_labels.csv: found 2 labels, expected 6, one a frame. Give one 0 or 1"),
    (TEST + "beyond_labels", "c_labels.csv, line 2: found the range 2 to 20, but the last of the 6 frames is 5."),
    (TEST + "words_labels", "words_labels/test/c_labels.csv, line 2: found 'x', expected 0 or 1."),
    (TEST + "back_labels", "back_labels/test/c_labels.csv, line 2: found the range 4 to 2, which is back to front."),
    (TEST + "ucsd", "ucsd/Test/UCSDped9.m: the ground truth states 1 clips, but there are 2 test clips."),
    # models
    ("test nosuch", "nosuch: no such run or model. Name a run folder"),
    ("test dangling", "dangling: no such run or model."),
    ("test runs/many", "runs/many: holds 1 runs, but is not a run itself. Name one, such as runs/many/one."),
    ("test published.pt --data footage", "published.pt: a model without a run folder. Name a folder for the results"),
    ("test published.pt --out out", "data: no footage is named."),
    ("test empty --data footage --out out", "empty: holds no trained model. Name a run that finished an epoch"),
    (
        "test trap.pt --data footage --out out",
        "trap.pt: not a checkpoint of weights alone (nothing in it was executed)",
    ),
    (SCORE + "zipped_trap.pt", "zipped_trap.pt: not a checkpoint of weights alone (nothing in it was executed)"),
    (SCORE + "other.pt", "other.pt: not the weights of a published network."),
    (SCORE + "words.safetensors", "words.safetensors: cannot read the weights"),
    (SCORE + "footage/test/c.mp4", "footage/test/c.mp4: not a checkpoint of weights alone"),
    (SCORE + "nosuch", "nosuch: no such model."),
    (TRAIN + "--from nosuch", "nosuch: no such model."),
    (TRAIN + "--from trap.pt", "trap.pt: not a checkpoint of weights alone"),
    (TRAIN + "--from published.pt --model.variant unet", "published.pt is another network (masked_skips, latent_dim 8"),
    (TRAIN + "--from run --model.clip_length 5", "is another network (masked_skips, latent_dim 8, clip_length 3"),
    ("test run --device gpu9", "device: there is no device gpu9. Use auto, cpu or cuda."),
    # resuming
    ("train --resume nosuch", "nosuch: no such run."),
    (
        "train --resume run --training.epochs 3",
        "train: --resume continues with the settings of the run. Leave the other",
    ),
    ("train --resume run --data footage", "train: --resume continues with the settings of the run."),
    ("train --resume run --from run", "train: --resume continues with the settings of the run."),
    ("train --resume run --config run/config.yaml", "train: --resume continues with the settings of the run."),
    ("ablate --resume run", "run: holds no ablation. Name the folder that ablate made."),
    ("ablate --resume nosuch --variants unet", "ablate: --resume continues with the settings of the ablation."),
    ("ablate --resume nosuch --training.epochs 3", "ablate: --resume continues with the settings of the ablation."),
    # settings
    (TRAIN + "--model.variant unett", "model.variant: there is no variant 'unett'. Choose one of autoencoder, unet"),
    (TRAIN + "--model.latent_dim abc", "--model.latent_dim: 'abc' is not a whole number."),
    (TRAIN + "--model.latent_dim 12", "model.latent_dim: 12 is not a multiple of 8."),
    (TRAIN + "--model.latent_dim -8", "model.latent_dim: -8 is not a multiple of 8."),
    (TRAIN + "--model.clip_length 4", "model.clip_length: a clip of 4 frames has no middle frame. Use an odd length."),
    (
        TRAIN + "--model.variant unet --model.clip_length 3",
        "model.clip_length: variant unet looks at one frame, not 3.",
    ),
    (TRAIN + "--model.channels 2", "model.channels: 2 channels. Use 3 for colour or 1 for grey."),
    (TRAIN + "--data.height_px 100", "data.height_px: 100 is not a multiple of 16 from 32 on. Use 96."),
    (TRAIN + "--data.width_px 0", "data.width_px: 0 is not a multiple of 16 from 32 on. Use 32."),
    (TRAIN + "--data.fps nan", "--data.fps: 'nan' is not a number."),
    (TRAIN + "--data.fps -1", "data.fps: -1.0 frames a second. Use a rate above 0."),
    (TRAIN + "--data.fps 1000", "2 of 2 videos have fewer frames a second than the 1000 asked for"),
    (TRAIN + "--data.stride 0", "data.stride: every 0-th frame. Use 1 or more."),
    (TRAIN + "--data.holdback 1", "data.holdback: a share of 1.0."),
    (TRAIN + "--on-bad-frame ignore", "--on-bad-frame: 'ignore' is not among the choices. Use skip or stop."),
    (TRAIN + "--training.epochs 0", "training.epochs: 0. Use 1 or more."),
    (TRAIN + "--training.epochs 1.5", "--training.epochs: '1.5' is not a whole number."),
    (TRAIN + "--training.learning_rate inf", "--training.learning_rate: 'inf' is not a number."),
    (TRAIN + "--training.learning_rate 1e300", "training.learning_rate: 1e+300. Use 0.01, for example."),
    (
        TRAIN + "--training.precision 64",
        "--training.precision: '64' is not among the choices. Use 32-true, bf16-mixed or",
    ),
    (TRAIN + "--training.max_minutes -1", "training.max_minutes: -1.0 minutes. Use more than 0."),
    (TRAIN + "--seed -1", "seed: -1. Use 0 to 4294967295."),
    ("demo --seed -1", "the seed -1 is negative. Use 0 or more."),
    ("demo --seed 99999999999", "seed: 99999999999. Use 0 to 4294967295."),
    ("demo --videos maybe", "--videos: 'maybe' is not among the choices. Use true or false."),
    ("check footage --image-fps 0", "image_fps: images cannot be shown at 0.0 frames a second. Use a rate above 0."),
    ("ablate --data footage --variants unet,unett", "variants: there is no variant unett. Choose from autoencoder"),
    ("ablate --data footage --variants ,", "variants: no variant is named."),
    # more than any machine has
    (
        TRAIN + "--data.height_px 16000000 --data.width_px 16000000",
        "Use a smaller --training.batch_size, --data.height_px",
    ),
    (
        TRAIN + "--model.latent_dim 8000000",
        "model: training a network of 28,232,003,011,000,225 weights takes at least",
    ),
    (TRAIN + "--model.latent_dim 80000000000000000000000000", "model: a network larger than any memory. Use a smaller"),
    (TRAIN + "--model.clip_length 1000000001", "model: training a network of"),
    (TRAIN + "--training.epochs 1000000000000000", "checkpoints and a state to resume from needs"),
    # names and places of what would be written
    (TRAIN + "--name taken", "runs/taken: there is such a run already. Choose another --name, or go on with --resume"),
    (TRAIN + "--name a/b", "name: 'a/b' is no name for a run."),
    (TRAIN + "--name ..", "name: '..' is no name for a run."),
    (TRAIN + "--name ''", "name: '' is no name for a run."),
    (TRAIN + "--name latest", "name: 'latest' is no name for a run."),
    (TRAIN + "--name 'a\nb'", r"name: 'a\nb' is no name for a run."),
    (TRAIN + "--name " + "x" * 300, "File name too long"),
    (TRAIN + "--runs file", "file: there is a file where a folder is wanted. Name another folder."),
    ("ablate --data footage --runs file", "file: there is a file where a folder is wanted."),
    ("test run --out file", "file: there is a file where a folder is wanted."),
    ("test run --out file/deeper", "file: there is a file where a folder is wanted."),
    (SCORE + "run --out file", "file: there is a file where a folder is wanted."),
    ("demo --out file/deeper", "file: there is a file where a folder is wanted."),
    ("demo --out ''", "--out: '' is no path."),
    ("check footage --json empty", "--json: empty is a folder. Name a file in it."),
    ("check footage --json file/x.json", "file: there is a file where a folder is wanted."),
    (TRAIN + "--data.cache file", "file: there is a file where a folder is wanted."),
    # recipes
    (
        "train --config nosuch.yaml",
        "nosuch.yaml: cannot read the recipe (No such file or directory). Name a YAML file.",
    ),
    ("train --config empty", "empty: cannot read the recipe (Is a directory)."),
    ("train --config run/model/model.safetensors", "run/model/model.safetensors: not a text file."),
    ("train --config broken.yaml", "broken.yaml: not YAML that holds settings (line 2: "),
    ("train --config trap.yaml", "trap.yaml, seed: not a single value."),
    (
        "train --config typo.yaml",
        "typo.yaml, training.epoch: there is no such setting. Perhaps you mean training.epochs.",
    ),
    ("ablate --config file", "file: the file holds no settings."),
]


def words(command: str) -> list[str]:
    """A command split as a shell would, by quotes and blanks."""
    return [first or second for first, second in re.findall(r"'([^']*)'|(\S+)", command)]


@pytest.mark.parametrize(("command", "told"), REFUSED, ids=[command[:80] for command, _ in REFUSED])
def test_bad_input_is_refused_in_one_line_and_leaves_nothing(cli, desk, files, monkeypatch, command, told):
    monkeypatch.setattr(estimate, "matrix_flops_per_s", lambda: 1e11)
    before = files()
    answer = cli(*words(command))
    assert answer.code == 2
    assert answer.out == ""
    *earlier, fault = answer.err.splitlines()
    assert told in fault
    assert fault.startswith("error: ")
    assert fault.endswith(".")
    assert all(
        line.startswith(
            (
                "decoding footage: ",
                "scoring: ",
                "calibrating: ",
                "in the footage that was trained on: a, b; ",
                "without a GPU ",
                "footage of 48x32 is enlarged ",
                "a clip of ",
                "the footage is short (",
            )
        )
        for line in earlier
    )
    assert not re.search(r"Traceback|<class|Errno|typing|Parser key|NoneType|\.part\b", fault)
    assert files() == before


SYSTEM = Path("/proc/maskedskipunet")  # a folder in which not even an administrator can write


@pytest.mark.skipif(not SYSTEM.parent.is_dir(), reason="needs a folder that the system keeps to itself")
@pytest.mark.parametrize(
    "command",
    [
        TRAIN + f"--runs {SYSTEM}",
        TRAIN + f"--data.cache {SYSTEM}",
        f"ablate --data footage --runs {SYSTEM}",
        f"test run --out {SYSTEM}",
        SCORE + f"run --out {SYSTEM}",
        f"demo --out {SYSTEM}",
        f"check footage --json {SYSTEM}.json",
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(cli, desk, files, command):
    before = files()
    assert re.search(
        r"/proc: cannot write into the folder \(.+\)\. Name another( with --data.cache or MASKEDSKIPUNET_CACHE)?\.",
        cli(*words(command)).refusal(),
    )
    assert files() == before


@pytest.fixture
def little_room():
    """Lets no file grow beyond some bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("command", "room_bytes", "told"),
    [
        (
            "check footage --json new.json",
            100,
            "new.json: no space left on the disk. Free some space, or name another folder.",
        ),
        ("score footage/test/c.mp4 --model run --out out", 100, "no space left"),
        ("score footage/test/c.mp4 --model run --out out --video", 10_000, "no space left"),
        ("test run --out out --videos false", 100, "no space left"),
        (TRAIN + "--data.height_px=32 --data.width_px=32 --model.latent_dim=8", 1000, "no space left"),
    ],
)
def test_a_full_disk_is_told_and_nothing_half_written_is_left(cli, desk, little_room, command, room_bytes, told):
    little_room(room_bytes)
    answer = cli(*words(command))
    little_room(resource.RLIM_INFINITY)
    assert (answer.code, answer.out) == (2, "")
    fault = answer.err.splitlines()[-1]
    assert told in fault
    assert ".part" not in fault
    left = [path for folder in (desk, desk.parent / f"{desk.name}-cache") for path in folder.rglob("*")]
    assert not [path for path in left if path.suffix == ".part" or path.name in ("new.json", "002", "001")]
    assert not any(path.is_file() for path in (desk / "out").rglob("*"))
