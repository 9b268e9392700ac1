import json
import os
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import maskedskipunet as msu
from maskedskipunet.errors import DiskSpaceError, WeightsError
from maskedskipunet.model import storage
from maskedskipunet.model.config import VARIANTS, InputFormat
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.pretrained import model_folder
from maskedskipunet.model.storage import write_weights

CHECKPOINT = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"
OTHER_FORMAT = InputFormat(height_px=48, width_px=80, fps=12.5, stride=2, image_fps=25.0)


def network(variant: str = "masked_skips", **settings: Any) -> MaskedSkipUNet:
    torch.manual_seed(0)
    model = msu.create_model(variant, latent_dim=8, **settings)
    with torch.no_grad():
        for name, value in model.state_dict().items():  # batch statistics as training leaves them, not 0 and 1
            if "running" in name:
                value.copy_(torch.rand_like(value) + 0.5)
    return model


def reconstruction(model: MaskedSkipUNet) -> torch.Tensor:
    clips = torch.rand(
        1, model.config.channels, model.config.frames, 32, 32, generator=torch.Generator().manual_seed(1)
    )
    with torch.inference_mode():
        output: torch.Tensor = model(clips)
    return output


def refusal_of(path: Path) -> str:
    with pytest.raises(WeightsError) as refusal:
        msu.load_model(path)
    message = str(refusal.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    network().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("input_format", [None, OTHER_FORMAT])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_model_comes_back_as_it_was(variant: str, input_format: InputFormat | None, tmp_path: Path) -> None:
    length = 1 if VARIANTS[variant].single_frame else 5
    model = network(variant, clip_length=length, channels=1, masked_weights="frozen")
    model.input_format = input_format

    model.save_pretrained(tmp_path)
    loaded = msu.load_model(tmp_path)

    assert loaded.config == model.config
    assert loaded.input_format == input_format
    assert not loaded.training
    assert [weight.requires_grad for weight in loaded.parameters()] == [
        weight.requires_grad for weight in model.parameters()
    ]
    assert {name: (value.dtype, value.shape) for name, value in loaded.state_dict().items()} == {
        name: (value.dtype, value.shape) for name, value in model.state_dict().items()
    }
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert torch.equal(reconstruction(loaded), reconstruction(model.eval()))


def test_a_model_folder_holds_its_two_files_and_says_what_the_network_is(tmp_path: Path) -> None:
    model = network(masked_weights="frozen")
    model.input_format = OTHER_FORMAT

    model.save_pretrained(str(tmp_path / "new" / "folder"))

    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text()) == {
        "format": 1,
        "network": {
            "variant": "masked_skips",
            "latent_dim": 8,
            "clip_length": 3,
            "channels": 3,
            "masked_weights": "frozen",
        },
        "input": {"height_px": 48, "width_px": 80, "fps": 12.5, "stride": 2, "image_fps": 25.0},
    }


def test_a_run_folder_and_an_epochs_weights_load_like_a_model_folder(tmp_path: Path) -> None:
    model = network()
    model.input_format = OTHER_FORMAT
    model.save_pretrained(tmp_path / "run" / "model")
    write_weights(tmp_path / "run" / "epoch_03.safetensors", model.config, model.input_format, model.state_dict())

    for path in (tmp_path / "run", str(tmp_path / "run" / "epoch_03.safetensors")):
        loaded = msu.load_model(path)
        assert loaded.input_format == OTHER_FORMAT
        assert torch.equal(reconstruction(loaded), reconstruction(model.eval()))
    assert model_folder(tmp_path / "run") == model_folder(tmp_path / "run" / "model") == tmp_path / "run" / "model"


def test_saving_over_a_model_replaces_it(saved: Path) -> None:
    network("unet").save_pretrained(saved)

    assert msu.load_model(saved).config.variant == "unet"
    assert len([*saved.iterdir()]) == 2


