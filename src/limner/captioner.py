"""Images to captions: a checkpoint and its backbone."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from limner.backbones.backbone import Backbone, Keep
from limner.backbones.features import BATCH, Found, extract
from limner.backbones.info import preprocessing_differences, same_backbone
from limner.backbones.open_backbone import open_backbone
from limner.backbones.torch_networks import is_torch_name
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.decoding import NO_CAPTION, DecodingConfig, decode
from limner.engine.numpy import fast_decoder
from limner.errors import InputError
from limner.images.images import Source, source_name
from limner.images.limits import USUAL_LIMITS, ImageLimits
from limner.images.sources import (
    Images,
    as_several,
    is_several,
    open_source,
)
from limner.models import CaptioningModel, Ensemble, WordModel
from limner.typing import Array, Float
from limner.vocabulary import END

BUNDLED_CAPTIONER = Path(__file__).parent / "bundled" / "captioner.safetensors"


@dataclass(frozen=True)
class Caption:
    """A caption of an image.

    Attributes:
        text: the words.
        score: mean log-probability per token, at most 0. It is the model's confidence in the
            wording, not a probability that the caption is true.
        features: (D,) or (L, D), of the image.
        ended: False if the caption was cut off at the maximum length.
        alternatives: with `n_best` above 1, the other captions of the image, best first.
    """

    text: str
    score: float
    features: Float[Array, "*_ D"] = field(repr=False, compare=False)
    ended: bool = field(default=True, repr=False, compare=False)
    alternatives: tuple["Caption", ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text


class Captioner:
    """Captions images with a trained model.

    Args:
        checkpoints: one, or several with the same vocabulary for an `Ensemble`.
        backbone: computes the features; None opens the one that the model was trained with.

    Attributes:
        model: the model or ensemble.
        decoder: the model's decoder.
        info: metadata of the first checkpoint.
        vocabulary: the model's vocabulary.
        backbone: computes the features.

    Raises:
        InputError: if a model was trained on features of another backbone, or the models cannot
            form an ensemble.
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
                "models with different principal components cannot form an ensemble; use models "
                "trained on the same dataset"
            )

    @classmethod
    def load(
        cls,
        *models: Path | str,
        backbone: str | Path | None = None,
        weights: str | Path | None = None,
    ) -> "Captioner":
        """Load the bundled captioner, or runs and checkpoints.

        Args:
            models: folders of runs, or checkpoints; several form an ensemble.
            backbone: computes the features, if it is not the bundled one: an ``.onnx`` file, or
                the name of a PyTorch network such as ``torchvision:resnet18``.
            weights: of a PyTorch network: a file, or "download".

        Returns:
            The captioner.

        Raises:
            InputError: if a file cannot be read, or the models or backbone do not go together.

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

    def __repr__(self) -> str:
        kind = type(self.model).__name__
        return f"Captioner({kind}, {len(self.vocabulary):,} words, {self.backbone.name})"

    @overload
    def caption(
        self, image: str | Path, how: DecodingConfig = ..., *, limits: ImageLimits = ..., **o: Any
    ) -> Any: ...
    @overload
    def caption(
        self, image: Source, how: DecodingConfig = ..., *, limits: ImageLimits = ..., **o: Any
    ) -> Caption: ...
    @overload
    def caption(
        self,
        image: Sequence[Source],
        how: DecodingConfig = ...,
        *,
        limits: ImageLimits = ...,
        **o: Any,
    ) -> list[Caption]: ...
    def caption(
        self,
        image: Source | Sequence[Source],
        how: DecodingConfig = DecodingConfig(),
        *,
        limits: ImageLimits = USUAL_LIMITS,
        **options: Any,
    ) -> Caption | list[Caption]:
        """Caption an image, or each image of a folder or list.

        Args:
            image: a path, an http(s) address, bytes, an open file, an image of Pillow's, or an
                array uint8 (H, W, 3); or a folder, or a list of these.
            how, limits, options: as for `caption_all`.

        Returns:
            The best caption, with the others of `n_best` as its `alternatives`; a list of them,
            sorted by path, for a folder.

        Raises:
            InputError: if an image cannot be read, or has no caption that meets the constraints.

        >>> image = np.full((240, 320, 3), (0, 128, 0), np.uint8)
        >>> len(Captioner.load().caption(image).text.split()) > 3
        True
        """
        found = [one for _, one in self.caption_all(image, how, limits=limits, **options)]
        return found if is_several(image) else found[0]

    @overload
    def caption_all(
        self,
        images: Images,
        how: DecodingConfig = ...,
        *,
        batch_size: int = ...,
        limits: ImageLimits = ...,
        on_error: Literal["raise"] = ...,
        **options: Any,
    ) -> Iterator[tuple[Source, Caption]]: ...
    @overload
    def caption_all(
        self,
        images: Images,
        how: DecodingConfig = ...,
        *,
        batch_size: int = ...,
        limits: ImageLimits = ...,
        on_error: Literal["return"],
        **options: Any,
    ) -> Iterator[tuple[Source, Caption | InputError]]: ...
    def caption_all(
        self,
        images: Images,
        how: DecodingConfig = DecodingConfig(),
        *,
        batch_size: int = BATCH,
        limits: ImageLimits = USUAL_LIMITS,
        on_error: Literal["raise", "return"] = "raise",
        **options: Any,
    ) -> Iterator[tuple[Source, Caption | InputError]]:
        """Caption any number of images, in batches on all cores.

        Args:
            images: a folder, or images as for `caption`, read as they are needed.
            how: how captions are chosen.
            batch_size: images in one run of the network, per core.
            limits: limits on the images.
            on_error: "raise" an image's error, or "return" it in the place of the caption.
            options: fields of `DecodingConfig` that override those of `how`, as `beam_size=5`.

        Yields:
            Each image and its caption, in order.

        Raises:
            ValueError: for an unknown or unsuitable option.
            InputError: as `caption`.
        """
        if batch_size < 1 or on_error not in ("raise", "return"):
            raise ValueError(
                f"`batch_size` {batch_size}, `on_error` {on_error!r}: expected 1 or more, and "
                "'raise' or 'return'"
            )
        how = how.changed(**options)
        rng, rest = how.new_rng(), iter(as_several(images))
        # One after the other, since running the network and decoding at once is slower.
        while some := list(islice(rest, batch_size * self.backbone.threads)):
            batch = list(self._extract(some, limits, batch_size))
            rows = [row for _, row in batch if not isinstance(row, InputError)]
            captions = iter(self._captions(np.stack(rows), how, rng) if rows else ())
            for image, row in batch:
                found = row if isinstance(row, InputError) else next(captions)
                if found is None:
                    found = InputError(f"{source_name(image)}: {NO_CAPTION}")
                if isinstance(found, InputError) and on_error == "raise":
                    raise found
                yield image, found

    def features(
        self, images: Images, *, limits: ImageLimits = USUAL_LIMITS
    ) -> Float[Array, "N *_ D"]:
        """Compute the features that the model reads.

        Args:
            images, limits: as for `caption_all`.

        Returns:
            (N, D), or (N, L, D) for a model that reads regions.

        Raises:
            InputError: if an image cannot be read.
            ValueError: without images.

        >>> Captioner.load().features(np.zeros((1, 64, 64, 3), np.uint8)).ndim
        3
        """
        rows = []
        for _, row in self._extract(as_several(images), limits):
            if isinstance(row, InputError):
                raise row
            rows.append(row)
        if not rows:
            raise ValueError("`images`: expected at least one")
        return np.stack(rows)

    def _extract(
        self, images: Iterable[Source], limits: ImageLimits, batch_size: int = BATCH
    ) -> Iterator[tuple[Source, Found]]:
        """Each image with its features, projected on principal components if the model's are."""
        images = list(images)
        share = max(1, min(batch_size, math.ceil(len(images) / self.backbone.threads)))
        load = partial(open_source, limits=limits)
        for image, row in extract(self.backbone, images, batch_size=share, load=load):
            if self._projection is None or isinstance(row, InputError):
                yield image, row
            else:
                yield image, self._projection.project(row)

    def _captions(
        self, features: Float[Array, "N *_ D"], how: DecodingConfig, rng: np.random.Generator
    ) -> Iterator[Caption | None]:
        """The caption of each row of features; None if no caption meets the constraints."""
        tokens, log_probs = decode(self.decoder, features, how, self.model.word_to_idx, rng)
        lengths = (tokens != self.model.null).sum(axis=2)
        end = self.model.word_to_idx[END]
        for row, *several in zip(features, tokens, log_probs, lengths, strict=True):
            found = [
                Caption(self.vocabulary.decode(one), float(log_prob / length), row, end in one)
                for one, log_prob, length in zip(*several, strict=True)
                if length and log_prob > -np.inf
            ]
            yield replace(found[0], alternatives=tuple(found[1:])) if found else None


