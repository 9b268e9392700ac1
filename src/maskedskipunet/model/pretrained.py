"""Loading a network from whatever holds one: a model folder, a run, a weights file, a published checkpoint."""

from pathlib import Path
from textwrap import shorten

import torch

from maskedskipunet.errors import WeightsError
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.config import NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.published import load_published_weights, published_config
from maskedskipunet.model.storage import CONFIG_NAME, read_model_folder, read_weights

PUBLISHED_SUFFIXES = frozenset({".pt", ".pth"})


def load_model(path: str | Path) -> MaskedSkipUNet:
    """A trained network, on the CPU and in evaluation mode.

    path: a folder that save_pretrained wrote, a run folder, an `epoch_NN.safetensors` of a run, or a `.pt` of
    the published code (read without executing what it may carry).
    Raises WeightsError when it is none of them.
    """
    path = Path(path)
    if not path.exists():
        raise WeightsError("no such model", str(path), "Name a run folder, a model folder or a .pt file")
    if path.suffix.lower() in PUBLISHED_SUFFIXES and path.is_file():
        model = _load_published(path)
    elif path.is_dir():
        model = _build(*read_model_folder(model_folder(path)), path)
    else:
        model = _build(*read_weights(path), path)
    _require_numbers(model, path)
    return model.eval()


def model_folder(path: Path) -> Path:
    """The model folder that a path means: itself, or a run's `model/`. Raises WeightsError where there is none."""
    for folder in (path, path / "model"):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise WeightsError("holds no trained model", str(path), "Name a run that finished an epoch, or train one")


def _build(
    config: NetworkConfig, input_format: InputFormat | None, weights: dict[str, torch.Tensor], path: Path
) -> MaskedSkipUNet:
    model = MaskedSkipUNet(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        fault = shorten(str(error).splitlines()[-1], 120, placeholder=" …")
        raise WeightsError(f"the weights do not fit variant {config.variant} ({fault})", str(path)) from error
    model.input_format = input_format
    return model


def _require_numbers(model: MaskedSkipUNet, path: Path) -> None:
    """Weights that are no numbers would give scores that are none, which look like frames without a score."""
    for name, weight in model.state_dict().items():
        if not torch.isfinite(weight).all():
            raise WeightsError(f"{name} holds values that are no numbers", str(path), "Name another epoch")


def _load_published(path: Path) -> MaskedSkipUNet:
    try:
        state_dict = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file makes the unpickler raise nearly anything
        raise WeightsError(
            "not a checkpoint of weights alone (nothing in it was executed)", str(path), "Name one you trust"
        ) from error
    try:
        model = MaskedSkipUNet(published_config(state_dict))
        load_published_weights(model, state_dict)
    except WeightsError as error:
        raise WeightsError(error.what, str(path), error.cure) from error
    return model
