"""Make a trained run the captioner that ships: half precision, and no paths of this machine.

    limner prepare Flickr8k/images --captions Flickr8k/Flickr8k.token.txt \\
        --split train=Flickr8k/Flickr_8k.trainImages.txt \\
        --split dev=Flickr8k/Flickr_8k.devImages.txt --out flickr8k
    limner train flickr8k --out run
    python scripts/ship_captioner.py run --trained-on Flickr8k

Writes `src/limner/bundled/captioner.safetensors`, and prints its size.
"""

import argparse
from pathlib import Path

import numpy as np

from limner.captioner import BUNDLED_CAPTIONER, checkpoint_path
from limner.checkpoint import load_checkpoint, save_checkpoint

KEPT = ("limner_version", "backbone", "training", "scores")


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run of `limner train`")
    parser.add_argument("--trained-on", required=True, help="name of the data, for `limner info`")
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(checkpoint_path(arguments.run))
    info = {key: checkpoint.info[key] for key in KEPT}
    info["dataset"] = {
        "name": arguments.trained_on,
        "fingerprint": checkpoint.info["dataset"]["fingerprint"],
    }
    save_checkpoint(BUNDLED_CAPTIONER, checkpoint.model, info, dtype=np.float16)
    print(f"{BUNDLED_CAPTIONER.name}: {BUNDLED_CAPTIONER.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
