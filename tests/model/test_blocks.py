import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskedskipunet.model.blocks import BlockKind, DecoderBlock, EncoderBlock, depth_to_space, space_to_depth

KINDS: tuple[BlockKind, ...] = ("plain", "masked", "volume")


def features(kind: BlockKind, channels: int) -> torch.Tensor:
    return torch.rand(2, channels, *((3,) if kind == "volume" else ()), 8, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_block_halves_the_size_and_a_decoder_block_doubles_it(kind: BlockKind) -> None:
    time = (3,) if kind == "volume" else ()

    assert EncoderBlock(3, 5, kind=kind)(features(kind, 3)).shape == (2, 5, *time, 4, 6)
    assert DecoderBlock(3, 5, kind=kind)(features(kind, 3)).shape == (2, 5, *time, 16, 24)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_last_decoder_block_gives_values_below_zero(kind: BlockKind) -> None:
    torch.manual_seed(0)

    assert EncoderBlock(3, 5, kind=kind)(features(kind, 3)).min() == 0
    assert DecoderBlock(3, 5, kind=kind)(features(kind, 3)).min() == 0
    assert DecoderBlock(3, 5, kind=kind, last=True)(features(kind, 3)).min() < 0


@settings(max_examples=30)
@given(
    channels=st.integers(1, 4), frames=st.sampled_from([None, 1, 3]), height=st.integers(1, 4), width=st.integers(1, 4)
)
def test_space_to_depth_moves_every_value_to_its_place_and_depth_to_space_back(
    channels: int, frames: int | None, height: int, width: int
) -> None:
    time = () if frames is None else (frames,)
    whole = torch.arange(2 * channels * (frames or 1) * 4 * height * width)
    whole = whole.reshape(2, channels, *time, 2 * height, 2 * width).float()

    deep = space_to_depth(whole)

    assert deep.shape == (2, 4 * channels, *time, height, width)
    for channel in range(channels):
        for row in (0, 1):
            for column in (0, 1):
                expected = whole[:, channel, ..., row::2, column::2]
                assert torch.equal(deep[:, channel * 4 + row * 2 + column], expected)
    assert torch.equal(depth_to_space(deep), whole)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("side", [2, 1])
def test_volumes_change_resolution_frame_by_frame_whatever_their_layout_in_memory(side: int, frames: int) -> None:
    deep = torch.rand(2, 8, frames, side, side)
    wide = torch.rand(2, 2, frames, 2 * side, 2 * side)

    for volume, function in ((deep, depth_to_space), (wide, space_to_depth)):
        expected = torch.stack([function(frame) for frame in volume.unbind(dim=2)], dim=2)
        for layout in (torch.contiguous_format, torch.channels_last_3d):
            assert torch.equal(function(volume.contiguous(memory_format=layout)), expected)
        assert torch.equal(function(volume.mT.contiguous().mT), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kernels_of_a_block_stand_side_by_side_from_small_to_large(kind: BlockKind) -> None:
    for block in (EncoderBlock(3, 5, kind=kind), DecoderBlock(3, 5, kind=kind)):
        assert [conv.weight.shape[-1] for conv in block.convs] == [3, 5, 7]