def test_a_model_whose_saving_was_cut_off_is_still_the_one_before(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_a_part(weights: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of")
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    monkeypatch.setattr(storage, "save_file", write_a_part)

    with pytest.raises(KeyboardInterrupt):
        network("unet").save_pretrained(saved)

    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_model_that_does_not_fit_on_the_disk_is_refused_and_nothing_is_left(
    tmp_path: Path, no_file_larger_than: Callable[[int], AbstractContextManager[None]]
) -> None:
    model = network()

    with no_file_larger_than(10_000), pytest.raises(DiskSpaceError) as refusal:
        model.save_pretrained(tmp_path)

    weights = tmp_path / "model.safetensors"
    assert str(refusal.value) == f"{weights}: no space left on the disk. Free some space, or name another folder."
    assert [*tmp_path.iterdir()] == []


def test_a_model_cannot_be_saved_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError, match="file"):
        network().save_pretrained(tmp_path / "file")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal_of(tmp_path / "runs") == ": no such model. Name a run folder, a model folder or a .pt file."
    assert refusal_of(tmp_path / "a.pt").startswith(": no such model")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    assert refusal_of(tmp_path) == ": holds no trained model. Name a run that finished an epoch, or train one."


def test_a_folder_whose_weights_are_missing_says_so(saved: Path) -> None:
    (saved / "model.safetensors").unlink()

    assert refusal_of(saved).startswith("/model.safetensors: cannot read the weights (No such file")


@pytest.mark.parametrize("as_folder", [True, False])
@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.9, 0.9999])
def test_truncated_weights_are_refused(share: float, as_folder: bool, saved: Path) -> None:
    weights = saved / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(share * len(whole))])

    message = refusal_of(saved) if as_folder else refusal_of(weights)

    assert "cannot read the weights (" in message


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_weights_with_changed_bytes_load_or_are_refused(saved: Path, data: st.DataObject) -> None:
    whole = bytearray((saved / "model.safetensors").read_bytes())
    header = 8 + int.from_bytes(whole[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    changed = saved / "changed.safetensors"
    changed.write_bytes(whole)

    with suppress(WeightsError):
        assert isinstance(msu.load_model(changed), MaskedSkipUNet)


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    assert refusal_of(path).startswith(": the weights do not say which network they belong to")

    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt", "maskedskipunet": "something"})
    assert refusal_of(path).startswith(": not a model's description (")


def test_weights_of_another_network_do_not_fit_a_description(saved: Path, tmp_path: Path) -> None:
    for variant, latent_dim in (("unet", 8), ("full_conv3d", 8), ("masked_skips", 16)):
        msu.create_model(variant, latent_dim=latent_dim).save_pretrained(tmp_path / "other")
        (tmp_path / "other" / "model.safetensors").rename(saved / "model.safetensors")

        message = refusal_of(saved)

        assert message.startswith(": the weights do not fit variant masked_skips (")
        assert len(message) < 250


@pytest.mark.parametrize("change", ["one weight more", "one weight less"])
def test_a_weight_too_much_or_too_little_is_refused(change: str, saved: Path) -> None:
    weights = load_file(saved / "model.safetensors")
    if change == "one weight less":
        del weights["decoder.0.project.bias"]
    else:
        weights["decoder.9.bias"] = torch.zeros(1)
    save_file(weights, saved / "model.safetensors")

    assert ("decoder.9.bias" if change == "one weight more" else "decoder.0.project.bias") in refusal_of(saved)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        '{"format": 1, "network": ',
        "[]",
        "3",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": 1, "network": null}',
        '{"format": 1, "network": "unet"}',
        '{"format": 1, "network": []}',
    ],
)
def test_a_config_that_describes_no_network_is_refused(text: str, saved: Path) -> None:
    (saved / "config.json").write_text(text)

    assert refusal_of(saved).startswith("/config.json: not a model's description (")


def test_a_config_that_is_no_text_is_refused(saved: Path) -> None:
    (saved / "config.json").write_bytes(b"\xff\xfe\x00")

    assert refusal_of(saved).startswith("/config.json: ")


