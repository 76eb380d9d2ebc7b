"""From pictures to sentences: a checkpoint and its backbone, ready to use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from limner.arrays import Array, Float
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.data.features import Backbone, extract
from limner.data.images import Source
from limner.decoding import Decoding
from limner.errors import InputError

BUNDLED_CAPTIONER = Path(__file__).parent / "bundled" / "captioner.safetensors"

LIKELY = Decoding()
"""The likeliest word at every step."""


@dataclass(frozen=True)
class Caption:
    """A sentence about a picture.

    Attributes:
        text: plain words.
        score: mean log-probability a word, 0 at best: how sure the model is, not how right.
        features: of the picture, which the caption was made from.
    """

    text: str
    score: float
    features: Float[Array, "*_ D"] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.text


class Captioner:
    """Captions pictures with a trained model.

    Args:
        checkpoint: from `limner train`.
        backbone: what the model's features come from; None takes the one that ships.

    Raises:
        InputError: if the model was trained on another backbone's features.
    """

    def __init__(self, checkpoint: Checkpoint, backbone: Backbone | None = None) -> None:
        self.checkpoint = checkpoint
        self.backbone = backbone or Backbone.bundled(grid=checkpoint.model.reads_grid)
        _check_backbone(checkpoint, self.backbone)

    @classmethod
    def load(cls, model: Path | None = None, backbone: Path | None = None) -> "Captioner":
        """From a checkpoint or a run's folder; None takes the captioner that ships.

        >>> captioner = Captioner.load()
        >>> captioner.backbone.name
        'efficientnet_lite0'
        """
        path = checkpoint_path(model or BUNDLED_CAPTIONER)
        checkpoint = load_checkpoint(path)
        grid = checkpoint.model.reads_grid
        chosen = Backbone.from_file(backbone, grid=grid) if backbone else None
        try:
            return cls(checkpoint, chosen)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def caption(self, picture: Source, how: Decoding = LIKELY) -> Caption:
        """The caption of one picture, a path or its bytes.

        Raises:
            InputError: if it cannot be read.

        >>> from PIL import Image
        >>> Image.new("RGB", (320, 240), "green").save("grass.png")
        >>> len(Captioner.load().caption("grass.png").text.split()) > 3
        True
        """
        [(_, found)] = self.caption_all([picture], how)
        if isinstance(found, InputError):
            raise found
        return found[0]

    def caption_all(
        self, pictures: Iterable[Source], how: Decoding = LIKELY, batch_size: int = 16
    ) -> Iterator[tuple[Source, list[Caption] | InputError]]:
        """Each picture with its captions, the best first, in order; or with what is wrong with it.

        Args:
            pictures: paths, or bytes.
            how: how the captions are chosen, and how many of each.
            batch_size: pictures decoded at once.
        """
        found = extract(self.backbone, pictures, batch_size=batch_size)
        while batch := list(islice(found, batch_size)):
            rows = [row for _, row in batch if not isinstance(row, InputError)]
            captions = iter(self.caption_features(np.stack(rows), how) if rows else [])
            for picture, row in batch:
                yield picture, row if isinstance(row, InputError) else next(captions)

    def caption_features(
        self, features: Float[Array, "N *_ D"], how: Decoding = LIKELY
    ) -> list[list[Caption]]:
        """The captions of pictures with these features of the backbone's."""
        words, log_probs = self.checkpoint.model.decode(features, how)
        counts = (words != self.checkpoint.model.null).sum(axis=2)
        vocabulary = self.checkpoint.vocabulary
        return [
            [
                Caption(vocabulary.decode(one), float(log_prob / count), row)
                for one, log_prob, count in zip(*several, strict=True)
                if count
            ]
            for row, *several in zip(features, words, log_probs, counts, strict=True)
        ]


def load(model: Path | str | None = None, backbone: Path | str | None = None) -> Captioner:
    """The captioner that ships, or a run's or checkpoint's.

    >>> from PIL import Image
    >>> Image.new("RGB", (320, 240), "green").save("grass.png")
    >>> load().caption("grass.png").score < 0
    True
    """
    return Captioner.load(
        None if model is None else Path(model), None if backbone is None else Path(backbone)
    )


def checkpoint_path(model: Path) -> Path:
    """The checkpoint itself: of a run's folder its best, or its last before there is a best."""
    if model.is_dir():
        for name in ("best.safetensors", "last.safetensors"):
            if (model / name).exists():
                return model / name
        raise InputError(f"{model}: no checkpoint in it; name a run of `limner train`")
    return model


def _check_backbone(checkpoint: Checkpoint, backbone: Backbone) -> None:
    wanted = checkpoint.info.get("backbone") or {}
    if wanted and wanted.get("sha256") != backbone.sha256:
        raise InputError(
            f"the model was trained on features of {wanted.get('name')} "
            f"({str(wanted.get('sha256'))[:12]}), and the backbone here is {backbone.name} "
            f"({backbone.sha256[:12]}); name the right one with --backbone FILE.onnx"
        )
    dim = checkpoint.model.config["input_dim"]
    if dim != backbone.dim:
        raise InputError(
            f"the model reads features of {dim} numbers, and {backbone.name} gives {backbone.dim}; "
            "name its backbone with --backbone FILE.onnx"
        )
