"""The network in training: its loss and its optimizer."""

import json
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from maskedskipunet.model.checkpoints import DESCRIPTION_KEY
from maskedskipunet.model.convolutions import SkipConvolution
from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.score import reconstruction_loss
from maskedskipunet.model.storage import describe_network
from maskedskipunet.training.config import Schedule
from maskedskipunet.training.pseudo_anomalies import PseudoAnomalies, motion_weights

WARM_UP = 0.15  # of the steps: large first steps in a random direction cost more than they bring


class TrainingModule(L.LightningModule):
    """Teaches a network to reconstruct the target frames of clips.

    Batches are uint8 (B, T, C, H, W); they become [0, 1] on the device, so that a byte a pixel travels. disturbance:
    makes anomalies into the clips that it trains on, which the network has to undo; motion_weight: by how much what
    moves counts more in the loss; neither takes part in the loss on held-back clips.
    """

    def __init__(
        self,
        network: MaskedSkipUNet,
        *,
        learning_rate: float,
        schedule: Schedule = "constant",
        pseudo_anomalies: PseudoAnomalies | None = None,
        motion_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.pseudo_anomalies, self.motion_weight = pseudo_anomalies, motion_weight

    def on_fit_start(self) -> None:
        use_tiles(self.network, self.device.type == "cpu")

    def on_fit_end(self) -> None:
        use_tiles(self.network, False)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        clip, target = self._clip_and_target(batch)
        shown = clip if self.pseudo_anomalies is None else self.pseudo_anomalies(clip, self.global_step)
        weights = motion_weights(clip, self.motion_weight) if self.motion_weight else None
        loss = reconstruction_loss(target, self.network(shown), weights)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        clip, target = self._clip_and_target(batch)
        self.log("holdback_loss", reconstruction_loss(target, self.network(clip)), batch_size=len(batch))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which network the state belongs to, so that load_model takes it anywhere."""
        checkpoint[DESCRIPTION_KEY] = json.dumps(describe_network(self.network.config, self.network.input_format))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        learned = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(learned, lr=self.learning_rate)
        if self.schedule == "constant":
            return optimizer
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, CosineRate(int(self.trainer.estimated_stepping_batches)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def _clip_and_target(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        clip = batch.transpose(1, 2).float() / 255  # (B, C, T, H, W)
        return clip, clip[:, :, clip.shape[2] // 2]


def use_tiles(network: MaskedSkipUNet, tiled: bool) -> None:
    """Apply the skips' large kernels by tiles, or not; a GPU's own convolutions are fast enough."""
    for skip in network.skips:
        if isinstance(skip, SkipConvolution):
            skip.tiled = tiled


@dataclass(frozen=True)
class CosineRate:
    """The share of the learning rate at a step: up in a line over the first steps, down to 0 along half a cosine.

    >>> [round(CosineRate(100)(step), 3) for step in (0, 14, 57, 100)]
    [0.067, 1.0, 0.509, 0.0]
    """

    steps: int

    def __call__(self, step: int) -> float:
        rising = max(1, round(WARM_UP * self.steps))
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + cos(pi * (step - rising) / max(1, self.steps - rising)))
