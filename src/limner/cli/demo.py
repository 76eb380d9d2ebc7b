"""The demo: generate images, prepare, train, score, caption, report."""

import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Meta

from limner.captioner import Captioner
from limner.cli.console import log, progress_bar, staged_bar
from limner.cli.options import struct_options
from limner.cli.stages import report_run, train_with_progress
from limner.config import MANY, Config, Seed
from limner.data.preparing.config import PrepareConfig
from limner.data.preparing.prepare import prepare
from limner.errors import InputError
from limner.models import RNNConfig
from limner.shapes import write_folder
from limner.training.config import TrainConfig


class DemoConfig(Config, frozen=True, kw_only=True):
    """Options of the demo."""

    num_images: Annotated[
        int,
        Meta(ge=100, le=MANY, description="Number of images.", extra={"option": "--images"}),
    ] = 2000
    epochs: Annotated[int, Meta(ge=1, le=MANY, description="Number of epochs.")] = 12
    seed: Annotated[Seed, Meta(description="Random seed for images and training.")] = 0


@struct_options
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the images, dataset and run.")] = Path(
        "limner-demo"
    ),
    *,
    config: DemoConfig,
) -> None:
    """Train on generated images, caption unseen ones, and write a report."""
    run = out / "run"
    if run.exists():
        raise InputError(f"{out}: contains an earlier demo; delete it, or choose another --out")
    started = time.monotonic()
    count, shapes = config.num_images, out / "images"
    log(f"drawing {count} images, five captions each")
    with progress_bar("drawing", "images") as update:
        write_folder(shapes, count, seed=config.seed, progress=lambda done: update(done, count))
    preparing = PrepareConfig(
        source=shapes / "images",
        out=out / "dataset",
        captions=shapes / "captions.csv",
        min_count=2,
    )
    with staged_bar("images") as update:
        dataset = prepare(preparing, log, update)
    log(f"{len(dataset.splits['train'].captions)} captions, {len(dataset.vocabulary)} words")
    training = TrainConfig(
        model=RNNConfig(wordvec_dim=128, hidden_dim=256),
        learning_rate=2e-3,
        batch_size=64,
        epochs=config.epochs,
        seed=config.seed,
    )
    train_with_progress(dataset, run, training)

    log("captioning unseen images")
    name, unseen = dataset.split("test")
    captioner = Captioner.load(run)
    paths = [preparing.source / image for image in unseen.image_ids[:6]]
    for path, caption in zip(paths, captioner.caption(paths), strict=True):
        print(f"{path}\t{caption}")
    report_run(dataset, run, name)
    log(f"total time: {time.monotonic() - started:.0f} s")
