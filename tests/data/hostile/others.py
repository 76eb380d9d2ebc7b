"""JPEG 2000, AVIF, PPM, and what is no image at all; as in `images.py`."""

import struct
import zipfile
from io import BytesIO

from data.hostile.blocks import box, encode, noise

FINE_PNG = encode(noise(), "PNG")
FINE_JPEG = encode(noise(), "JPEG")
FINE_AVIF = encode(noise(), "AVIF")
FINE_J2K = encode(noise(), "JPEG2000", no_jp2=True)

HUGE = "more than"
ANY = ""


def tiles_of(width, height, side):
    """A JPEG 2000 whose header has other sizes than its content."""
    start = FINE_J2K.index(b"\xff\x51") + 6
    sizes = struct.pack(">IIIIIIII", width, height, 0, 0, side, side, 0, 0)
    return FINE_J2K[:start] + sizes + FINE_J2K[start + 32 :]


OTHERS = {
    "jpeg2000: 4 billion x 4 billion": (lambda: tiles_of(2**32 - 1, 2**32 - 1, 2**31), HUGE),
    "jpeg2000: 16 million tiles of a pixel": (lambda: tiles_of(4_000, 4_000, 1), ANY),
    "jpeg2000: one tile for 16 million pixels": (lambda: tiles_of(4_000, 4_000, 2**31), ANY),
    "jpeg2000: cut in the middle": (lambda: FINE_J2K[: len(FINE_J2K) // 2], ANY),
    "jpeg2000: a box within itself": (
        lambda: box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", b"", length=8) * 100_000, ANY),
    "avif: cut in the middle": (lambda: FINE_AVIF[: len(FINE_AVIF) // 2], ANY),
    "avif: the size in its head is 60,000 x 60,000": (
        lambda: FINE_AVIF.replace(
            b"ispe\0\0\0\0" + struct.pack(">II", 48, 32),
            b"ispe\0\0\0\0" + struct.pack(">II", 60_000, 60_000)), ANY),
    "avif: 10,000 boxes": (
        lambda: FINE_AVIF[:28] + box(b"free", b"") * 10_000 + FINE_AVIF[28:], ANY),
    "heic": (lambda: box(b"ftyp", b"heic\0\0\0\0mif1heic") + bytes(99), "export it as JPEG"),
    "ppm: 99,999 x 99,999": (lambda: b"P6 99999 99999 255\n" + bytes(99), HUGE),
    "ppm: a size of 40 digits": (lambda: b"P6 " + b"9" * 40 + b" 1 255\n", ANY),
    "ppm: a negative size": (lambda: b"P6 -4 4 255\n" + bytes(99), ANY),
    "ppm: the size is not a number": (lambda: b"P6 nan inf 255\n" + bytes(99), ANY),
    "ppm: white is 0": (lambda: b"P6 4 4 0\n" + bytes(48), ANY),
    "ppm: white is 100, and 50 million pixels": (
        lambda: b"P5 10000 5000 100\n" + bytes(50_000_000), HUGE),
    "ppm: numbers in words, 4 million of them": (
        lambda: b"P2 2000 1000 100\n" + b"1 " * 2_000_000, (2_000, 1_000)),
    "ppm: a comment of 20 MB": (lambda: b"P6 #" + b"x" * 20_000_000, "header too long"),
    "pam": (lambda: b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(12),
            "not an image"),
    "pfm: infinities": (
        lambda: b"Pf\n2 2\n-1.0\n" + struct.pack("<4f", 1, *[float("inf")] * 3), (2, 2)),
    "pfm: a scale that is no number": (lambda: b"Pf\n2 2\nnan\n" + bytes(16), ANY),
}  # fmt: skip


def archive():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.jpg", FINE_JPEG)
    return buffer.getvalue()


NOT_IMAGES = {
    "nothing": (lambda: b"", "empty, 0 bytes"),
    "a byte": (lambda: b"\xff", "not an image"),
    "zeros": (lambda: bytes(10**6), "not an image"),
    "a page": (lambda: b"<!DOCTYPE html><html>404</html>", "not an image"),
    "an archive": (archive, "not an image"),
    "a document": (lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "not an image"),
    "a program in PostScript": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop\n", "not an image"),
    "a drawing": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9"/>', "not an image"),
    "a program of Windows": (lambda: b"MZ\x90\0" + bytes(60) + b"PE\0\0", "not an image"),
    "an icon": (lambda: encode(noise((16, 16)), "ICO"), "not an image"),
    "an image and an archive at once": (lambda: FINE_PNG + archive(), (48, 32)),
    "an image and a page at once": (lambda: FINE_JPEG + b"<script>alert(1)</script>", (48, 32)),
    "an image behind a space": (lambda: b" " + FINE_PNG, "not an image"),
}  # fmt: skip
