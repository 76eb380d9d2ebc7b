"""Make a trained run the captioner that ships: half precision, and no paths of this machine.

    recipes/flickr8k.sh flickr8k-attention Flickr8k OUT
    python scripts/ship_captioner.py OUT/run --data OUT/dataset --trained-on Flickr8k

Writes `src/limner/bundled/captioner.safetensors`, scores it on the validation split as it is then,
and prints its size and scores.
"""

import argparse
from pathlib import Path

import msgspec
import numpy as np

from limner.captioner import BUNDLED_CAPTIONER, checkpoint_path
from limner.checkpoint import TrainedOn, load_checkpoint, save_checkpoint
from limner.data.opening import open_dataset
from limner.decoding import DecodingConfig
from limner.evaluation.evaluate import evaluate


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="a run of `limner train`")
    parser.add_argument("--data", type=Path, required=True, help="the dataset to score it on")
    parser.add_argument("--trained-on", required=True, help="name of the data, for `limner info`")
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(checkpoint_path(arguments.run))
    fingerprint = checkpoint.info.dataset.fingerprint
    info = msgspec.structs.replace(
        checkpoint.info,
        dataset=TrainedOn(name=arguments.trained_on, fingerprint=fingerprint),
        scores={},
        solver=None,
    )
    save_checkpoint(BUNDLED_CAPTIONER, checkpoint.model, info, dtype=np.float16)
    data = open_dataset(arguments.data)
    shipped = load_checkpoint(BUNDLED_CAPTIONER).model
    how = DecodingConfig()
    scores = evaluate(shipped, data, how=how).scores
    split, _ = data.split()
    info = msgspec.structs.replace(info, scores={f"{split}, {how}": scores})
    save_checkpoint(BUNDLED_CAPTIONER, checkpoint.model, info, dtype=np.float16)
    print(f"{BUNDLED_CAPTIONER.name}: {BUNDLED_CAPTIONER.stat().st_size:,} bytes")
    print(", ".join(f"{name} {value:.2f}" for name, value in scores.items()))


if __name__ == "__main__":
    main()
