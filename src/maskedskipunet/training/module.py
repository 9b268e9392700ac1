"""The network in training: its loss and its optimizer."""

import lightning as L
import torch
from torch import Tensor
from torch.optim import Optimizer

from maskedskipunet.model.network import MaskedSkipUNet
from maskedskipunet.model.score import reconstruction_loss


class TrainingModule(L.LightningModule):
    """Teaches a network to reconstruct the target frames of clips.

    Batches are uint8 (B, T, C, H, W); they become [0, 1] on the device, so that a byte a pixel travels.
    """

    def __init__(self, network: MaskedSkipUNet, *, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self.learning_rate = learning_rate

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss = self._loss(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("holdback_loss", self._loss(batch), batch_size=len(batch))

    def configure_optimizers(self) -> Optimizer:
        learned = [weight for weight in self.network.parameters() if weight.requires_grad]
        return torch.optim.Adam(learned, lr=self.learning_rate)

    def _loss(self, batch: Tensor) -> Tensor:
        clip = batch.transpose(1, 2).float() / 255  # (B, C, T, H, W)
        target = clip[:, :, clip.shape[2] // 2]
        return reconstruction_loss(target, self.network(clip))
