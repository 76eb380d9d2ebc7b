"""`limner caption` as people start it: the first image from nothing, and a folder of images.

    python benchmarks/caption.py Flickr8k/images --images 500

Each figure is the wall time of whole processes, so run it on a machine that does nothing else.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import setting
from limner.images.images import FORMATS

COMMAND = [sys.executable, "-m", "limner", "caption"]
ENDINGS = {f".{name.lower()}" for name in FORMATS} | {".jpg", ".tif"}


def seconds(images: list[str], cores: set[int]) -> float:
    """Wall time of one process on these cores, with as many BLAS threads."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(len(cores))}
    start = time.perf_counter()
    subprocess.run(
        [*COMMAND, *images],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of images")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    files = sorted(f for f in arguments.folder.iterdir() if f.suffix.lower() in ENDINGS)
    files = files[: arguments.images]
    available = sorted(os.sched_getaffinity(0))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            (Path(folder) / file.name).symlink_to(file.resolve())
        for count in range(1, min(len(available), 2) + 1):
            cores = set(available[:count])
            first = sorted(seconds([str(files[0])], cores) for _ in range(arguments.repeats))
            whole = seconds([folder], cores)
            middle = first[len(first) // 2]
            rows.append(
                {
                    "cores": count,
                    "one image, s": middle,
                    f"{len(files)} images, s": whole,
                    "more images a second": (len(files) - 1) / (whole - middle),
                }
            )
    setting.print_table(rows)
    setting.print_json("caption", rows)


if __name__ == "__main__":
    main()
