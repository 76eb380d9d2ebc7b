"""Images that were made to break who opens them, each in a few bytes: name -> a function.

A function returns the bytes, and what is expected: the size where the image is fine after all,
a part of the message where it is refused, or nothing where Pillow's versions differ.
"""

import struct
import zlib

from data.hostile.blocks import (
    BYTE,
    END,
    HUFFMAN,
    LONG,
    RATIONAL,
    SIGNATURE,
    START,
    STOP,
    TABLE,
    bmp,
    chunk,
    compressed_zeros,
    encode,
    frame,
    gif,
    gif_frame,
    grey_jpeg,
    noise,
    png,
    png_size,
    riff,
    scan,
    segment,
    tiff,
    tiff_tags,
)  # fmt: skip
from data.hostile.others import NOT_IMAGES, OTHERS

FINE_PNG = encode(noise(), "PNG")
FINE_JPEG = encode(noise(), "JPEG")
FINE_WEBP = encode(noise(), "WEBP", lossless=True)

HUGE = "more than"
ANY = ""


def text_bomb(kind, before):
    return chunk(kind, before + compressed_zeros(200))


PNGS = {
    "png: 50,000 x 50,000 and no pixels": (lambda: png(size=(50_000, 50_000)), HUGE),
    "png: 2 to the 31st pixels wide": (lambda: png(size=(2**31 - 1, 1)), HUGE),
    "png: no width": (lambda: png(size=(0, 7)), ANY),
    "png: a limit's worth of zeros": (
        lambda: png(size=(10_000, 10_000), pixels=compressed_zeros(301)),
        (10_000, 10_000),
    ),
    "png: interlaced, a limit's worth": (
        lambda: png(size=(10_000, 10_000), pixels=compressed_zeros(301), interlaced=1),
        (10_000, 10_000),
    ),
    "png: 16 bits of RGBA, a limit's worth": (
        lambda: png(size=(8_000, 6_000), pixels=compressed_zeros(385), bits=16, colour=6),
        (8_000, 6_000),
    ),
    "png: far more zeros than pixels": (lambda: png(pixels=compressed_zeros(1000)), ANY),
    "png: text of 200 MB": (lambda: png(text_bomb(b"zTXt", b"a\0\0")), ANY),
    "png: text of 200 MB, in Unicode": (lambda: png(text_bomb(b"iTXt", b"a\0\1\0\0\0")), ANY),
    "png: a profile of 200 MB": (lambda: png(text_bomb(b"iCCP", b"a\0\0")), ANY),
    "png: 500 texts of a megabyte": (
        lambda: png(*[chunk(b"zTXt", b"a\0\0" + compressed_zeros(1))] * 500),
        ANY,
    ),
    "png: 200,000 small chunks": (
        lambda: png(*[chunk(b"teSt", b"x")] * 200_000),
        "header too long",
    ),
    "png: 200,000 small chunks behind": (
        lambda: FINE_PNG.removesuffix(END) + chunk(b"teSt", b"x") * 200_000 + END,
        (48, 32),
    ),
    "png: a chunk of 2 GB that is not there": (
        lambda: SIGNATURE + png_size(2, 2) + chunk(b"iCCP", b"a", length=2**31 - 1),
        ANY,
    ),
    "png: checksums wrong": (lambda: FINE_PNG.replace(b"IDAT", b"IDAX", 1), ANY),
    "png: no palette": (lambda: png(colour=3, pixels=zlib.compress(bytes(6))), (2, 2)),
    "png: not compressed data": (lambda: png(pixels=b"rubbish" * 50), ANY),
    "png: a million frames": (
        lambda: png(chunk(b"acTL", struct.pack(">II", 10**6, 0))),
        (2, 2),
    ),
}

ENDLESS_COMMENT = b"!\xfe" + (b"\xff" + bytes(255)) * 80_000

GIFS = {
    "gif: a canvas of 65,535 x 65,535": (lambda: gif(gif_frame(), canvas=(65535, 65535)), HUGE),
    "gif: a frame beyond its canvas": (lambda: gif(gif_frame((0, 0, 65535, 65535))), HUGE),
    "gif: 100,000 frames": (lambda: gif(*[gif_frame()] * 100_000, b";"), (4, 4)),
    "gif: a comment of 20 MB": (
        lambda: gif(ENDLESS_COMMENT, b"\0", gif_frame(), b";"),
        "header too long",
    ),
    "gif: no frame": (lambda: gif(b";"), ANY),
    "gif: codes of 255 bits": (lambda: gif(gif_frame(code_size=255)), ANY),
    "gif: codes that were never said": (lambda: gif(gif_frame(data=b"\xff" * 40), b";"), ANY),
    "gif: pixels cut short": (lambda: gif(gif_frame(data=b"\x84"), b";"), "truncated"),
}


