"""From images to sentences: a checkpoint and its backbone, ready to use."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from limner.backbones.backbone import Backbone, Keep
from limner.backbones.features import extract
from limner.backbones.info import made_ready_otherwise, same_backbone
from limner.backbones.open_backbone import open_backbone
from limner.backbones.torch_networks import is_torch_name
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.decoding import NO_CAPTION, DecodingConfig, decode
from limner.engine.numpy import fast_decoder
from limner.errors import InputError
from limner.images.images import Source, load_image, source_name
from limner.images.limits import ImageLimits
from limner.models import CaptioningModel, Ensemble, WordModel
from limner.typing import Array, Float
from limner.vocabulary import END

BUNDLED_CAPTIONER = Path(__file__).parent / "bundled" / "captioner.safetensors"


@dataclass(frozen=True)
class Caption:
    """A sentence about an image.

    Attributes:
        text: plain words.
        score: mean log-probability a word, 0 at best: how sure the model is, not how right.
        features: of the image, which the caption was made from.
        ended: whether the model came to an end, and was not cut short by the longest length.
    """

    text: str
    score: float
    features: Float[Array, "*_ D"] = field(repr=False, compare=False)
    ended: bool = field(default=True, repr=False, compare=False)

    def __str__(self) -> str:
        return self.text


class Captioner:
    """Captions images with a trained model.

    Args:
        checkpoint: from `limner train`; several, of one vocabulary, speak as one (`Ensemble`).
        backbone: what the model's features come from; None takes the one that ships.

    Attributes:
        model: the model.
        decoder: of the model, with its parameters as they were at the beginning.
        info: of the first checkpoint.

    Raises:
        InputError: if a model was trained on another backbone's features, or several do not go
            together.
    """

    def __init__(self, *checkpoints: Checkpoint, backbone: Backbone | None = None) -> None:
        first = checkpoints[0]
        self.model = ensemble([one.model for one in checkpoints])
        self.decoder = fast_decoder(self.model)
        self.info = first.info
        self.vocabulary = first.vocabulary
        self.backbone = backbone or _open_for(first)
        self._projection = first.projection
        for checkpoint in checkpoints:
            _check_backbone(checkpoint, self.backbone)
        if len({one.projection and one.projection.sha256 for one in checkpoints}) > 1:
            raise InputError(
                "models that read other principal components do not speak as one; name models "
                "trained on one dataset"
            )

    @classmethod
    def load(
        cls,
        *models: Path | str,
        backbone: str | Path | None = None,
        weights: str | Path | None = None,
    ) -> "Captioner":
        """The captioner that ships, or a run's or checkpoint's; several speak as one.

        Args:
            models: runs' folders, or checkpoints.
            backbone: what their features come from, where that is not what ships: an ``.onnx``
                file, or the name of a network of PyTorch, as in ``torchvision:resnet18``.
            weights: of a network of PyTorch, a file; or "download".

        >>> captioner = Captioner.load()
        >>> captioner.backbone.name
        'efficientnet_lite0'
        """
        paths = [checkpoint_path(Path(model)) for model in models or [BUNDLED_CAPTIONER]]
        checkpoints = [load_checkpoint(path) for path in paths]
        named = backbone or weights
        chosen = _open_for(checkpoints[0], backbone, weights) if named else None
        try:
            return cls(*checkpoints, backbone=chosen)
        except InputError as error:
            raise InputError(f"{' and '.join(map(str, paths))}: {error}") from None

    def caption(
        self,
        image: Source,
        how: DecodingConfig = DecodingConfig(),
        *,
        max_pixels: int | None = None,
    ) -> Caption:
        """The caption of one image, a path or its bytes.

        Args:
            image, how, max_pixels: as for `caption_all`.

        Raises:
            InputError: if it cannot be read.

        >>> from PIL import Image
        >>> Image.new("RGB", (320, 240), "green").save("grass.png")
        >>> len(Captioner.load().caption("grass.png").text.split()) > 3
        True
        """
        [(_, found)] = self.caption_all([image], how, max_pixels=max_pixels)
        if isinstance(found, InputError):
            raise found
        return found[0]

    def caption_all(
        self,
        images: Iterable[Source],
        how: DecodingConfig = DecodingConfig(),
        batch_size: int = 16,
        max_pixels: int | None = None,
    ) -> Iterator[tuple[Source, list[Caption] | InputError]]:
        """Each image with its captions, the best first, in order; or with what is wrong with it.

        Args:
            images: paths, or bytes.
            how: how the captions are chosen, and how many of each.
            batch_size: images in one run of the network, of which every core has one.
            max_pixels: larger images are refused; see `ImageLimits`.
        """
        load = partial(load_image, limits=ImageLimits(max_pixels=max_pixels))
        rng, rest = how.new_rng(), iter(images)
        # All cores look at some images, and then put them into words: at once they are slower.
        while some := list(islice(rest, batch_size * self.backbone.threads)):
            share = math.ceil(len(some) / self.backbone.threads)
            batch = list(extract(self.backbone, some, batch_size=share, load=load))
            rows = [row for _, row in batch if not isinstance(row, InputError)]
            captions: Iterator[list[Caption]] = iter(())
            if rows:
                features = np.stack(rows)
                if self._projection:
                    features = self._projection.project(features)
                captions = iter(self.caption_features(features, how, rng))
            for image, row in batch:
                found = row if isinstance(row, InputError) else next(captions)
                if not found:
                    found = InputError(f"{source_name(image)}: {NO_CAPTION}")
                yield image, found

    def caption_features(
        self,
        features: Float[Array, "N *_ D"],
        how: DecodingConfig = DecodingConfig(),
        rng: np.random.Generator | None = None,
    ) -> list[list[Caption]]:
        """The captions of images with these features; see `limner.decoding.decode`."""
        rng = how.new_rng() if rng is None else rng
        words, log_probs = decode(self.decoder, features, how, self.model.word_to_idx, rng)
        counts = (words != self.model.null).sum(axis=2)
        end = self.model.word_to_idx[END]
        return [
            [
                Caption(self.vocabulary.decode(one), float(log_prob / count), row, end in one)
                for one, log_prob, count in zip(*several, strict=True)
                if count and log_prob > -np.inf
            ]
            for row, *several in zip(features, words, log_probs, counts, strict=True)
        ]


def ensemble(models: Sequence[CaptioningModel]) -> WordModel:
    """Several models as one, a single one as it is; InputError if they do not go together."""
    try:
        return Ensemble(models) if len(models) > 1 else models[0]
    except ValueError as error:
        raise InputError(f"{error}; name models trained on one dataset") from None


load = Captioner.load


def checkpoint_path(model: Path) -> Path:
    """The checkpoint itself: of a run's folder its best, or its last before there is a best."""
    if model.is_dir():
        for name in ("best.safetensors", "last.safetensors"):
            if (model / name).exists():
                return model / name
        raise InputError(f"{model}: no checkpoint in it; name a run of `limner train`")
    return model


