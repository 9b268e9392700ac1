"""Checkpoints as people save them: each form loads to the same network, or is refused by the name of what it is."""

import argparse
import io
import pickle
import tarfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import maskedskipunet as msu
from maskedskipunet.errors import WeightsError
from maskedskipunet.model.config import InputFormat
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.storage import describe_network

GOLDEN = Path(__file__).parents[1] / "golden" / "reference_checkpoint_latent8.pt"


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    return dict(torch.load(GOLDEN, weights_only=True))


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    return msu.load_model(GOLDEN).state_dict()


def assert_equal(model: MaskedSkipUNet, expected: dict[str, Tensor]) -> None:
    state = model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in state)


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {prefix + name: weight for name, weight in state.items()}


class Settings:
    """A class of the program that saved the file."""

    def __init__(self) -> None:
        self.rate = 0.1


FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "as it is": lambda state: OrderedDict(state),
    "of DataParallel": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "compiled in DataParallel": prefixed("module._orig_mod."),
    "a part compiled": lambda state: {name.replace("encoder.", "encoder._orig_mod."): w for name, w in state.items()},
    "in an attribute": prefixed("model."),
    "an average of weights": lambda state: prefixed("module.")(state) | {"n_averaged": torch.tensor(3)},
    "beside a loss": lambda state: state | {"criterion.weight": torch.ones(3)},
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model_state_dict": lambda state: {"model_state_dict": state, "optimizer_state_dict": {"state": {}, "lr": 0.1}},
    "twice nested": lambda state: {"checkpoint": {"model": prefixed("module.")(state)}},
    "in a list": lambda state: [7, state],
    "Lightning": lambda state: {"state_dict": prefixed("net.")(state), "callbacks": {}, "hyper_parameters": {"a": 1}},
    "a numpy scalar": lambda state: {"state_dict": state, "best_auc": np.float64(0.98), "seed": np.int64(3)},
    "a numpy array": lambda state: {"state_dict": state, "losses": np.arange(3.0)},
    "argparse": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1, path=Path("x"), sizes={1, 2})},
    "an own class": lambda state: {"model": state, "settings": Settings()},
    "a defaultdict": lambda state: {"model": state, "history": defaultdict(list)},
    "half precision": lambda state: {
        name: weight.double() if weight.is_floating_point() else weight for name, weight in state.items()
    },
    "parameters": lambda state: {
        name: nn.Parameter(weight) if weight.is_floating_point() else weight for name, weight in state.items()
    },
    "two, one of them preferred": lambda state: {"model": state, "ema": prefixed("module.")(state)},
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", FORMS)
def test_a_published_network_loads_as_people_save_it(
    form: str, legacy: bool, published: dict[str, Tensor], expected: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    torch.save(FORMS[form](published), path, _use_new_zipfile_serialization=not legacy)

    assert_equal(msu.load_model(path), expected)


@pytest.mark.parametrize(
    "name", ["best.pth.tar", "last.ckpt", "pytorch_model.bin", "model", "weights.safetensors", "epoch=3.PT", "m.pkl"]
)
def test_files_go_by_what_they_hold_and_not_by_their_names(
    name: str, published: dict[str, Tensor], expected: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({"state_dict": published}, tmp_path / name)

    assert_equal(msu.load_model(tmp_path / name), expected)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model"])
def test_safetensors_with_names_of_the_published_code_load(
    name: str, published: dict[str, Tensor], expected: dict[str, Tensor], tmp_path: Path
) -> None:
    save_file(prefixed("module.")(published), tmp_path / name)

    assert_equal(msu.load_model(tmp_path / name), expected)


@pytest.mark.parametrize("variant", ["masked_skips", "conv3d_skips", "masked_blocks", "unet", "full_conv3d"])
def test_a_whole_network_of_ours_that_was_pickled_loads(variant: str, tmp_path: Path) -> None:
    model = msu.create_model(variant, latent_dim=8)
    torch.save({"net": nn.DataParallel(model), "epoch": 2}, tmp_path / "whole.pt")

    loaded = msu.load_model(tmp_path / "whole.pt")

    assert loaded.config.variant == variant
    assert_equal(loaded, model.state_dict())


def test_our_own_state_dict_loads_where_its_shapes_are_those_of_one_variant(tmp_path: Path) -> None:
    model = msu.create_model("two_masks", latent_dim=16, clip_length=5, channels=1)
    torch.save(model.state_dict(), tmp_path / "state.pt")

    loaded = msu.load_model(tmp_path / "state.pt")

    assert loaded.config == model.config or loaded.config.frames == 5
    assert_equal(loaded, model.state_dict())


def test_our_own_state_dict_is_refused_where_several_variants_have_its_shapes(tmp_path: Path) -> None:
    torch.save(msu.create_model("masked_skips", latent_dim=8).state_dict(), tmp_path / "state.pt")

    message = refusal(tmp_path / "state.pt")

    assert "do not say which network they belong to (conv3d_skips, masked_blocks, masked_skips have the same" in message
    assert "save_pretrained" in message


def test_a_state_that_says_which_network_it_is_brings_its_input_format(tmp_path: Path) -> None:
    import json

    model, seen = msu.create_model("masked_skips", latent_dim=8), InputFormat(height_px=48, width_px=80)
    state = {f"network.{name}": weight for name, weight in model.state_dict().items()}
    description = json.dumps(describe_network(model.config, seen))
    torch.save({"state_dict": state, "maskedskipunet": description}, tmp_path / "copied.ckpt")

    loaded = msu.load_model(tmp_path / "copied.ckpt")

    assert (loaded.config.variant, loaded.input_format) == ("masked_skips", seen)


def test_a_state_of_an_earlier_version_goes_by_the_run_that_it_lies_in(tmp_path: Path) -> None:
    model = msu.create_model("masked_skips", latent_dim=8)
    model.input_format = InputFormat(height_px=64)
    model.save_pretrained(tmp_path / "run" / "model")
    (tmp_path / "run" / "checkpoints").mkdir()
    state = {f"network.{name}": weight for name, weight in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "run" / "checkpoints" / "last.ckpt")

    loaded = msu.load_model(tmp_path / "run" / "checkpoints" / "last.ckpt")

    assert loaded.input_format == model.input_format
    assert_equal(loaded, model.state_dict())


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as refused:
        msu.load_model(path)
    message = str(refused.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def archive_of(published: dict[str, Tensor]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pt"))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "a web page"),
        (b"\x1f\x8b\x08\x00", "an archive: unpack it"),
        (archive_of({}), "an archive: unpack it"),
        (pickle.dumps({"a": 1}), "a pickle that torch.save did not write"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    ],
)
def test_what_is_no_checkpoint_is_told_by_what_it_is(content: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "model.pth").write_bytes(content)

    assert f"(nothing in it was executed), but {kind}" in refusal(tmp_path / "model.pth")


def test_a_torchscript_program_is_named(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        for name in ("model/data.pkl", "model/constants.pkl"):
            archive.writestr(name, b"")

    assert "a TorchScript program" in refusal(tmp_path / "model.pt")


def test_another_networks_whole_pickle_is_named_by_its_class(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "model.pt")

    assert "a pickled torch.nn.modules.linear.Linear. Save its state_dict()" in refusal(tmp_path / "model.pt")


def test_several_networks_are_refused_by_their_names(published: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"student": published, "teacher": {"module": published}}, tmp_path / "pair.pt")

    assert "holds several networks (student, teacher module)" in refusal(tmp_path / "pair.pt")


class Evaluating:
    """Runs code when it is unpickled, without a module that is known for it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return mark, (str(self.trace),)


def mark(path: str) -> None:
    Path(path).touch()


@pytest.mark.parametrize("legacy", [False, True])
def test_functions_of_other_programs_never_run(legacy: bool, published: dict[str, Tensor], tmp_path: Path) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    torch.save({"model": published, "hook": Evaluating(trace)}, path, _use_new_zipfile_serialization=not legacy)

    msu.load_model(path)

    assert not trace.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_names_the_evaluator_is_refused(legacy: bool, published: dict[str, Tensor], tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return eval, ("1 + 1",)

    torch.save({"model": published, "hook": Attack()}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)

    assert "nothing in it was executed" in refusal(tmp_path / "a.pt")


def test_loading_leaves_the_callers_random_numbers_and_allowed_classes_as_they_were(tmp_path: Path) -> None:
    msu.create_model("unet", latent_dim=8).save_pretrained(tmp_path)
    torch.manual_seed(4)
    before, allowed = torch.get_rng_state(), set(torch.serialization.get_safe_globals())

    msu.load_model(tmp_path)
    msu.load_model(GOLDEN)

    assert torch.equal(torch.get_rng_state(), before)
    assert set(torch.serialization.get_safe_globals()) == allowed


def test_a_folder_of_checkpoints_says_to_name_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "best.pth").touch()

    assert "holds no trained model. Name the file" in refusal(tmp_path)
    assert "best.pth" in refusal(tmp_path)
