"""From pictures to sentences: a checkpoint and its backbone, ready to use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.checkpoint import Checkpoint, load_checkpoint
from limner.data.features import Backbone, extract
from limner.data.images import Source
from limner.errors import InputError

BUNDLED_CAPTIONER = Path(__file__).parent / "bundled" / "captioner.safetensors"


@dataclass(frozen=True)
class Caption:
    """A sentence about a picture.

    Attributes:
        text: plain words.
        score: mean log-probability a word, 0 at best: how sure the model is, not how right.
    """

    text: str
    score: float


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

    def caption(
        self, pictures: Iterable[Source], batch_size: int = 16
    ) -> Iterator[tuple[Source, Caption | InputError]]:
        """Each picture (a path, or its bytes) with its caption, in order, or what is wrong with it.

        >>> from PIL import Image
        >>> path = Path("grass.png")
        >>> Image.new("RGB", (320, 240), "green").save(path)
        >>> [(found, caption)] = Captioner.load().caption([path])
        >>> len(caption.text.split()) > 3
        True
        """
        vocabulary = self.checkpoint.vocabulary
        for picture, row in extract(self.backbone, pictures, batch_size=batch_size):
            if isinstance(row, InputError):
                yield picture, row
            else:
                words, scores = self.checkpoint.model.caption(np.asarray(row)[None])
                yield picture, Caption(vocabulary.decode(words[0]), float(scores[0]))


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