def _open_for(
    checkpoint: Checkpoint, name: str | Path | None = None, weights: str | Path | None = None
) -> Backbone:
    """A backbone that gives what the model reads of an image, of the size that it has seen.

    Without a name, the model's own network of PyTorch or the backbone that ships.
    """
    wanted = checkpoint.backbone
    if name is None and wanted and is_torch_name(wanted.name):
        if weights is None:
            raise InputError(
                f"a model trained on features of {wanted.title}, which does not ship with "
                f"limner; give --backbone {wanted.name} and --weights FILE, or --weights download"
            )
        name = wanted.name
    keep: Keep = "grid" if checkpoint.model.reads_grid else "pooled"
    return open_backbone(name, weights=weights, keep=keep, size=wanted.size if wanted else None)


def _check_backbone(checkpoint: Checkpoint, backbone: Backbone) -> None:
    wanted, here = checkpoint.backbone, backbone.describe()
    name = wanted.name if wanted else ""
    torch = is_torch_name(name)
    option = f"--backbone {name} and its --weights" if torch else "--backbone FILE.onnx"
    if wanted and not same_backbone(wanted, here):
        keys = made_ready_otherwise(wanted, here)
        other = f", with another {', '.join(keys)}" if keys else ""
        raise InputError(
            f"a model trained on features of {wanted.title}, and the backbone here is "
            f"{here.title}{other}; name the right one with {option}"
        )
    projection = checkpoint.projection
    dim = len(projection.mean) if projection else checkpoint.model.input_dim
    if dim != backbone.dim:
        raise InputError(
            f"the model reads features of {dim} numbers, and {backbone.name} gives {backbone.dim}; "
            f"name its backbone with {option}"
        )
