"""The whole of limner on drawn pictures: draw, prepare, train, score, caption, report."""

import time
from pathlib import Path

from limner.captioner import Captioner
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.data.shapes import write_folder
from limner.errors import InputError
from limner.settings import TrainConfig
from limner.stages import report_run, train_with_progress
from limner.terminal import progress_bar, say, staged_bar


def run_demo(out: Path, num_pictures: int, epochs: int, seed: int) -> None:
    """Make `out/pictures`, `out/dataset` and `out/run`, and print captions of unseen pictures.

    Raises:
        InputError: if `out/run` is there already.
    """
    run = out / "run"
    if run.exists():
        raise InputError(f"{out}: a demo has run there; delete the folder, or choose another --out")
    started = time.monotonic()
    say(f"drawing {num_pictures} pictures, five captions each")
    pictures = out / "pictures"
    with progress_bar("drawing", "pictures") as update:
        write_folder(
            pictures, num_pictures, seed=seed, progress=lambda done: update(done, num_pictures)
        )
    preparing = PrepareConfig(
        source=pictures / "images",
        out=out / "dataset",
        captions=pictures / "captions.csv",
        min_count=2,
    )
    with staged_bar("pictures") as update:
        dataset = prepare(preparing, say, update)
    say(f"{len(dataset.splits['train'].captions)} captions of {len(dataset.vocabulary)} words")
    config = TrainConfig(
        wordvec_dim=128,
        hidden_dim=256,
        learning_rate=2e-3,
        batch_size=64,
        epochs=epochs,
        seed=seed,
    )
    train_with_progress(dataset, run, config)

    say("captioning pictures that the model has not seen")
    name, unseen = dataset.split("test")
    captioner = Captioner.load(run)
    paths = [preparing.source / image for image in unseen.image_ids[:6]]
    for path, (_, found) in zip(paths, captioner.caption_all(paths), strict=True):
        print(f"{path}\t{found if isinstance(found, InputError) else found[0]}")
    report_run(dataset, run, name)
    say(f"all of it took {time.monotonic() - started:.0f} s")
