"""Good images, to be damaged."""

from PIL import Image

from data.hostile.blocks import bmp, encode, noise


def good_images():
    """One of every format that is read, and of the ways in which it can be stored."""
    small = noise((24, 16))
    frames = {"save_all": True, "append_images": [small.rotate(180)]}
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "JPEG": encode(small, "JPEG", exif=exif),
        "progressive": encode(small, "JPEG", progressive=True),
        "CMYK": encode(small.convert("CMYK"), "JPEG"), "PNG": encode(small, "PNG", exif=exif),
        "palette": encode(small.quantize(16), "PNG", transparency=b"\0\x80"),
        "frames of PNG": encode(small, "PNG", **frames), "GIF": encode(small, "GIF", **frames),
        "WEBP": encode(small, "WEBP", exif=exif), "lossless": encode(small, "WEBP", lossless=True),
        "frames of WEBP": encode(small, "WEBP", **frames), "BMP": encode(small, "BMP"),
        "runs of BMP": bmp(4, 2, 8, 1, bytes(1024) + b"\4\1\0\0\4\2\0\1", offset=1078),
        "TIFF": encode(small, "TIFF"), "LZW": encode(small, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": encode(small, "TIFF", compression="jpeg"),
        "fax": encode(small.convert("1"), "TIFF", compression="group4"),
        "floats": encode(small.convert("F"), "TIFF"), "AVIF": encode(small, "AVIF", exif=exif),
        "JPEG2000": encode(small, "JPEG2000"), "PPM": encode(small, "PPM"),
        "plain": b"P3 2 1 9\n1 2 3 4 5 6\n",
    }  # fmt: skip
