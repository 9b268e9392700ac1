"""Video anomaly detection that learns what is normal from footage without labels.

Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskedskipunet.errors import MaskedSkipUNetError as MaskedSkipUNetError
    from maskedskipunet.model.config import NetworkConfig as NetworkConfig
    from maskedskipunet.model.network import MaskedSkipUNet as MaskedSkipUNet
    from maskedskipunet.model.network import create_model as create_model
    from maskedskipunet.model.pretrained import load_model as load_model
    from maskedskipunet.model.published import load_published_weights as load_published_weights
    from maskedskipunet.model.score import frame_score as frame_score
    from maskedskipunet.model.score import reconstruction_loss as reconstruction_loss
    from maskedskipunet.model.score import score_map as score_map
    from maskedskipunet.workflows.detector import Detector as Detector
    from maskedskipunet.workflows.detector import load_detector as load_detector
    from maskedskipunet.workflows.result import Result as Result

__version__ = "0.1.0"

_HOMES = {
    "Detector": "workflows.detector",
    "MaskedSkipUNet": "model.network",
    "MaskedSkipUNetError": "errors",
    "NetworkConfig": "model.config",
    "Result": "workflows.result",
    "create_model": "model.network",
    "frame_score": "model.score",
    "load_detector": "workflows.detector",
    "load_model": "model.pretrained",
    "load_published_weights": "model.published",
    "reconstruction_loss": "model.score",
    "score_map": "model.score",
}

__all__ = [*_HOMES, "__version__"]  # names, each with its module


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
