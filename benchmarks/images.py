"""The peak memory of opening the largest images that are read, format by format.

    python benchmarks/images.py

Makes an image of every kind, as large as `limner.images.limits` allows for its format, or
50 million pixels where more are allowed, and opens it in a fresh process: whole, and with the size
hint that captioning gives. Counted is the process's largest resident set, with Python and all its
imports.
"""

import setting  # first: it sets the threads

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limner.images.images import load_image
from limner.errors import InputError

HINT = 448
TARGET = 500  # MB
MEGAPIXELS = 50

TURNED = Image.Exif()
TURNED[0x0112] = 6


def same(image: Image.Image) -> Image.Image:
    return image


def see_through(image: Image.Image) -> Image.Image:
    image.putalpha(image.getchannel("R"))
    return image


def grey(dtype: str, scale: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: Image.fromarray(np.multiply(image.convert("L"), scale, dtype=dtype))


# kind: (ending, megapixels, options of saving, what is done with an RGB image)
KINDS: dict[str, tuple[str, float, dict[str, Any], Callable[[Image.Image], Image.Image]]] = {
    "JPEG": ("jpg", 101, {}, same),
    "JPEG, turned": ("jpg", MEGAPIXELS, {"exif": TURNED}, same),
    "JPEG of a 108-megapixel phone": ("jpg", 108, {"exif": TURNED}, same),
    "JPEG, progressive": ("jpg", 40, {"progressive": True, "subsampling": 0}, same),
    "JPEG, CMYK": ("jpg", MEGAPIXELS, {}, lambda i: i.convert("CMYK")),
    "PNG": ("png", 100, {"compress_level": 1}, same),
    "PNG, transparent": ("png", MEGAPIXELS, {"compress_level": 1}, see_through),
    "PNG, palette with transparency": (
        "png", MEGAPIXELS, {"transparency": bytes(range(64))}, lambda i: i.quantize(64)),
    "PNG, 16 bits": ("png", MEGAPIXELS, {"compress_level": 1}, grey("uint16", 257)),
    "GIF": ("gif", MEGAPIXELS, {}, lambda i: i.quantize(64)),
    "BMP": ("bmp", MEGAPIXELS, {}, same),
    "PPM": ("ppm", MEGAPIXELS, {}, same),
    "TIFF": ("tif", MEGAPIXELS, {"compression": "tiff_lzw"}, same),
    "TIFF, one strip": (
        "tif", 40, {"compression": "tiff_lzw", "tiffinfo": {278: 100_000}}, same),
    "TIFF, floats": ("tif", 25, {}, grey("float32", 1 / 255)),
    "WEBP": ("webp", 23, {"method": 0}, same),
    "WEBP, lossless": ("webp", 23, {"lossless": True, "method": 0, "quality": 0}, same),
    "WEBP, animated": (
        "webp", 19, {"method": 0, "save_all": True},
        see_through),
    "AVIF": ("avif", 25, {"speed": 10, "subsampling": "4:4:4"}, same),
    "AVIF, transparent": ("avif", 20, {"speed": 10}, see_through),
    "JPEG2000": ("jp2", 18, {"quality_mode": "rates", "quality_layers": [20]}, same),
    "JPEG2000, transparent": (
        "jp2", 12, {"quality_mode": "rates", "quality_layers": [20]}, see_through),
}  # fmt: skip


def make(kind: str, path: Path) -> None:
    """Stripes with some noise, 4 x 3 in shape."""
    _, megapixels, options, change = KINDS[kind]
    unit = int((megapixels * 1e6 / 12) ** 0.5)
    width, height = 4 * unit, 3 * unit
    noise = np.random.default_rng(0).integers(0, 12, (height, width), np.uint8)
    stripes = np.add.outer(np.arange(height) // 16, np.arange(width) // 16).astype(np.uint8)
    bands = [Image.fromarray(stripes * k + noise) for k in (1, 3, 5)]
    image = change(Image.merge("RGB", bands))
    frames = {"append_images": [image.rotate(180)]} if "save_all" in options else {}
    image.save(path, **options, **frames)


def open_one(path: str, hint: int | None) -> dict[str, float]:
    """Seconds and the peak, in MB; for a process that does nothing else."""
    start = time.perf_counter()
    try:
        load_image(path, size_hint=hint)
    except InputError as error:
        return {"MB": float("nan"), "refused": str(error)}
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"MB": peak * (1 if sys.platform == "darwin" else 1024) / 1e6, "s": seconds}


def in_a_process(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *arguments]
    return json.loads(subprocess.check_output(command) or "{}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--open", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(arguments.make[0], Path(arguments.make[1]))
        return
    if arguments.open:
        print(json.dumps(open_one(arguments.open[0], int(arguments.open[1]) or None)))
        return
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, (ending, megapixels, *_) in KINDS.items():
            path = Path(folder) / f"image.{ending}"
            in_a_process("--make", kind, str(path))
            whole, hinted = (in_a_process("--open", str(path), str(h)) for h in (0, HINT))
            rows.append(
                {"kind": kind, "megapixels": megapixels, "whole MB": whole["MB"],
                 "hint MB": hinted["MB"], "hint s": hinted.get("s"), "target": TARGET}
            )  # fmt: skip
            path.unlink()
    print("MB that the process has at most")
    setting.print_table(rows)
    setting.print_json("images", rows, hint=HINT)


if __name__ == "__main__":
    main()
