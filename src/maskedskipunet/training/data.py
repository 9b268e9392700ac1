"""Clips of the frame store in batches, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from maskedskipunet.data.clips import Clips


class ClipDataset(Dataset[Tensor]):
    """Clips by number, a whole batch at a time: uint8 (B, T, C, H, W)."""

    def __init__(self, clips: Clips) -> None:
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, number: int) -> Tensor:
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> Tensor:
        return torch.from_numpy(self.clips.batch(numbers))


class EpochShuffle(Sampler[int]):
    """Shuffles the clips of an epoch, all or a random share; a resumed training sees the same order."""

    def __init__(self, count: int, seed: int, share: float = 1.0) -> None:
        self.count, self.seed, self.epoch = count, seed, 0
        self.sampled = min(count, max(1, round(share * count)))

    def set_epoch(self, epoch: int) -> None:
        """Note the epoch; the trainer calls this before each."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.sampled

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        yield from torch.randperm(self.count, generator=generator)[: self.sampled].tolist()


class ClipDataModule(L.LightningDataModule):
    """Training clips, and held-back ones to measure the loss on (none: no measuring). share: of clips in an epoch."""

    def __init__(self, train: Clips, holdback: Clips, *, batch_size: int, seed: int, share: float = 1.0) -> None:
        super().__init__()
        self.train, self.holdback = train, holdback
        self.batch_size, self.seed, self.share = batch_size, seed, share

    def train_dataloader(self) -> DataLoader[Tensor]:
        return self._loader(self.train, EpochShuffle(len(self.train), self.seed, self.share))

    def val_dataloader(self) -> DataLoader[Tensor] | list[DataLoader[Tensor]]:
        return self._loader(self.holdback, None) if len(self.holdback) else []

    def _loader(self, clips: Clips, sampler: Sampler[int] | None) -> DataLoader[Tensor]:
        # Clips are copied out of mapped files in a millisecond or two a batch: worker processes would cost more.
        return DataLoader(
            ClipDataset(clips),
            batch_size=min(self.batch_size, len(clips) if sampler is None else len(sampler)),  # type: ignore[arg-type]
            sampler=sampler,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # else it draws from the caller's random numbers
            pin_memory=torch.cuda.is_available(),
        )


def _as_it_is(batch: Any) -> Any:
    return batch
