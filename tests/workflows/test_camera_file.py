from pathlib import Path

import pytest
from PIL import Image as Picture

from maskedskipunet.errors import ConfigError
from maskedskipunet.workflows.camera_file import named_sources, read_camera_file

SOUND = """
model: runs/room
fps: 5
stall_s: 7
max_delay_s: 1.5
cameras:
  door: rtsp://${LOGIN}@10.0.0.7/live
  yard: usb:0
  old: night.mp4
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "cameras.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files are that cameras may be, and the model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night.mp4").touch()
    (tmp_path / "runs" / "room").mkdir(parents=True)
    return tmp_path


def test_a_file_of_cameras_is_read(written, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN", "me")
    asked = read_camera_file(written(SOUND))

    assert {name: str(address) for name, address in asked.cameras.items()} == {
        "door": "rtsp://10.0.0.7/live",
        "yard": "usb:0",
        "old": "night.mp4",
    }
    assert (asked.model, asked.fps) == (Path("runs/room"), 5)
    assert (asked.reconnect_policy.stall_s, asked.config.max_delay_s) == (7, 1.5)


def test_every_fault_is_named_at_once_and_no_secret_with_them(written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGIN", raising=False)
    path = written("""
model: 3
fps: -1
stall_s: soon
max_delay_s: 0
colour: blue
cameras:
  door: rtsp://${LOGIN}@10.0.0.7/live
  yard: gopher://me:hunter2@x
  "../up": usb:0
  list: [rtsp://me:hunter2@y]
""")
    with pytest.raises(ConfigError) as caught:
        read_camera_file(path)

    told = str(caught.value)
    assert told.startswith(f"{path}: 9 faults: ")
    for fault in (
        "cameras.door: LOGIN is not set in the environment",
        "cameras.yard: no such kind of stream",
        "'cameras.../up': not a name that a folder could have",
        "cameras.list: not an address",
        "model: not a path",
        "fps: not a rate above 0",
        "stall_s: not a number",
        "max_delay_s: 0.0 seconds",
        "colour: there is no such setting",
    ):
        assert fault in told
    assert "hunter2" not in told


def test_what_is_not_on_this_machine_is_named_with_all_other_faults(written, there: Path) -> None:
    text = "model: runs/none\nspeed: 3\ncameras: {a: night.mp4, b: day.mp4, c: runs, d: rtsp://10.0.0.7/live}\n"
    path = written(text)
    missing = "cameras.b: no such file, day.mp4; cameras.c: a folder cannot be watched, runs"
    for model, faults in (
        (None, f"4 faults: {missing}; model: no such model, runs/none; speed: there is no such setting"),
        (Path("runs/room"), f"3 faults: {missing}; speed: there is no such setting"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_camera_file(path, model)
        assert str(caught.value) == f"{path}: {faults}. Mend the file."


def test_names_longer_than_any_may_be_are_faults_too(written) -> None:
    long = "x" * 5000
    with pytest.raises(ConfigError, match=r"2 faults: cameras\.a: File name too long, x+; model: no such model, x+"):
        read_camera_file(written(f"model: {long}\ncameras: {{a: {long}}}\n"))


def test_a_camera_may_say_what_is_not_looked_at_in_its_pictures(written, there: Path, tmp_path: Path) -> None:
    mask = Picture.new("L", (4, 2))
    mask.putpixel((3, 0), 255)
    mask.save(tmp_path / "tree.png")
    asked = read_camera_file(
        written(f"""
cameras:
  door: {{source: usb:0, ignore: ["10,20,30,5", "1,1 9,2 5,8", {tmp_path}/tree.png]}}
  yard: {{source: usb:1, ignore: "0%,0%,20%,10%"}}
  hall: {{source: usb:2}}
  old: night.mp4
""")
    )

    assert [*asked.cameras] == ["door", "yard", "hall", "old"]
    assert asked.ignore == {
        "door": ("10,20,30,5", "1,1 9,2 5,8", "75%,0%,25%,50%"),
        "yard": ("0%,0%,20%,10%",),
    }


def test_faults_of_what_cameras_ignore_are_named_with_all_others(written) -> None:
    path = written("""
cameras:
  a: {source: usb:0, ignore: ["1,2,3"]}
  b: {source: usb:1, ignore: [none.png]}
  c: {source: usb:2, ignore: 3}
  d: {source: usb:3, ignore: ["0%,0%,100%,100%"]}
  e: {ignore: ["1,2,3,4"], hide: 1}
""")
    with pytest.raises(ConfigError) as caught:
        read_camera_file(path)

    told = str(caught.value)
    assert told.startswith(f"{path}: 6 faults: ")
    for fault in (
        "cameras.a.ignore: '1,2,3' is no shape",
        "cameras.b.ignore: 'none.png' is neither a shape nor a mask image that is there",
        "cameras.c.ignore: not a list of shapes",
        "cameras.d.ignore: all of the picture is ignored, nothing is left to look at",
        "cameras.e.hide: there is no such setting",
        "cameras.e: not an address",
    ):
        assert fault in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the file holds no settings; cameras: none is named"),
        ("cameras: {}", "cameras: none is named"),
        ("- a", "the file holds no settings"),
        ("cameras: {door: usb:0, door: usb:1}", "door is given twice"),
        ("cameras: [", "not YAML that names cameras (line"),
        ("cameras: {door: !!python/object/apply:os.system [ls]}", "not YAML that names cameras"),
        ("a: &a [*a, *a]", "a value that stands for another, write it out"),
    ],
)
def test_what_is_no_file_of_cameras_is_refused(written, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_camera_file(written(text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, told in (("none", "No such file"), ("bytes", "not a text file")):
        with pytest.raises(ConfigError, match=told):
            read_camera_file(tmp_path / name)


def test_sources_of_a_command_line_are_named_by_what_may_be_shown() -> None:
    named = named_sources(["rtsp://me:hunter2@cam/x", "usb:0", "usb:0"])

    assert [*named] == ["rtsp://cam/x", "usb:0", "usb:0 (3)"]
