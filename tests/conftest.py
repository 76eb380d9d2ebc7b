"""What all tests share: shapes are checked while they run, and real images where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from jaxtyping import install_import_hook

# Before limner is imported anywhere: annotated shapes are checked at each call.
install_import_hook(
    [
        "limner.decoding",
        "limner.engine",
        "limner.gradcheck",
        "limner.layers",
        "limner.models",
        "limner.optim",
    ],
    "beartype.beartype",
)

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("limner", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("limner")

# For scripts/mutate_backward.py, whose failures are many: the smallest of each is of no interest.
settings.register_profile(
    "mutants",
    settings.get_profile("limner"),
    database=None,
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
)


def flickr8k_folder() -> Path:
    """The folder that LIMNER_FLICKR8K names, or shared/flickr8k beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "flickr8k"
    return Path(os.environ.get("LIMNER_FLICKR8K", beside))


@pytest.fixture(scope="session")
def flickr8k() -> Path:
    """Real images; the test is skipped where they are not."""
    folder = flickr8k_folder()
    if not (folder / "images").is_dir():
        pytest.skip(f"no images in {folder}; set LIMNER_FLICKR8K to Flickr8k's folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers for every test."""
    return np.random.default_rng(231)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 drawn images in `images`, and `captions.csv`: for reading alone."""
    from limner.shapes import write_folder

    folder = tmp_path_factory.mktemp("drawn")
    write_folder(folder, 24, size=64)
    return folder


@pytest.fixture(scope="session")
def tiny_dataset(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `prepare` makes of `drawn`: for reading alone, copy it to break it."""
    from limner.data.preparing.config import PrepareConfig
    from limner.data.preparing.prepare import prepare

    out = tmp_path_factory.mktemp("prepared") / "dataset"
    job = PrepareConfig(
        source=drawn / "images", out=out, captions=drawn / "captions.csv", min_count=2
    )
    prepare(job, lambda line: None)
    return out


@pytest.fixture(scope="session")
def tiny_run(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs on `tiny_dataset`: for reading alone."""
    from limner.data.opening import open_dataset
    from limner.models import RNNConfig
    from limner.training.config import TrainConfig
    from limner.training.run import TrainingRun

    folder = tmp_path_factory.mktemp("trained") / "run"
    model = RNNConfig(wordvec_dim=8, hidden_dim=8)
    config = TrainConfig(model=model, learning_rate=0.01, batch_size=20, epochs=2)
    TrainingRun(open_dataset(tiny_dataset), folder, config, report=lambda line: None).train()
    return folder
