"""A run that is exported scores as the run does: frame scores, thresholds and events, from whichever file."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import maskedskipunet as msu
from maskedskipunet.cues.cue_model import CUES_NAME
from maskedskipunet.cues.grid import PlaceGrid
from maskedskipunet.cues.learning import learn_cues, with_reconstruction
from maskedskipunet.cues.normal_footage import NormalVideo
from maskedskipunet.errors import CalibrationError, ConfigError, DiskSpaceError, WeightsError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.monitor.model_changes import POLL_S, ModelChanges
from maskedskipunet.scoring.loading import input_format_of, load_scorer
from maskedskipunet.workflows import export as workflow
from maskedskipunet.workflows.export import ExportResult, export, plain_scores, sample_clips
from maskedskipunet.workflows.result import Result
from maskedskipunet.workflows.score_cache import model_key
from maskedskipunet.workflows.score_many import fingerprint

RUN = Path(__file__).parents[1] / "golden" / "run_0_1_0"
TOLERANCE = 1e-4
FORMATS = {"onnx": ".onnx", "openvino": ".xml"}


def drawn(count: int = 70) -> Iterator[np.ndarray]:
    """A room with a square that passes, and for a while a part of it striped; of another size than the network's."""
    rows, columns = np.mgrid[:48, :64]
    room = (40 + 5 * ((rows // 8 * 7 + columns // 8 * 13) % 24)).astype(np.uint8)
    for index in range(count):
        frame = np.stack([room, room + 10, 200 - room], axis=2)
        left = (3 * index) % 48
        frame[8:24, left : left + 16] = (220, 30 + 5 * (index % 20), 40)
        if 30 <= index < 50:
            frame[26:44, 4:44] = np.where((rows + columns + index) % 3 == 0, 255, 0)[26:44, 4:44, None]
        yield frame


@pytest.fixture(scope="module")
def cue_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored run with a movement and an appearance cue beside its network."""
    folder = tmp_path_factory.mktemp("cues") / "model"
    network = msu.load_model(RUN)
    network.save_pretrained(folder)
    scorer = load_scorer(RUN, "cpu")
    random = np.random.default_rng(0)
    videos = []
    for number in range(4):
        frames = [*drawn(24)]
        noisy = [np.clip(frame + random.integers(-3, 4, frame.shape), 0, 255).astype(np.uint8) for frame in frames]
        pixels = np.stack([frame[8:40, 8:56].transpose(2, 0, 1) for frame in noisy])
        videos.append(NormalVideo(f"v{number}", pixels, np.arange(24) / 10, np.ones(24, bool)))
    learned = learn_cues(videos, PlaceGrid.of_size(32, 48), ["movement", "appearance"], lambda done: None)
    scores = np.random.default_rng(1).uniform(0.1, 0.3, 500)
    with_reconstruction(learned, scores).write(folder)
    assert scorer.calibration is not None
    scorer.calibration.write(folder)
    return folder.parent


@pytest.fixture(scope="module")
def openvino_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored run for OpenVINO; tests leave it as it is."""
    return export(RUN, "openvino", tmp_path_factory.mktemp("exports") / "run").file.parent


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    """The stored run as ONNX; tests leave it as it is."""
    return export(RUN, "onnx", tmp_path_factory.mktemp("exports") / "run")


def found_by(model: Path) -> tuple[np.ndarray, list[int], list[Result]]:
    """The scores of the drawn frames, the first frame of each frame's event, and the results."""
    results = msu.load_detector(model).predict(drawn(), fps=10)
    scores = np.array([np.nan if result.score is None else result.score for result in results])
    return scores, [-1 if result.event is None else result.event.start_frame for result in results], results


@pytest.mark.parametrize("format", FORMATS)
def test_an_exported_run_gives_the_runs_scores_threshold_and_events(format: Any, tmp_path: Path) -> None:
    result = export(RUN, format, tmp_path / "exported")
    wanted, events, expected = found_by(RUN)

    for model in (result.file, tmp_path / "exported"):
        scores, starts, results = found_by(model)

        np.testing.assert_allclose(scores, wanted, rtol=TOLERANCE)
        assert starts == events
        assert {start for start in starts if start >= 0}, "without an event this shows nothing"
        assert results[40].threshold == expected[40].threshold
        assert results[40].normal_share == pytest.approx(expected[40].normal_share, rel=1e-3)
        np.testing.assert_allclose(results[40].score_map, expected[40].score_map, atol=1e-5)
    assert result.difference <= TOLERANCE
    assert result.file == tmp_path / "exported" / f"model{FORMATS[format]}"


@pytest.mark.parametrize("format", FORMATS)
def test_cues_beside_the_network_are_exported_with_it(format: Any, cue_run: Path, tmp_path: Path) -> None:
    result = export(cue_run, format, tmp_path / "exported")
    wanted, events, _ = found_by(cue_run)

    scores, starts, _ = found_by(result.file)

    np.testing.assert_allclose(scores, wanted, rtol=TOLERANCE)
    assert starts == events
    assert result.description.cues == ("movement", "appearance")
    assert np.nanmax(np.abs(wanted - found_by(RUN)[0])) > 0.1, "the cues change scores"


def test_the_file_says_what_it_is(exported: ExportResult) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(exported.file)

    told = json.loads(session.get_modelmeta().custom_metadata_map["maskedskipunet"])
    assert told["network"] == {
        "variant": "masked_skips",
        "latent_dim": 8,
        "clip_length": 5,
        "channels": 3,
        "masked_weights": "learned",
    }
    assert (told["input"]["height_px"], told["input"]["width_px"], told["input"]["spacing"]) == (32, 48, 1)
    assert (told["rate_fps"], told["colours"], told["version"]) == (10, "RGB", msu.__version__)
    assert told["calibration"]["threshold"] == msu.load_detector(RUN).threshold
    assert told["calibration"]["score_of"] == ["reconstruction"]
    assert [(value.name, value.shape) for value in session.get_inputs()] == [("clip", ["batch", 5, 32, 48, 3])]


def test_the_graph_is_of_plain_convolutions_that_every_runtime_knows(exported: ExportResult) -> None:
    import onnx

    for part in ("model", "encode", "reconstruct"):
        model = onnx.load(exported.file.with_name(f"{part}.onnx"))
        onnx.checker.check_model(model, full_check=True)
        kernels = [len(node.attribute[0].ints) for node in model.graph.node if node.op_type == "Conv"]
        assert set(kernels) == {2}
        kinds = {node.op_type for node in model.graph.node}
        assert not kinds & {"BatchNormalization", "DFT", "STFT", "ConvTranspose", "Loop", "If"}


def test_a_process_without_this_package_runs_the_file(exported: ExportResult, tmp_path: Path) -> None:
    network = msu.load_model(RUN)
    clips = sample_clips(5, 32, 48, 3)
    ignored = load_scorer(RUN, "cpu").ignored.mask(32, 48)
    np.save(tmp_path / "clips.npy", clips)
    code = f"""
import sys
sys.modules["maskedskipunet"] = sys.modules["torch"] = None  # not to be had
import numpy, onnxruntime
session = onnxruntime.InferenceSession({str(exported.file)!r})
score, maps = session.run(["score", "score_map"], {{"clip": numpy.load({str(tmp_path / "clips.npy")!r})}})
numpy.savez({str(tmp_path / "found.npz")!r}, score=score, maps=maps)
"""

    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd=tmp_path)

    found = np.load(tmp_path / "found.npz")
    np.testing.assert_allclose(found["score"], plain_scores(network, clips, ignored), rtol=TOLERANCE)
    assert not found["maps"][:, ignored].any()


def test_an_exported_model_that_ignores_more_is_scored_so(exported: ExportResult, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in exported.files:
        (folder / file.name).write_bytes(file.read_bytes())
    described = json.loads((folder / "config.json").read_text())
    described["input"]["ignore"] = ["0%,0%,50%,50%"]
    (folder / "config.json").write_text(json.dumps(described))

    assert input_format_of(folder / "model.onnx").ignore == ("0%,0%,50%,50%",)
    assert load_scorer(folder / "model.onnx").input_format.ignore == ("0%,0%,50%,50%",)
    assert fingerprint(folder / "model.onnx") != fingerprint(exported.file)
    (folder / "config.json").write_text(json.dumps(described | {"input": described["input"] | {"height_px": 64}}))
    with pytest.raises(WeightsError, match=r"config\.json describes another model"):
        load_scorer(folder / "model.onnx")


def test_scores_that_were_kept_are_of_another_model_where_an_exported_file_changed(
    exported: ExportResult, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in exported.files:
        (folder / file.name).write_bytes(file.read_bytes())
    now_s = iter(np.arange(0.0, 1e4, POLL_S).tolist())
    changes = ModelChanges(folder / "model.onnx", lambda: float(next(now_s)))
    assert model_key(folder, {}) == model_key(exported.file.parent, {})
    assert changes.poll() is None

    (folder / "encode.onnx").write_bytes((folder / "encode.onnx").read_bytes() + b"\0")

    assert model_key(folder, {}) != model_key(exported.file.parent, {})
    update = changes.poll()
    assert update is not None
    assert "trained again" in update.reason


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(exported: ExportResult, tmp_path: Path) -> Path:
    """A copy of the exported folder, to be damaged."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in exported.files:
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_folder_that_holds_something_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine.txt").write_text("mine")
    (tmp_path / "b").write_text("mine")

    for taken in ("a", "b"):
        with pytest.raises(ConfigError, match="something of that name already"):
            export(RUN, "onnx", tmp_path / taken)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "mine.txt"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_disk_that_fills_leaves_nothing(
    format: Any, tmp_path: Path, no_file_larger_than: Callable[[int], AbstractContextManager[None]]
) -> None:
    with no_file_larger_than(100_000), pytest.raises(DiskSpaceError):
        export(RUN, format, tmp_path / "exported")

    assert [*tmp_path.iterdir()] == []


def test_scores_that_are_not_the_networks_are_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = workflow.ExportedNetwork.of

    def spoiled(*arguments: Any) -> Any:
        network = made(*arguments)
        network.weights.decoder[-1].project_bias.add_(0.01)
        return network

    monkeypatch.setattr(workflow.ExportedNetwork, "of", spoiled)
    with pytest.raises(ConfigError, match="the exported scores differ from the network's by"):
        export(RUN, "onnx", tmp_path / "exported")

    assert [*tmp_path.iterdir()] == []


def test_a_missing_library_is_named_with_its_extra(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library, act, extra in (
        ("onnx", lambda: export(RUN, "onnx", tmp_path / "x"), "onnx"),
        ("onnxruntime", lambda: export(RUN, "onnx", tmp_path / "x"), "onnx"),
        ("openvino", lambda: export(RUN, "openvino", tmp_path / "x"), "openvino"),
        ("onnxruntime", lambda: load_scorer(copy / "model.onnx"), "onnx"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, library, None)
            with pytest.raises(ConfigError, match=rf"needs {library}\. Install it .*\[{extra}\]"):
                act()
    assert not (tmp_path / "x").exists()


def test_a_file_of_an_exported_model_that_is_missing_is_told(copy: Path) -> None:
    for name, error in (
        ("reconstruct.onnx", WeightsError),
        ("calibration.json", CalibrationError),
        ("model.onnx", WeightsError),
    ):
        content = (copy / name).read_bytes()
        (copy / name).unlink()
        with pytest.raises(error, match=r"missing|no such model"):
            load_scorer(copy / "model.onnx")
        (copy / name).write_bytes(content)
    assert load_scorer(copy / "model.onnx").calibration is not None


def test_cues_that_are_missing_are_told(cue_run: Path, tmp_path: Path) -> None:
    file = export(cue_run, "onnx", tmp_path / "exported").file
    (file.parent / CUES_NAME).unlink()

    with pytest.raises(WeightsError, match=r"the model's cues are missing \(movement, appearance\)"):
        load_scorer(file)


@pytest.mark.parametrize("name", ["model.onnx", "encode.onnx"])
@pytest.mark.parametrize("damage", [b"", b"no graph", b"half"], ids=["empty", "text", "half"])
def test_a_damaged_file_is_told(name: str, damage: bytes, copy: Path) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2] if damage == b"half" else damage)

    with pytest.raises(WeightsError) as refusal:
        load_scorer(copy / "model.onnx")

    assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["model.xml", "model.bin", "reconstruct.xml", "reconstruct.bin"])
@pytest.mark.parametrize("damage", ["missing", "empty", "half"])
def test_a_damaged_or_missing_file_of_openvino_is_told(
    name: str, damage: str, openvino_folder: Path, tmp_path: Path
) -> None:
    for file in openvino_folder.iterdir():
        content = file.read_bytes()
        if file.name != name:
            (tmp_path / file.name).write_bytes(content)
        elif damage != "missing":
            (tmp_path / file.name).write_bytes(content[: len(content) // 2] if damage == "half" else b"")

    with pytest.raises(WeightsError):
        load_scorer(tmp_path / "model.xml")


def test_a_description_that_does_not_fit_its_graph_is_told(copy: Path) -> None:
    import onnx

    for name in ("model.onnx", "encode.onnx", "reconstruct.onnx"):
        model = onnx.load(copy / name)
        told = json.loads(model.metadata_props[0].value)
        told["input"]["height_px"] = 48
        model.metadata_props[0].value = json.dumps(told)
        onnx.save(model, copy / name)
    (copy / "config.json").unlink()

    with pytest.raises(WeightsError, match="the files do not compute what their description says"):
        load_scorer(copy / "model.onnx", calibrated=False)


def test_a_file_of_another_program_and_parts_of_another_model_are_told(copy: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(copy / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(WeightsError, match="the file was not exported by this program"):
        load_scorer(tmp_path / "foreign.onnx")
    with pytest.raises(WeightsError, match="the file holds the part 'encode', not 'clip'"):
        load_scorer(copy / "encode.onnx")

    network = msu.create_model("masked_skips", latent_dim=8, clip_length=5)
    network.input_format = InputFormat(height_px=32, width_px=48)
    network.save_pretrained(tmp_path / "other")
    other = export(tmp_path / "other", "onnx", tmp_path / "exported").file
    (copy / "encode.onnx").write_bytes(other.with_name("encode.onnx").read_bytes())
    with pytest.raises(WeightsError, match="a part of another model"):
        load_scorer(copy / "model.onnx")


def test_settings_that_an_exported_model_cannot_have_are_refused(copy: Path) -> None:
    file = copy / "model.onnx"
    with pytest.raises(ConfigError, match="runs on the CPU, not on cuda"):
        load_scorer(file, "cuda")
    with pytest.raises(ConfigError, match="computes in float32, not in bfloat16"):
        load_scorer(file, precision="bfloat16")
    with pytest.raises(ConfigError, match="an exported one already"):
        export(file, "openvino", copy.parent / "again")
    with pytest.raises(WeightsError, match="an exported model is no network to load"):
        msu.load_model(file)
    with pytest.raises(ConfigError, match="names a file where a folder is wanted"):
        export(RUN, "onnx", copy.parent / "again.onnx")
    with pytest.raises(ConfigError, match="there is no format 'tflite'"):
        export(RUN, "tflite", copy.parent / "again")  # type: ignore[arg-type]


def test_sample_clips_differ_from_frame_to_frame() -> None:
    clips = sample_clips(3, 32, 48, 3)

    assert clips.shape == (2, 3, 32, 48, 3)
    assert (clips[:, 0] != clips[:, 1]).any()
    assert torch.from_numpy(clips).dtype == torch.uint8