def loop_of_folders():
    return tiff(tiff_tags(), next_folder=8, content=bytes(16))


TIFFS = {
    "tiff: the folder is its own successor": (loop_of_folders, (4, 4)),
    "tiff: the folder is elsewhere": (lambda: tiff(tiff_tags(), folder=10**9), ANY),
    "tiff: 65,535 tags that are not there": (lambda: tiff(tiff_tags(), count=65535), ANY),
    "tiff: a tag of 4 billion numbers": (
        lambda: tiff(tiff_tags() | {700: (BYTE, 2**32 - 1, 8)}, content=bytes(40)),
        ANY,
    ),
    "tiff: 2 billion bits a sample": (
        lambda: tiff(tiff_tags(bits=(2**31, 8))), ANY),
    "tiff: 7 bits a sample": (lambda: tiff(tiff_tags(bits=(1, 7)), content=bytes(16)), ANY),
    "tiff: 4 million x 4 million": (lambda: tiff(tiff_tags((2**22, 2**22), length=(1, 99))), HUGE),
    "tiff: no width": (lambda: tiff(tiff_tags((0, 4)), content=bytes(16)), ANY),
    "tiff: a strip beyond the end": (lambda: tiff(tiff_tags(offset=(1, 2**31))), ANY),
    "tiff: a strip of no rows": (
        lambda: tiff(tiff_tags(rows=(1, 0)), content=bytes(16)), ANY),
    "tiff: one strip of 49 million pixels, squeezed": (
        lambda: tiff(
            tiff_tags((7_000, 7_000), compression=(1, 8), length=(1, len(SQUEEZED))),
            content=SQUEEZED,
        ),
        (7_000, 7_000),
    ),
    "tiff: squeezed data that is rubbish": (
        lambda: tiff(tiff_tags(compression=(1, 5)), content=b"\xff" * 16), ANY),
    "tiff: a compression that nobody knows": (
        lambda: tiff(tiff_tags(compression=(1, 60_000)), content=bytes(16)), ANY),
    "tiff: one over nothing": (
        lambda: tiff(tiff_tags() | {282: (RATIONAL, 1, 100)}, content=bytes(32)), ANY),
    "tiff: BigTIFF with a folder 2 to the 63rd bytes away": (
        lambda: b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63 - 1) + bytes(40), ANY),
    "tiff: one tile of 2 billion pixels": (
        lambda: tiff(
            tiff_tags(compression=(1, 5)) | {322: (LONG, 1, 50_000), 323: (LONG, 1, 50_000),
                                             324: (LONG, 1, 8), 325: (LONG, 1, 16)},
            content=bytes(100),
        ),
        ANY,
    ),
}  # fmt: skip

SQUEEZED = compressed_zeros(49)

PROGRESSIVE = START + TABLE + frame(0xC2, 7_000, 7_000) + HUFFMAN
REFINE = scan((1,), 1, 63, 0x10) + b"\0"


