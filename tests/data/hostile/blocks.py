"""The blocks that image formats are made of, written with whatever numbers a test wants."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def noise(size=(48, 32), mode="RGB"):
    width, height = size
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values).convert(mode)


# PNG

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, content=b"", length=None, checksum=None):
    found = struct.pack(">I", len(content) if length is None else length) + kind + content
    return found + struct.pack(">I", zlib.crc32(kind + content) if checksum is None else checksum)


def png_size(width, height, bits=8, colour=2, interlaced=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def png(*chunks, size=(2, 2), pixels=None, **how):
    """2 x 2 black RGB pixels, unless told otherwise, with chunks before them."""
    rows = zlib.compress(bytes(7 * 2)) if pixels is None else pixels
    return SIGNATURE + png_size(*size, **how) + b"".join(chunks) + chunk(b"IDAT", rows) + END


END = chunk(b"IEND")


def compressed_zeros(megabytes):
    compressor = zlib.compressobj(9)
    pieces = [compressor.compress(bytes(1_000_000)) for _ in range(megabytes)]
    return b"".join([*pieces, compressor.flush()])


# TIFF

BYTE, SHORT, LONG, RATIONAL = 1, 3, 4, 5


def tiff(tags, *, content=b"", next_folder=0, folder=8, count=None):
    """Little-endian: tags are {number: (type, count, value)}; the content stands behind them."""
    entries = b"".join(struct.pack("<HHII", n, *tags[n]) for n in sorted(tags))
    number = len(tags) if count is None else count
    return (
        b"II*\0" + struct.pack("<I", folder) + struct.pack("<H", number) + entries
        + struct.pack("<I", next_folder) + content
    )  # fmt: skip


def tiff_tags(size=(4, 4), **changes):
    """A grey image whose strip starts where `tiff` puts the content."""
    width, height = size
    tags = {
        "width": (256, LONG, 1, width), "height": (257, LONG, 1, height),
        "bits": (258, SHORT, 1, 8), "compression": (259, SHORT, 1, 1),
        "photometric": (262, SHORT, 1, 1), "offset": (273, LONG, 1, 122),
        "samples": (277, SHORT, 1, 1), "rows": (278, LONG, 1, height),
        "length": (279, LONG, 1, width * height),
    }  # fmt: skip
    tags |= {name: (*tags[name][:2], *value) for name, value in changes.items()}
    return {number: tuple(rest) for number, *rest in tags.values()}


# JPEG


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def frame(kind, width, height, components=3, bits=8, sampling=0x11):
    parts = b"".join(bytes([i + 1, sampling, 0]) for i in range(components))
    return segment(kind, struct.pack(">BHHB", bits, height, width, components) + parts)


def scan(components=(1, 2, 3), first=0, last=63, approximation=0):
    parts = b"".join(bytes([c, 0]) for c in components)
    return segment(0xDA, bytes([len(components)]) + parts + bytes([first, last, approximation]))


START, STOP = b"\xff\xd8", b"\xff\xd9"
TABLE = segment(0xDB, bytes([0]) + bytes([1] * 64))
# One code of one bit for the value 0, for DC and AC: pixels of zero bits are grey.
HUFFMAN = segment(0xC4, b"\x00\x01" + bytes(15) + b"\x00") + segment(
    0xC4, b"\x10\x01" + bytes(15) + b"\x00"
)


def grey_jpeg(width, height, kind=0xC0, components=3):
    """All of its pixels, two bits a block of 8 x 8."""
    blocks = -(-width // 8) * -(-height // 8) * components
    head = START + TABLE + frame(kind, width, height, components) + HUFFMAN
    return head + scan(range(1, components + 1)) + bytes(blocks // 4 + 1) + STOP


# GIF


def gif(*blocks, canvas=(4, 4)):
    """A palette of two colours, then the blocks."""
    return b"GIF89a" + struct.pack("<HH", *canvas) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"".join(
        blocks
    )  # fmt: skip


def gif_frame(box=(0, 0, 4, 4), code_size=2, data=b"\x84\x8f\xa9\x05"):
    return b"," + struct.pack("<HHHH", *box) + b"\0" + bytes([code_size, len(data)]) + data + b"\0"


# BMP


def bmp(width, height, bits=24, compression=0, content=b"", offset=54, header=40, colours=0):
    return (
        b"BM" + struct.pack("<IHHI", 54 + len(content), 0, 0, offset)
        + struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 1, 1,
                      colours, 0)
        + content
    )  # fmt: skip


# RIFF and boxes


def riff(kind, content, length=None):
    return kind + struct.pack("<I", len(content) if length is None else length) + content


def box(kind, content, length=None):
    return struct.pack(">I", len(content) + 8 if length is None else length) + kind + content
