"""Masks as images of every kind: any pixel that is not background counts."""

from fractions import Fraction

import av
import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.checking import check
from maskedskipunet.data.labels import LabelSource, labels_for
from maskedskipunet.data.mask_images import background_of, marked, mask_pixels
from maskedskipunet.data.volumes import read_volume

SQUARE = np.zeros((32, 48), bool)
SQUARE[8:16, 8:24] = True
EMPTY = np.zeros_like(SQUARE)


def palette(mask, colours):
    picture = PIL.Image.fromarray(mask.astype(np.uint8), mode="P")
    picture.putpalette(colours)
    return picture


def coloured(mask, colour, ground=(0, 0, 0)):
    return PIL.Image.fromarray(np.where(mask[..., None], np.uint8(colour), np.uint8(ground)))


def transparent(mask):
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (0, 0, 0, 255)
    return PIL.Image.fromarray(pixels)


KINDS = {
    "one bit": (".png", PIL.Image.fromarray),
    "0 and 1": (".png", lambda mask: PIL.Image.fromarray(mask.astype(np.uint8))),
    "16-bit identities": (".png", lambda mask: PIL.Image.fromarray(mask.astype(np.uint16) * 3)),
    "16-bit .tif": (".tif", lambda mask: PIL.Image.fromarray(mask.astype(np.uint16) * 3)),
    "32-bit identities": (".tif", lambda mask: PIL.Image.fromarray(mask.astype(np.int32) * 7)),
    "decimals": (".tif", lambda mask: PIL.Image.fromarray(mask.astype(np.float32))),
    "a green palette": (".png", lambda mask: palette(mask, [0, 0, 0, 0, 128, 0])),
    "a palette without colours": (".png", lambda mask: palette(mask, [0, 0, 0, 0, 0, 0])),
    "blue": (".png", lambda mask: coloured(mask, (0, 0, 200))),
    "blue .bmp": (".bmp", lambda mask: coloured(mask, (0, 0, 200))),
    "black on nothing": (".png", transparent),
    ".tiff": (".tiff", lambda mask: PIL.Image.fromarray(mask.astype(np.uint8) * 255)),
    ".webp": (".webp", lambda mask: PIL.Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB")),
    "inverted": (".png", lambda mask: PIL.Image.fromarray(np.uint8(255) - mask.astype(np.uint8) * 255)),
    "inverted 16-bit": (".png", lambda mask: PIL.Image.fromarray(np.uint16(65535) - mask.astype(np.uint16) * 65535)),
    "red on white": (".png", lambda mask: coloured(mask, (255, 0, 0), (255, 255, 255))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind_mark_what_is_not_background(tmp_path, kind):
    suffix, make = KINDS[kind]
    for number, mask in enumerate([SQUARE, EMPTY, SQUARE], start=1):
        make(mask).save(tmp_path / f"{number}{suffix}")
    found = list(read_volume(tmp_path).masks())
    np.testing.assert_array_equal(found, [SQUARE, EMPTY, SQUARE])
    assert labels_for(LabelSource(tmp_path, "volume"), 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize("inverted", [False, True])
def test_what_jpeg_adds_beside_edges_is_no_mark(tmp_path, inverted):
    for number, mask in enumerate([SQUARE, EMPTY], start=1):
        PIL.Image.fromarray((mask ^ inverted).astype(np.uint8) * 255).save(tmp_path / f"{number}.jpg", quality=60)
    found = list(read_volume(tmp_path).masks())
    np.testing.assert_array_equal(found, [SQUARE, EMPTY])


def test_16_bit_colours_are_read_to_the_last_bit(tmp_path):
    pixels = np.zeros((32, 48, 3), np.uint16)
    pixels[SQUARE] = (0, 3, 0)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 48, 32, "rgb48be", Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le").reformat(format="rgb48be")
    (tmp_path / "1.png").write_bytes(b"".join(map(bytes, [*codec.encode(frame), *codec.encode(None)])))
    np.testing.assert_array_equal(marked(mask_pixels(tmp_path / "1.png"), np.zeros(1)), SQUARE)


def test_labels_say_which_colour_is_background_where_no_mask_is_black():
    white = np.full((4, 4), 255, np.uint8)
    half = np.repeat([[0, 0, 255, 255]], 4, axis=0).astype(np.uint8)
    assert background_of([white, half]).tolist() == [0]
    assert background_of([white, half], np.array([0, 1], np.uint8)).tolist() == [255]


def test_a_clip_that_is_marked_all_over_is_not_taken_for_inverted(tmp_path):
    for number in (1, 2):
        PIL.Image.new("L", (4, 4), 255).save(tmp_path / f"{number}.png")
    assert read_volume(tmp_path).labels().tolist() == [1, 1]


def test_arrays_with_an_axis_for_colours_are_masks_too(tmp_path):
    masks = np.stack([SQUARE, EMPTY])
    for shape in (masks[..., None], masks[:, None], np.stack([EMPTY * masks, masks, masks], axis=3)):
        np.save(tmp_path / "a.npy", shape.astype(np.uint8))
        np.testing.assert_array_equal(list(read_volume(tmp_path / "a.npy").masks()), masks)


# What check says of them


def clip_with_masks(root, masks, suffix=".png"):
    for number, mask in enumerate(masks, start=1):
        for folder in ("Test001", "Test001_gt"):
            (root / "Test" / folder).mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (48, 32)).save(root / "Test" / "Test001" / f"{number:03}.tif")
        PIL.Image.fromarray(mask).save(root / "Test" / "Test001_gt" / f"{number:03}{suffix}")
    (root / "Test" / "UCSDped2.m").write_text("TestVideoFile{end+1}.gt_frame = [2:3];\n")


def notes(root):
    return [note.removeprefix("test/Test001 ") for note in check(root).oddities if note.startswith("test/Test001")]


def test_masks_that_mark_other_frames_than_the_labels_are_noted(tmp_path):
    clip_with_masks(tmp_path, [np.uint8(255) * mask for mask in (SQUARE, SQUARE, EMPTY, EMPTY)])
    told = "they mark 1 that the labels call normal and leave out 1 that the labels call anomalous"
    assert notes(tmp_path) == [f"has masks that mark other frames than the labels: {told}"]


def test_inverted_masks_are_noted_and_fit_their_labels(tmp_path):
    clip_with_masks(tmp_path, [255 - np.uint8(255) * mask for mask in (EMPTY, SQUARE, SQUARE, EMPTY)])
    assert notes(tmp_path) == ["has inverted masks: 255 is taken for background, since it fills them"]


def test_masks_that_agree_with_the_labels_need_no_word(tmp_path):
    clip_with_masks(tmp_path, [np.uint8(255) * mask for mask in (EMPTY, SQUARE, SQUARE, EMPTY)], ".jpg")
    assert notes(tmp_path) == []


def test_a_folder_of_masks_that_holds_none_is_noted(tmp_path):
    clip_with_masks(tmp_path, [np.uint8(255) * mask for mask in (EMPTY, SQUARE, SQUARE, EMPTY)])
    for file in (tmp_path / "Test" / "Test001_gt").iterdir():
        file.rename(file.with_suffix(".gif"))
    assert "the folder holds no images of masks" in notes(tmp_path)[0]