def thumbnail_bomb():
    """EXIF whose thumbnail is 65,000 x 65,000 pixels and whose folder leads to itself."""
    inner = grey_jpeg(64, 64).replace(struct.pack(">HH", 64, 64), struct.pack(">HH", 65000, 65000))
    folder = struct.pack(">HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(inner), 8)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + folder + bytes(2) + inner
    return START + segment(0xE1, exif) + FINE_JPEG[2:]


JPEGS = {
    "jpeg: 65,500 x 65,500, all grey": (lambda: grey_jpeg(65_500, 65_500)[:2_000_000], HUGE),
    "jpeg: a limit's worth of grey": (lambda: grey_jpeg(11_000, 9_000), (11_000, 9_000)),
    "jpeg: progressive, 49 million pixels": (
        lambda: PROGRESSIVE + scan(last=0) + bytes(10**6) + STOP, HUGE),
    "jpeg: 20,000 scans": (
        lambda: START + TABLE + frame(0xC2, 5_000, 5_000) + HUFFMAN + scan(last=0)
        + bytes(10**6) + REFINE * 20_000 + STOP,
        "in more than 64 scans",
    ),
    "jpeg: 60 scans": (
        lambda: START + TABLE + frame(0xC2, 6_000, 6_000) + HUFFMAN + scan(last=0)
        + bytes(10**6) + REFINE * 59 + STOP,
        (6_000, 6_000),
    ),
    "jpeg: scans of a colour each, 49 million pixels": (
        lambda: START + TABLE + frame(0xC0, 7_000, 7_000) + HUFFMAN
        + b"".join(scan((c,)) + bytes(200_000) for c in (1, 2, 3)) + STOP,
        HUGE,
    ),
    "jpeg: cut in the middle": (lambda: FINE_JPEG[: len(FINE_JPEG) // 2], "truncated"),
    "jpeg: no end": (lambda: FINE_JPEG[:-2], "truncated"),
    "jpeg: start, and the end": (lambda: START + STOP, "not an image"),
    "jpeg: no tables": (lambda: START + frame(0xC0, 8, 8) + scan() + bytes(9) + STOP, ANY),
    "jpeg: codes that cannot be": (
        lambda: START + TABLE + frame(0xC0, 8, 8) + segment(0xC4, b"\0" + b"\xff" * 16) + scan()
        + bytes(9) + STOP,
        ANY,
    ),
    "jpeg: arithmetic coding": (lambda: grey_jpeg(64, 64, kind=0xC9), ANY),
    "jpeg: 12 bits": (
        lambda: START + TABLE + frame(0xC1, 8, 8, bits=12) + HUFFMAN + scan() + bytes(9)
        + STOP, ANY),
    "jpeg: lossless": (lambda: grey_jpeg(64, 64, kind=0xC3), ANY),
    "jpeg: four colours and no word of Adobe's": (
        lambda: grey_jpeg(64, 64, components=4), (64, 64)),
    "jpeg: two colours": (lambda: grey_jpeg(64, 64, components=2), ANY),
    "jpeg: sampled 15 to 1": (
        lambda: START + TABLE + frame(0xC0, 64, 64, sampling=0xFF) + HUFFMAN + scan() + bytes(99)
        + STOP,
        ANY,
    ),
    "jpeg: no height": (lambda: grey_jpeg(64, 0), ANY),
    "jpeg: a folder of EXIF in circles, and a thumbnail of 65,000 x 65,000": (
        thumbnail_bomb, (48, 32)),
    "jpeg: 30,000 segments": (
        lambda: START + segment(0xE5, b"x") * 30_000 + FINE_JPEG[2:], "header too long"),
    "jpeg: 40 MB of comments": (
        lambda: START + segment(0xFE, bytes(65_000)) * 600 + FINE_JPEG[2:], (48, 32)),
    "jpeg: a segment of no length": (lambda: START + b"\xff\xe1\0\0" + FINE_JPEG[2:], ANY),
    "jpeg: a megabyte of filling": (
        lambda: START + b"\xff" * 10**6 + FINE_JPEG[2:], "header too long"),
}  # fmt: skip


def webp_canvas(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = b"WEBP" + riff(b"VP8X", b"\x02\0\0\0" + size) + riff(b"ANIM", bytes(6))
    inner = FINE_WEBP[12:]
    place = bytes(6) + (47).to_bytes(3, "little") + (31).to_bytes(3, "little") + bytes(4)
    return riff(b"RIFF", content + riff(b"ANMF", place + inner))


WEBPS = {
    "webp: a canvas of 16,000 x 16,000": (lambda: webp_canvas(16_000, 16_000), HUGE),
    "webp: a canvas of 16 million x 16 million": (lambda: webp_canvas(2**24, 2**24), ANY),
    "webp: 2,000 frames": (
        lambda: encode(noise(), "WEBP", save_all=True, append_images=[noise((48, 32), "L")] * 200),
        (48, 32),
    ),
    "webp: cut in the middle": (lambda: FINE_WEBP[:200], ANY),
    "webp: 4 GB, it says": (lambda: riff(b"RIFF", FINE_WEBP[8:], length=2**32 - 2), ANY),
    "webp: the head alone": (lambda: FINE_WEBP[:16], ANY),
}

BMPS = {
    "bmp: 16 GB, it says": (lambda: bmp(65_536, 65_536, bits=32), HUGE),
    "bmp: upside down": (lambda: bmp(2, -2, content=bytes(16)), (2, 2)),
    "bmp: negative width": (lambda: bmp(-2, 2, content=bytes(16)), ANY),
    "bmp: runs, 100 million pixels": (
        lambda: bmp(10_000, 10_000, 8, 1, bytes(1024) + b"\xff\0" * 100_000, offset=1078), HUGE),
    "bmp: runs that jump around": (
        lambda: bmp(1_400, 1_400, 8, 1, bytes(1024) + b"\0\2\xff\xff" * 100_000, offset=1078), ANY),
    "bmp: runs of half bytes": (
        lambda: bmp(1_400, 1_400, 4, 2, bytes(64) + b"\xff\x12" * 8_000, offset=118), ANY),
    "bmp: 4 billion colours": (lambda: bmp(2, 2, 8, colours=2**32 - 1), ANY),
    "bmp: a header of 2 GB": (lambda: bmp(2, 2, header=2**31), ANY),
    "bmp: 3 bits a pixel": (lambda: bmp(2, 2, 3, content=bytes(99)), ANY),
}  # fmt: skip


HOSTILE = PNGS | GIFS | TIFFS | JPEGS | WEBPS | BMPS | OTHERS | NOT_IMAGES
