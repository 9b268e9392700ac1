import logging
from fractions import Fraction

import av
import numpy as np
import PIL.Image
import pytest

from maskedskipunet.data.images import image_files, probe_images, read_image, read_images
from maskedskipunet.errors import ConfigError, DataError, FrameError


def save(path, value=100, size=(8, 6), mode="RGB"):
    """A flat image of size (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = value if mode in ("L", "P", "1") else (value,) * len(mode)
    PIL.Image.new(mode, size, colour).save(path)
    return path


@pytest.fixture
def clip(tmp_path):
    """Three images of 8x6 with values 1, 2, 3, among what systems leave behind."""
    for number in (1, 2, 3):
        save(tmp_path / f"{number}.png", number)
    for name in ["._1.png", ".DS_Store", "notes.txt"]:
        (tmp_path / name).write_bytes(b"\0\5\26\7")
    return tmp_path


def test_images_are_found_by_suffix_whatever_its_case_in_natural_order(tmp_path):
    names = ["10.TIF", "9.jpg", "1.JPEG", "2.png", "3.bmp", "4.tiff", "5.WebP"]
    for name in [*names, "6.gif", "._1.tif", "7.jpg~"]:
        (tmp_path / name).touch()
    (tmp_path / "8.png").mkdir()
    assert [file.name for file in image_files(tmp_path)] == sorted(names, key=lambda name: int(name.split(".")[0]))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_grey_images_of_every_kind_become_three_equal_channels(tmp_path, suffix):
    image = read_image(save(tmp_path / f"1{suffix}", 100, mode="L"))
    assert image.dtype == np.uint8
    assert image.shape == (6, 8, 3)
    assert np.all(np.abs(image.astype(int) - 100) <= 2)  # JPEG and WebP are not exact


def test_an_image_can_be_written_to(tmp_path):
    assert read_image(save(tmp_path / "1.png")).flags.writeable


def test_colours_come_as_red_green_blue(tmp_path):
    PIL.Image.new("RGB", (2, 2), (10, 20, 30)).save(tmp_path / "1.png")
    assert read_image(tmp_path / "1.png")[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path, suffix):
    deep = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    PIL.Image.fromarray(deep).save(tmp_path / f"1{suffix}")
    assert read_image(tmp_path / f"1{suffix}")[0, :, 0].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize("largest", [255, 4095, 65535])
def test_of_16_bits_a_folder_uses_those_that_its_images_fill(tmp_path, largest):
    for number, share in enumerate((0.25, 1.0), start=1):
        deep = np.array([[0, int(largest * share)]], np.uint16)
        PIL.Image.fromarray(deep).save(tmp_path / f"{number}.png")
    frames = list(read_images(tmp_path, "stop", 10))
    assert [int(frame.image.max()) for frame in frames] == [63, 255]
    bits = largest.bit_length()
    assert probe_images(tmp_path).notes == (
        () if bits == 16 else (f"the 16-bit images use {bits} bits, which are taken",)
    )


def test_numbers_beyond_the_bits_in_use_are_white(tmp_path):
    for number in range(100):
        value = 40_000 if number == 1 else 4000  # of many images some are looked at, and this one is not
        PIL.Image.fromarray(np.full((2, 2), value, np.uint16)).save(tmp_path / f"{number}.png")
    assert [int(frame.image.max()) for frame in read_images(tmp_path, "stop", 10)][:3] == [250, 255, 250]


def test_a_black_folder_of_16_bits_needs_no_word(tmp_path):
    PIL.Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "1.png")
    assert probe_images(tmp_path).notes == ()


def test_of_16_bit_colours_those_bits_are_used_that_are_filled(tmp_path):
    deep = np.full((4, 4, 3), (4095, 2048, 16), np.uint16)
    codec = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 4, 4, "rgb48be", Fraction(1)
    frame = av.VideoFrame.from_ndarray(deep, format="rgb48le").reformat(format="rgb48be")
    (tmp_path / "1.png").write_bytes(b"".join(map(bytes, [*codec.encode(frame), *codec.encode(None)])))
    assert next(read_images(tmp_path, "stop", 10)).image[0, 0].tolist() == [255, 128, 1]


def test_transparency_is_laid_on_black(tmp_path):
    PIL.Image.new("RGBA", (2, 2), (200, 100, 50, 0)).save(tmp_path / "clear.png")
    PIL.Image.new("RGBA", (2, 2), (200, 100, 50, 255)).save(tmp_path / "opaque.png")
    assert read_image(tmp_path / "clear.png").max() == 0
    assert read_image(tmp_path / "opaque.png")[0, 0].tolist() == [200, 100, 50]


def test_a_palette_is_looked_up(tmp_path):
    picture = PIL.Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.save(tmp_path / "1.png")
    assert read_image(tmp_path / "1.png")[0, 0].tolist() == [10, 20, 30]


def test_a_palette_with_a_transparent_colour_is_laid_on_black(tmp_path):
    picture = PIL.Image.new("P", (2, 2), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.save(tmp_path / "1.png", transparency=1)
    assert read_image(tmp_path / "1.png").max() == 0


def test_images_of_one_bit_are_black_and_white(tmp_path):
    assert read_image(save(tmp_path / "1.png", 1, mode="1")).min() == 255


def test_an_image_under_another_formats_name_is_read(tmp_path):
    save(tmp_path / "1.png", 7).rename(tmp_path / "1.jpg")
    assert read_image(tmp_path / "1.jpg").max() == 7


def test_numbers_without_a_known_range_are_refused(tmp_path):
    PIL.Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "1.tif")
    with pytest.raises(FrameError, match=r"1\.tif: the image holds 32-bit numbers"):
        read_image(tmp_path / "1.tif")


def test_an_empty_image_file_is_named(tmp_path):
    (tmp_path / "1.png").touch()
    with pytest.raises(FrameError, match=r"1\.png: cannot read the image \(it is empty, zero bytes\)"):
        read_image(tmp_path / "1.png")


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "1.png").write_text("hello")
    with pytest.raises(FrameError, match=r"1\.png: cannot read the image \(it is not an image\)"):
        read_image(tmp_path / "1.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif", ".webp"])
def test_a_cut_off_image_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"1{suffix}"
    PIL.Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FrameError, match=rf"1\{suffix}: cannot read the image"):
        read_image(path)


def test_a_broken_link_is_named(tmp_path):
    (tmp_path / "1.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(FrameError, match=r"1\.png: cannot read the image \(No such file"):
        read_image(tmp_path / "1.png")


def test_a_link_to_an_image_is_read(tmp_path):
    save(tmp_path / "elsewhere" / "a.png", 9)
    (tmp_path / "1.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    assert read_image(tmp_path / "1.png").max() == 9


@pytest.mark.parametrize("limit", [30, 10])  # 48 pixels: Pillow warns above the limit, refuses above its double
def test_an_image_too_large_to_be_a_frame_is_refused(tmp_path, monkeypatch, limit):
    path = save(tmp_path / "1.png")
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(FrameError, match=rf"1\.png: .*larger than {limit} pixels"):
        read_image(path)


def test_a_folder_is_probed_for_count_and_size(clip):
    info = probe_images(clip)
    assert (info.frame_count, info.height_px, info.width_px, info.frame_rate) == (3, 6, 8, None)


def test_probing_reads_headers_only(clip):
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(clip / "2.png")
    (clip / "2.png").write_bytes((clip / "2.png").read_bytes()[:60])
    assert probe_images(clip).frame_count == 3


def test_the_first_image_of_another_size_is_named_with_both_sizes(clip):
    save(clip / "4.png", size=(16, 12))
    save(clip / "5.png", size=(32, 24))
    with pytest.raises(FrameError, match=r"4\.png: the image is 16x12, but 1\.png is 8x6\. .*--on-bad-frame skip"):
        probe_images(clip)


def test_with_skip_a_folder_has_the_size_of_its_first_good_image(clip):
    (clip / "0.png").write_text("bad")
    save(clip / "4.png", size=(16, 12))
    info = probe_images(clip, "skip")
    assert (info.frame_count, info.height_px, info.width_px) == (5, 6, 8)


@pytest.mark.parametrize("on_bad_frame", ["stop", "skip"])
def test_a_folder_without_images_is_refused(tmp_path, on_bad_frame):
    (tmp_path / "._1.png").touch()
    with pytest.raises(DataError, match="the folder holds no images"):
        probe_images(tmp_path, on_bad_frame)
    with pytest.raises(DataError, match="the folder holds no images"):
        next(read_images(tmp_path, on_bad_frame, 10))


def test_a_folder_without_one_good_image_is_refused_even_with_skip(tmp_path):
    (tmp_path / "1.png").touch()
    with pytest.raises(DataError, match="none of the 1 images can be read"):
        probe_images(tmp_path, "skip")


def test_images_are_frames_at_the_stated_rate(clip):
    frames = list(read_images(clip, "stop", 4.0))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time_s for frame in frames] == [0.0, 0.25, 0.5]
    assert [int(frame.image.max()) for frame in frames] == [1, 2, 3]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_that_cannot_be_is_refused(clip, rate):
    with pytest.raises(ConfigError, match="frames a second"):
        next(read_images(clip, "stop", rate))


def test_a_bad_image_stops_the_reading_and_the_cure_is_named(clip):
    (clip / "2.png").write_bytes(b"")
    frames = read_images(clip, "stop", 10)
    assert next(frames).index == 0
    with pytest.raises(FrameError, match=r"2\.png: .*--on-bad-frame skip"):
        next(frames)


def test_an_image_of_another_size_stops_the_reading(clip):
    save(clip / "2.png", size=(16, 12))
    with pytest.raises(FrameError, match=r"2\.png: the image is 16x12, but 1\.png is 8x6"):
        list(read_images(clip, "stop", 10))


def test_with_skip_bad_images_keep_their_index_and_are_named_in_a_warning(clip, caplog):
    (clip / "0.png").touch()
    save(clip / "2.png", size=(16, 12))
    with caplog.at_level(logging.WARNING):
        frames = list(read_images(clip, "skip", 10))
    assert [(frame.index, frame.image is None) for frame in frames] == [(0, True), (1, False), (2, True), (3, False)]
    assert "0.png: frame 0 was skipped" in caplog.text
    assert "2.png: frame 2 was skipped" in caplog.text


@pytest.mark.real_data
def test_a_clip_of_ped2_is_read_whole(real_data):
    folder = real_data / "UCSDped2" / "Train" / "Train001"
    info = probe_images(folder)
    frames = list(read_images(folder, "stop", 10))
    assert (info.height_px, info.width_px) == (240, 360) == frames[0].image.shape[:2]
    assert len(frames) == info.frame_count == 120


def test_pictures_beside_frames_are_left_out_and_named(tmp_path):
    for name in ("001.png", "002.png", "004.png", "alarm.png"):
        save(tmp_path / name)
    info = probe_images(tmp_path)
    assert (info.frame_count, info.missing) == (4, ((2, 2),))
    assert info.notes[0] == "left out: alarm.png (a picture beside frames)"
