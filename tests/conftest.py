"""What all tests share: shapes are checked while they run, and real pictures where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Before limner is imported anywhere: annotated shapes are checked at each call. (The model has
# checks of its own, whose messages are tested.)
install_import_hook(
    ["limner.layers", "limner.decoding", "limner.gradcheck", "limner.optim"],
    "beartype.beartype",
)


def flickr8k_folder() -> Path:
    """The folder that LIMNER_FLICKR8K names, or shared/flickr8k beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "flickr8k"
    return Path(os.environ.get("LIMNER_FLICKR8K", beside))


@pytest.fixture(scope="session")
def flickr8k() -> Path:
    """Real pictures; the test is skipped where they are not."""
    folder = flickr8k_folder()
    if not (folder / "images").is_dir():
        pytest.skip(f"no pictures in {folder}; set LIMNER_FLICKR8K to Flickr8k's folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """The same numbers for every test."""
    return np.random.default_rng(231)
