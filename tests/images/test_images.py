"""Images of every kind, sound and broken, all made here."""

import io
import os
import re
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.errors import InputError
from limner.images import images, rgb
from limner.images.images import load_image, source_name
from limner.images.limits import ImageLimits

RED, GREEN, BLUE, WHITE, BLACK = (
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0),
)  # fmt: skip


def encode(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(size=(48, 32)):
    width, height = size
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def corners(mode="RGB"):
    """Red, green on top; blue, white below: 16 x 16 pixels each, so that JPEG keeps them."""
    image = Image.new("RGB", (32, 32), WHITE)
    image.paste(RED, (0, 0, 16, 16))
    image.paste(GREEN, (16, 0, 32, 16))
    image.paste(BLUE, (0, 16, 16, 32))
    return image.convert(mode)


def png_header(width, height):
    """A PNG that declares a size and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"


def at_quarters(image):
    """The colours in the middle of the four quarters, row by row."""
    width, height = image.size
    points = [(width // 4, height // 4), (3 * width // 4, height // 4),
              (width // 4, 3 * height // 4), (3 * width // 4, 3 * height // 4)]  # fmt: skip
    return [image.getpixel(point) for point in points]


# What every kind of image looks like when it is opened: (bytes, its four quarters).
def kinds():
    see_through = corners("RGBA")
    see_through.putalpha(Image.new("L", (32, 32), 255))
    see_through.paste((0, 0, 0, 0), (0, 0, 16, 16))
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    palette = corners().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    red_index = palette.getpixel((0, 0))
    grey16 = np.repeat(np.repeat(np.array([[0, 65535], [32768, 256]], np.uint16), 8, 0), 8, 1)
    floats = np.repeat(np.repeat(np.array([[0, 1], [0.5, np.nan]], np.float32), 8, 0), 8, 1)
    two_bits = np.kron([[True, False], [False, True]], np.ones((8, 8), bool))
    grey_alpha = Image.merge(
        "LA", (Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 0))
    )  # black, all transparent
    all_four = [RED, GREEN, BLUE, WHITE]
    greys = [(0,) * 3, (255,) * 3, (128,) * 3, (1,) * 3]
    frames = [corners(), Image.new("RGB", (32, 32), BLACK)]
    return {
        "PNG": (encode(corners()), all_four),
        "BMP": (encode(corners(), "BMP"), all_four),
        "PPM": (encode(corners(), "PPM"), all_four),
        "WEBP": (encode(corners(), "WEBP", lossless=True), all_four),
        "TIFF": (encode(corners(), "TIFF", compression="tiff_lzw"), all_four),
        "animated GIF": (
            encode(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            all_four,
        ),
        "TIFF of two pages": (
            encode(frames[0], "TIFF", save_all=True, append_images=frames[1:]),
            all_four,
        ),
        "alpha": (encode(see_through), [WHITE, GREEN, BLUE, WHITE]),
        "half transparent": (encode(half), [(127,) * 3] * 4),
        "palette": (encode(palette), all_four),
        "palette, transparent": (
            encode(palette, transparency=red_index),
            [WHITE, GREEN, BLUE, WHITE],
        ),
        "palette, transparency in bytes": (
            encode(palette, transparency=bytes(0 if i == red_index else 255 for i in range(4))),
            [WHITE, GREEN, BLUE, WHITE],
        ),
        "RGB, one colour transparent": (
            encode(corners(), transparency=BLUE),
            [RED, GREEN, WHITE, WHITE],
        ),
        "LA": (encode(grey_alpha), [WHITE] * 4),
        "L": (encode(Image.new("L", (4, 4), 77)), [(77,) * 3] * 4),
        "1 bit": (encode(Image.fromarray(two_bits)), [WHITE, BLACK, BLACK, WHITE]),
        "16 bits, PNG": (encode(Image.fromarray(grey16)), greys),
        "16 bits, TIFF": (encode(Image.fromarray(grey16), "TIFF"), greys),
        "16 bits, PPM": (encode(Image.fromarray(grey16), "PPM"), greys),
        "32 bits, TIFF": (
            encode(Image.fromarray(grey16.astype(np.int32) * 1000), "TIFF"),
            [(0,) * 3, (255,) * 3, (127,) * 3, (0,) * 3],
        ),
        "floats, TIFF": (
            encode(Image.fromarray(floats), "TIFF"),
            [(0,) * 3, (255,) * 3, (127,) * 3, (0,) * 3],
        ),
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_image_comes_out_as_rgb(kind):
    content, expected = kinds()[kind]
    image = load_image(content)
    assert image.mode == "RGB"
    found = np.array(at_quarters(image), int)
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_jpeg_of_every_mode(mode):
    content = encode(corners(mode), "JPEG", quality=95, subsampling=0)
    expected = np.array(at_quarters(corners(mode).convert("RGB")), int)
    np.testing.assert_allclose(at_quarters(load_image(content)), expected, atol=6)


# Where each quarter of the upright image stands in the file, for EXIF orientations 1 to 8.
ROTATIONS = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", ROTATIONS)
def test_exif_rotation_is_applied(orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = corners().resize((64, 32), Image.Resampling.NEAREST)
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {}
    if format == "WEBP":
        options = {"lossless": True}
    image = load_image(encode(wide, format, exif=exif, **options))
    assert image.size == ((64, 32) if orientation < 5 else (32, 64))
    np.testing.assert_allclose(at_quarters(image), ROTATIONS[orientation], atol=6)


def test_damaged_exif_leaves_a_sound_image():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(corners(), "JPEG", exif=exif, quality=95, subsampling=0)
    start = content.index(b"Exif\0\0") + 6
    damaged = content[: start + 4] + b"\xff\xff\xff\x7f" + content[start + 8 :]
    np.testing.assert_allclose(at_quarters(load_image(damaged)), ROTATIONS[1], atol=6)


@pytest.mark.parametrize(
    ("hint", "size"),
    [(None, (1600, 1200)), (1201, (1600, 1200)), (600, (800, 600)), (448, (800, 600)),
     (300, (400, 300)), (150, (200, 150)), (10, (14, 10))],
)  # fmt: skip
def test_a_size_hint_makes_jpegs_smaller_and_never_below_it(hint, size):
    big = corners().resize((1600, 1200), Image.Resampling.NEAREST)
    image = load_image(encode(big, "JPEG", quality=95, subsampling=0), size_hint=hint)
    assert image.size == size
    np.testing.assert_allclose(at_quarters(image), ROTATIONS[1], atol=6)


@pytest.mark.parametrize(
    "kind", ["PNG", "alpha", "palette, transparent", "16 bits, PNG", "floats, TIFF"]
)
def test_a_size_hint_makes_every_image_smaller(kind):
    content, expected = kinds()[kind]
    image = load_image(content, size_hint=4)
    assert min(image.size) == 4
    np.testing.assert_allclose(np.array(at_quarters(image), int), expected, atol=1)


def test_strips_and_the_whole_give_the_same(monkeypatch):
    image = noise((37, 53)).convert("RGBA")
    image.putalpha(noise((37, 53)).convert("L"))
    whole = {hint: np.asarray(load_image(image, size_hint=hint)) for hint in (None, 12, 5)}
    monkeypatch.setattr(rgb, "_STRIP_PIXELS", 200)
    for hint, pixels in whole.items():
        np.testing.assert_array_equal(np.asarray(load_image(image, size_hint=hint)), pixels)


@pytest.mark.parametrize("count", [0, 10**18, 1.5])
def test_a_pixel_limit_that_can_be_none(count):
    with pytest.raises(ValueError, match=f"`max_pixels` {count}: expected a whole number from 1"):
        ImageLimits(max_pixels=count)


def test_the_pixel_limit_goes_both_ways(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)  # put back afterwards
    with pytest.raises(InputError, match="48 x 32 pixels, more than the 1,535 that are read"):
        load_image(PNG, limits=ImageLimits(max_pixels=1535))
    assert load_image(PNG, limits=ImageLimits(max_pixels=1536)).size == (48, 32)
    with pytest.raises(InputError, match=r"10,000 x 6,000 pixels, more than the 50,625,000 that"):
        load_image(encode(Image.new("LA", (10_000, 6_000))))
    large = encode(Image.new("1", (12_000, 9_001)))
    assert load_image(large, size_hint=100, limits=ImageLimits(max_pixels=12_000 * 9_001)).size == (
        134,
        101,
    )


def test_heic_gets_advice_of_its_own():
    with pytest.raises(InputError, match=r"bytes: HEIC, which is not read; export it as JPEG"):
        load_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_a_strip_50_000_pixels_wide_is_an_image_like_any_other():
    strip = Image.new("RGB", (50_000, 4), RED)
    strip.paste(BLUE, (49_990, 0, 50_000, 4))
    image = load_image(encode(strip))
    assert image.size == (50_000, 4)
    assert (image.getpixel((0, 3)), image.getpixel((49_999, 0))) == (RED, BLUE)


@pytest.mark.parametrize("as_source", [str, lambda p: p, lambda p: p.read_bytes(), open],
                         ids=["str", "Path", "bytes", "file"])  # fmt: skip
def test_sources(as_source, tmp_path):
    path = tmp_path / "ein Bild, 写真 #1.png"
    path.write_bytes(encode(corners()))
    source = path.open("rb") if as_source is open else as_source(path)
    image = load_image(source)
    if as_source is open:
        assert not source.closed
        source.close()
    assert at_quarters(image) == ROTATIONS[1]


JPEG = encode(noise(), "JPEG")
PNG = encode(noise())
BROKEN = {
    # name: (bytes, what the message says is wrong, what it says to do)
    "truncated.jpg": (JPEG[: len(JPEG) // 2], "truncated", "copy the file again"),
    "truncated.png": (PNG[: len(PNG) // 2], "truncated", "copy the file again"),
    "truncated.gif": (encode(noise(), "GIF")[:900], "truncated", "copy"),
    "truncated.bmp": (encode(noise(), "BMP")[:900], "truncated", "copy"),
    "truncated.webp": (encode(noise(), "WEBP")[:900], "", "copy"),
    "truncated.tif": (encode(noise(), "TIFF")[:900], "", "copy"),
    "header alone.jpg": (JPEG[:20], "not an image", "convert it"),
    "header alone.png": (PNG[:33], "", ""),
    "none.jpg": (b"", "empty, 0 bytes", "copy the file again"),
    "text.jpg": (b"<html>404 Not Found</html>", "not an image", "convert it to one of JPEG"),
    "zeros.png": (bytes(5000), "not an image", "convert it"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an im", "convert"),
    "bomb.png": (png_header(50_000, 50_000), "pixels", "make it smaller"),
    "large.png": (png_header(12_000, 9_001), "12,000 x 9,001 pixels", "make it smaller"),
    "line.png": (png_header(2_000_000_000, 1), "pixels", "make it smaller"),
    "no pixels.png": (png_header(0, 7), "not an image", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_images_give_one_clear_line(name, tmp_path):
    content, wrong, remedy = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert wrong in message
    assert remedy in message


def test_places_that_hold_no_image(tmp_path):
    with pytest.raises(InputError, match=r"^.*absent\.jpg: no such file; check"):
        load_image(tmp_path / "absent.jpg")
    with pytest.raises(InputError, match="a folder, not an image"):
        load_image(tmp_path)
    with pytest.raises(InputError, match=r"cannot be opened \(embedded null byte\)"):
        load_image("a\0b.jpg")
    with pytest.raises(InputError, match="cannot be opened"):
        load_image("x" * 5000 + ".jpg")
    with pytest.raises(InputError, match=r"^a\\nb: no such file"):
        load_image("a\nb")
    with pytest.raises(InputError, match=r"^image of 3 bytes: not an image"):
        load_image(b"abc")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not an ordinary file"):
        load_image(tmp_path / "pipe.jpg")


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "locked.png"
    path.write_bytes(PNG)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(images.Path, "open", refuse)  # root may read files of mode 000
    with pytest.raises(InputError, match=r"locked\.png: no permission to read it"):
        load_image(path)


def test_memory_running_out_is_an_input_error(monkeypatch):
    def exhaust(*_):
        raise MemoryError

    monkeypatch.setattr(images, "to_rgb", exhaust)
    with pytest.raises(InputError, match="not enough memory"):
        load_image(PNG)


def test_pillow_is_not_quiet_for_others():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_image(PNG)
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn("ours", UserWarning, stacklevel=1)


GOOD = {
    "JPEG": JPEG,
    "progressive JPEG": encode(noise(), "JPEG", progressive=True),
    "JPEG with EXIF": encode(noise(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03"
                             b"\0\0\0\x01\0\x06\0\0\0\0\0\0"),
    "PNG": PNG,
    "palette PNG": encode(noise().convert("P"), transparency=b"\0\x80"),
    "animated PNG": encode(noise(), save_all=True, append_images=[corners()]),
    "GIF": encode(noise(), "GIF", save_all=True, append_images=[corners()]),
    "WEBP": encode(noise(), "WEBP"),
    "BMP": encode(noise(), "BMP"),
    "TIFF": encode(noise(), "TIFF"),
    "LZW TIFF": encode(noise(), "TIFF", compression="tiff_lzw"),
    "PPM": encode(noise(), "PPM"),
    "JPEG2000": encode(noise(), "JPEG2000"),
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(sorted(GOOD)), data=st.data())
def test_bytes_changed_at_random_give_an_image_or_an_input_error(kind, data):
    content = bytearray(GOOD[kind])
    # The header is where a changed byte does most; half of the changes go there.
    places = st.integers(0, 63) | st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(places) % len(content)] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    try:
        image = load_image(bytes(content[:end]), size_hint=data.draw(st.sampled_from([None, 16])))
    except InputError as error:
        outcome = str(error)
    else:
        outcome = f"{image.mode}; {image.size[0] * image.size[1]} pixels"
    assert re.fullmatch(r"image of [\d,]+ bytes: .+; .+|RGB; [1-9]\d* pixels", outcome)


def test_an_image_of_pillows_is_made_ready_as_its_file_is(tmp_path):
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(path, exif=exif)
    with Image.open(path) as opened:
        np.testing.assert_array_equal(np.asarray(load_image(opened)), np.asarray(load_image(path)))
        assert source_name(opened) == str(path)
    palette = Image.new("P", (3, 2))
    assert load_image(palette).mode == "RGB"
    assert source_name(palette) == "image of 3 x 2"


def test_files_that_are_not_images():
    with pytest.raises(TypeError, match=r"an image is a path, bytes, .* not NoneType"):
        load_image(None)