def ensemble(models: Sequence[CaptioningModel]) -> WordModel:
    """Several models as one, a single one as it is; InputError if they do not go together.

    Args:
        models: with the same vocabulary and features.
    """
    try:
        return Ensemble(models) if len(models) > 1 else models[0]
    except ValueError as error:
        raise InputError(f"{error}; name models trained on one dataset") from None


load = Captioner.load


def checkpoint_path(model: Path) -> Path:
    """The checkpoint itself: of a run's folder its best, or its last before there is a best.

    Args:
        model: folder of a run, or a checkpoint.

    Returns:
        Its best checkpoint, or the last one if there is no best.
    """
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
                f"limner; give `backbone` {wanted.name} and `weights` FILE, or `weights` download"
            )
        name = wanted.name
    keep: Keep = "grid" if checkpoint.model.reads_grid else "pooled"
    return open_backbone(name, weights=weights, keep=keep, size=wanted.size if wanted else None)


def _check_backbone(checkpoint: Checkpoint, backbone: Backbone) -> None:
    wanted, here = checkpoint.backbone, backbone.describe()
    name = wanted.name if wanted else ""
    torch = is_torch_name(name)
    option = f"`backbone` {name} and its `weights`" if torch else "`backbone` FILE.onnx"
    if wanted and not same_backbone(wanted, here):
        keys = preprocessing_differences(wanted, here)
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
