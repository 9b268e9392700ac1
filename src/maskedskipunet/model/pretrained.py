"""Loads a network from a model folder, a run, a weights file or a checkpoint written by torch.save."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import shorten

import torch
from torch import Tensor

from maskedskipunet.errors import ConfigError, WeightsError
from maskedskipunet.files import require_plain_file
from maskedskipunet.input_format import InputFormat
from maskedskipunet.model.checkpoints import Checkpoint, is_torch_file, named_weights, read_checkpoint
from maskedskipunet.model.config import VARIANTS, NetworkConfig
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.published import load_published_weights, published_config
from maskedskipunet.model.storage import (
    CONFIG_NAME,
    is_safetensors,
    read_description,
    read_model_folder,
    read_weights,
    understand_description,
)

EXPORTED_SUFFIXES = frozenset({".onnx", ".xml", ".pt2"})  # of files for other runtimes, which hold no weights of ours
WEIGHTS_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".tar"})


def load_model(path: str | Path) -> MaskedSkipUNet:
    """Return a trained network, on the CPU and in evaluation mode.

    path: a folder that save_pretrained wrote, a run folder, an `epoch_NN.safetensors` or the `last.ckpt` of a run, or
    a checkpoint that torch.save wrote of the published network or of ours: its state dict, a dictionary that holds one,
    or the whole network, with what DataParallel or torch.compile adds to the names. Files are
    recognised by their content, not their name, and no code in them is executed. The global random state is not
    changed.
    Raises WeightsError if it is none of these.
    """
    path = Path(path)
    if not path.exists():
        raise WeightsError("no such model", str(path), "Name a run folder, a model folder or a .pt file")
    if path.suffix.lower() in EXPORTED_SUFFIXES and path.is_file():
        cure = "Name the run that it was exported from, or for scoring a .onnx or .xml file"
        raise WeightsError("an exported model is no network to load", str(path), cure)
    with torch.random.fork_rng(devices=[]):  # a network starts at random weights
        model = _build(*read_model_folder(model_folder(path)), path) if path.is_dir() else _from_file(path)
    _require_numbers(model, path)
    return model.eval()


def model_folder(path: Path) -> Path:
    """Return the model folder of a path: itself, a run's `model/`, or that of an exported file. Raises WeightsError if
    there is none.
    """
    if path.suffix.lower() in EXPORTED_SUFFIXES and path.is_file():
        path = path.parent
    for folder in (path, path / "model"):
        if (folder / CONFIG_NAME).is_file():
            return folder
    files = sorted(file.name for file in path.glob("*") if file.suffix.lower() in WEIGHTS_SUFFIXES)
    cure = f"Name the file, such as {path / files[0]}" if files else "Name a run that finished an epoch, or train one"
    raise WeightsError("holds no trained model", str(path), cure)


def _build(
    config: NetworkConfig, input_format: InputFormat | None, weights: Mapping[str, Tensor], path: Path
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
    """Refuse weights that are no finite numbers: they would give scores that look like missing ones."""
    for name, weight in model.state_dict().items():
        if not torch.isfinite(weight).all():
            raise WeightsError(f"{name} holds values that are no numbers", str(path), "Name another epoch")


def _from_file(path: Path) -> MaskedSkipUNet:
    try:
        require_plain_file(path)
        is_checkpoint = is_torch_file(path) or not is_safetensors(path)
    except OSError as error:
        raise WeightsError(
            f"cannot read the weights ({error.strerror})", str(path), "Name a whole model file"
        ) from error
    return _from_checkpoint(read_checkpoint(path), path) if is_checkpoint else _from_safetensors(path)


def _from_safetensors(path: Path) -> MaskedSkipUNet:
    description, weights = read_weights(path)
    if description is not None:
        return _build(*description, weights, path)
    return _from_checkpoint(named_weights(weights, path), path)


def _from_checkpoint(checkpoint: Checkpoint, path: Path) -> MaskedSkipUNet:
    weights = checkpoint.weights
    try:
        if checkpoint.is_published:
            model = MaskedSkipUNet(published_config(weights))
            load_published_weights(model, weights)
            return model
        learned = {name: weight for name, weight in weights.items() if not name.endswith(".mask")}
        return _build(*_description(checkpoint, path), learned, path)
    except WeightsError as error:
        raise WeightsError(error.what, str(path), error.cure) from error
    except RuntimeError as error:  # tensors of kinds that cannot be copied
        fault = shorten(str(error).splitlines()[-1], 120, placeholder=" …")
        raise WeightsError(f"cannot read the weights ({fault})", str(path), "Name a whole checkpoint") from error


def _description(checkpoint: Checkpoint, path: Path) -> tuple[NetworkConfig, InputFormat | None]:
    """Return the network's description from the file, else from its run, else from the shapes of the weights."""
    if checkpoint.description is not None:
        return understand_description(checkpoint.description, path)
    run = path.resolve().parent.parent
    if path.resolve().parent.name == "checkpoints" and (run / "model" / CONFIG_NAME).is_file():
        return read_description(run / "model")
    fitting = [config for config in _possible_configs(checkpoint.weights) if _fits(config, checkpoint.weights)]
    if not fitting:
        raise WeightsError("the weights fit no variant of the network", cure="Name a whole checkpoint")
    if len(fitting) > 1:
        variants = ", ".join(config.variant for config in fitting)
        raise WeightsError(
            f"the weights do not say which network they belong to ({variants} have the same shapes)",
            cure="Load them with create_model(variant).load_state_dict, then save_pretrained",
        )
    return fitting[0], None


def _possible_configs(weights: Mapping[str, Tensor]) -> list[NetworkConfig]:
    kernel = weights.get("skips.3.weight")
    frames = kernel.shape[2] if kernel is not None and kernel.dim() == 5 else 1
    configs = []
    for variant in VARIANTS:
        try:
            configs.append(
                NetworkConfig(
                    variant=variant,
                    latent_dim=weights["encoder.3.project.weight"].shape[0],
                    clip_length=frames,
                    channels=weights["encoder.0.convs.0.weight"].shape[1],
                )
            )
        except (ConfigError, KeyError, IndexError):
            continue  # not of this variant
    return configs


def _fits(config: NetworkConfig, weights: Mapping[str, Tensor]) -> bool:
    """Return whether names and shapes are those of a network, and the masks too where they were saved with it."""
    with torch.device("meta"):
        expected = {name: weight.shape for name, weight in MaskedSkipUNet(config).state_dict().items()}
    if expected != {name: weight.shape for name, weight in weights.items() if not name.endswith(".mask")}:
        return False
    masks = {name: mask for name, mask in weights.items() if name.endswith(".mask")}
    if not masks:
        return True
    own = {name: mask for name, mask in MaskedSkipUNet(config).named_buffers() if name.endswith(".mask")}
    return own.keys() == masks.keys() and all(torch.equal(own[name], masks[name].to(own[name])) for name in own)