@pytest.mark.parametrize(
    ("part", "name", "value", "fault"),
    [
        ("network", "variant", "unnet", "there is no variant 'unnet'"),
        ("network", "variant", ["unet"], "unhashable"),
        ("network", "latent_dim", 12, "12 is not a multiple of 8"),
        ("network", "latent_dim", "8", "8 is not a multiple of 8"),
        ("network", "latent_dim", 8.0, "8.0 is not a multiple of 8"),
        ("network", "latent_dim", None, "None is not a multiple of 8"),
        ("network", "clip_length", 2, "a clip of 2 frames has no middle frame"),
        ("network", "clip_length", 3.0, "a clip of 3.0 frames has no middle frame"),
        ("network", "channels", 2, "2 channels"),
        ("network", "channels", 3.0, "3.0 channels"),
        ("network", "masked_weights", "random", "'random'"),
        ("network", "colour", True, "unexpected keyword argument 'colour'"),
        ("input", "height_px", 250, "250 is not a multiple of 16"),
        ("input", "width_px", "256", "'256' is not a multiple of 16"),
        ("input", "fps", -1, "-1 frames a second"),
        ("input", "stride", 0, "every 0-th frame"),
        ("input", "image_fps", None, "None frames a second"),
        ("input", "crop", 1, "unexpected keyword argument 'crop'"),
    ],
)
def test_a_setting_in_the_config_that_cannot_be_is_named(
    part: str, name: str, value: object, fault: str, saved: Path
) -> None:
    description = json.loads((saved / "config.json").read_text())
    description[part] = (description[part] or {}) | {name: value}
    (saved / "config.json").write_text(json.dumps(description))

    message = refusal_of(saved)

    assert message.startswith("/config.json: not a model's description (")
    assert fault in message


def test_a_model_of_a_later_format_is_not_taken_for_ours(saved: Path) -> None:
    description = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(description | {"format": 2}))

    assert "format 2, this version reads 1" in refusal_of(saved)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".PT"])
def test_a_checkpoint_of_the_published_code_loads_whatever_its_name_is_like(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(CHECKPOINT.read_bytes())

    loaded = msu.load_model(path)

    assert not loaded.training
    assert loaded.input_format is None
    assert torch.equal(reconstruction(loaded), reconstruction(msu.load_model(CHECKPOINT)))


@pytest.mark.parametrize("text", ["", "a text", ".\n", "a", "q", "}q", "\n\n", "PK\x03\x04", '{"weights": 1}'])
def test_a_text_called_pt_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_text(text)

    assert refusal_of(path).startswith(": not a checkpoint of weights alone (nothing in it was executed)")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40))
def test_any_bytes_called_pt_are_refused_with_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)

    refusal_of(path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_checkpoint_is_refused(share: float, tmp_path: Path) -> None:
    whole = CHECKPOINT.read_bytes()
    path = tmp_path / "model.pt"
    path.write_bytes(whole[: int(share * len(whole))])

    assert refusal_of(path).startswith(": not a checkpoint of weights alone")


@pytest.mark.parametrize(
    "content",
    [None, 5, [1, 2], {}, torch.zeros(3), {1: torch.zeros(3)}, {"epoch": 3}, {"model": {"a": torch.zeros(1)}}],
)
def test_a_checkpoint_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(content, path)

    assert refusal_of(path) == ": not the weights of a published network. Name a checkpoint of the published code."


class Attack:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("form", ["plain pickle", "old torch file", "new torch file"])
def test_a_checkpoint_that_carries_code_is_refused_and_its_code_never_runs(
    form: str, wrapped: bool, tmp_path: Path
) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    attack = {"encoder.conv_1.convs.0.weight": Attack(trace)} if wrapped else Attack(trace)
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(attack))
        pickle.loads(path.read_bytes())
    else:
        torch.save(attack, path, _use_new_zipfile_serialization=form == "new torch file")
        torch.load(path, weights_only=False)
    trace.rmdir()  # it was there: unpickled carelessly, the file does its harm

    message = refusal_of(path)

    assert message.startswith(": not a checkpoint of weights alone (nothing in it was executed)")
    assert not trace.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "model.pt")

    assert "nothing in it was executed" in refusal_of(tmp_path / "model.pt")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = network()
    with torch.no_grad():
        model.encoder[1].project.weight[0, 0] = float("nan")
    model.save_pretrained(tmp_path)

    assert "encoder.1.project.weight holds values that are no numbers" in refusal_of(tmp_path)
