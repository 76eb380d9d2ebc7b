"""Backbones: ONNX networks that turn pictures into the features that a captioner reads.

One ships with limner, EfficientNet-Lite0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946).
Any other ``name.onnx`` serves as well, with a ``name.toml`` beside it that says how its pictures
are made ready (`Preprocessing`). This is the only module that imports onnxruntime.

    N: pictures    S: side of the network's input in pixels    D: length of a feature vector
    L: places of a picture    G: length of a place's feature vector    F: numbers of a picture
"""

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np
from PIL import Image

from limner.arrays import Array, Float
from limner.data.preprocessing import Preprocessing, read_preprocessing, to_pixels
from limner.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_BUNDLED = Path(__file__).parent.parent / "bundled" / "efficientnet_lite0.onnx"
_PARTS = {"features": 2, "grid": 3}  # dimensions of (N, D) and (N, L, G)
_GRID = 4  # of (N, G, H, W), or (N, H, W, G)

Keep = Literal["pooled", "grid", "both"]
"""What is kept of a picture: one vector, a vector of every place, or both in one row."""


class Backbone:
    """A network from an ONNX file, with what its input has to look like.

    Attributes:
        name: the file's name without ``.onnx``.
        sha256: of the ONNX file, in hexadecimal; tells two backbones of one name apart.
        preprocessing: how pictures are made ready for it.
        shapes: of what is kept of a picture: "features" (D,), "grid" (L, G), or both.
        threads: that may run it at once.

    Example:
        >>> backbone = Backbone.bundled()
        >>> backbone.name, backbone.dim
        ('efficientnet_lite0', 1280)
        >>> pixels = backbone.preprocess(Image.new("RGB", (640, 480), "navy"))
        >>> pixels.shape
        (3, 224, 224)
        >>> backbone.features(pixels[None]).shape
        (1, 1280)
    """

    name: str
    sha256: str
    preprocessing: Preprocessing
    shapes: dict[str, tuple[int, ...]]
    threads: int

    def __init__(
        self,
        path: Path,
        preprocessing: Preprocessing,
        threads: int | None = None,
        *,
        keep: Keep = "pooled",
    ) -> None:
        """Open the network at ``path``; `from_file` also reads the TOML file beside it.

        Args:
            path: the ``.onnx`` file.
            preprocessing: what the network's input has to look like.
            threads: that run the network at once, each on a batch of its own (`extract`); one a
                core where it is None.
            keep: "pooled" gives ``preprocessing.output``, "grid" the features of every place,
                from ``preprocessing.grid_output``; "both" gives both, from one run.

        Raises:
            InputError: the file is missing or no ONNX network, or its input or output does not
                fit ``preprocessing``.
        """
        self.name = path.stem
        self.preprocessing = preprocessing
        self.sha256 = _sha256(path)
        self._path = path
        self.threads = threads or cores()
        self._session = _open_session(path)
        self._input, self._one_by_one = _input_of(self._session, path)
        self._outputs = {}
        if keep != "grid":
            self._outputs["features"] = _output_of(self._session, path, preprocessing.output)
        if keep != "pooled":
            self._outputs["grid"] = _grid_of(self._session, path, preprocessing.grid_output)
        self.shapes = self._probe()

    @classmethod
    def bundled(
        cls, *, threads: int | None = None, keep: Keep = "pooled", size: int | None = None
    ) -> "Backbone":
        """Return the backbone that ships: EfficientNet-Lite0, 1280 features, Apache-2.0.

        Its ``size`` may be any multiple of 32.
        """
        return cls.from_file(_BUNDLED, threads=threads, keep=keep, size=size)

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        threads: int | None = None,
        keep: Keep = "pooled",
        size: int | None = None,
    ) -> "Backbone":
        """Open ``name.onnx`` with the ``name.toml`` beside it, whose keys `Preprocessing` lists.

        ``size`` takes the place of the TOML file's, for a network that takes several.

        Raises:
            InputError: either file is missing or cannot be used; the message names the file,
                and the key where it is about one.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"{path}: no such file; name a backbone's .onnx file")
        preprocessing = read_preprocessing(path.with_suffix(".toml"))
        if size is not None:
            preprocessing = msgspec.structs.replace(preprocessing, size=size)
        return cls(path, preprocessing, threads, keep=keep)

    @property
    def dim(self) -> int:
        """D, the length of a picture's vector; G where the grid alone is kept."""
        return self.shapes.get("features", self.shapes.get("grid", ()))[-1]

    @property
    def places(self) -> int | None:
        """L, how many places of a picture have features of their own; None without a grid."""
        return self.shapes["grid"][0] if "grid" in self.shapes else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture's row: (D,), (L, G), or for both (D + L G,)."""
        if len(self.shapes) == 1:
            [shape] = self.shapes.values()
            return shape
        return (sum(map(math.prod, self.shapes.values())),)

    def preprocess(self, image: Image.Image) -> Float[Array, "3 S S"]:
        """Return an RGB picture of any size as the network's input, channels first."""
        return to_pixels(image, self.preprocessing)

    def features(self, pixels: Float[Array, "N 3 S S"]) -> Float[Array, "N *_ F"]:
        """Return a row of features for each of the pictures from `preprocess`, of `shape`.

        Raises:
            ValueError: ``pixels`` is not of shape (N, 3, S, S).
        """
        expected = (3, self.preprocessing.size, self.preprocessing.size)
        if pixels.shape[1:] != expected:
            raise ValueError(f"pixels: expected shape (N, {expected}), got {pixels.shape}")
        batches = [one[None] for one in pixels] if self._one_by_one else [pixels]
        return np.concatenate([np.empty((0, *self.shape), np.float32), *map(self._rows, batches)])

    def parts(self, rows: Float[Array, "N *_ F"]) -> dict[str, Float[Array, "N ..."]]:
        """Return views of such rows by what they hold: "features" (N, D), "grid" (N, L, G).

        >>> backbone = Backbone.bundled(keep="both")
        >>> {name: part.shape for name, part in backbone.parts(np.zeros((2, 90411))).items()}
        {'features': (2, 1280), 'grid': (2, 49, 1819)}
        """
        flat = rows.reshape(len(rows), math.prod(self.shape))
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()])
        parts = zip(self.shapes.items(), np.split(flat, ends[:-1], axis=1), strict=True)
        return {name: part.reshape(len(rows), *shape) for (name, shape), part in parts}

    def describe(self) -> dict[str, Any]:
        """Return name, sha256, preprocessing, dim, as datasets and checkpoints do.

        With a grid, ``places`` too; with both, ``grid_dim``.
        """
        facts = {
            "name": self.name,
            "sha256": self.sha256,
            "preprocessing": msgspec.to_builtins(self.preprocessing),
            "dim": self.dim,
        }
        if self.places is not None:
            facts["places"] = self.places
        if len(self.shapes) > 1:
            facts["grid_dim"] = self.shapes["grid"][-1]
        return facts

    def _rows(self, pixels: Float[Array, "N 3 S S"]) -> Float[Array, "N *_ F"]:
        found = self._run(pixels)
        flat = [found[name].reshape(-1, math.prod(shape)) for name, shape in self.shapes.items()]
        return np.concatenate(flat, axis=1).reshape(-1, *self.shape)

    def _run(self, pixels: Float[Array, "N 3 S S"]) -> dict[str, Array]:
        """Return what is kept, from one run of the network."""
        channels_last = self.preprocessing.layout == "NHWC"
        if channels_last:
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        outputs = self._session.run(list(self._outputs.values()), {self._input: pixels})
        parts = dict(zip(self._outputs, outputs, strict=True))
        for name, found in parts.items():
            if found.ndim == _GRID:  # (N, G, H, W) or (N, H, W, G) -> (N, H W, G)
                places = found if channels_last else found.transpose(0, 2, 3, 1)
                n, h, w, g = places.shape
                places = places.reshape(n, h * w, g)
                parts[name] = places if name == "grid" else places.mean(axis=1)
        return {name: np.asarray(part, np.float32) for name, part in parts.items()}

    def _probe(self) -> dict[str, tuple[int, ...]]:
        """Run one grey picture through; return the shapes, or say what does not fit."""
        size = self.preprocessing.size
        try:
            parts = self._run(np.zeros((1, 3, size, size), np.float32))
        except Exception as error:  # onnxruntime's own types, one for each status
            raise InputError(
                f"{self._path}: cannot take a picture of {size} x {size} as "
                f"{self.preprocessing.layout} ({_first_line(error)}); "
                f"check size and layout in {self._path.stem}.toml, and --size"
            ) from None
        for name, found in parts.items():
            if found.ndim != _PARTS[name] or len(found) != 1:
                raise InputError(
                    f"{self._path}: output {self._outputs[name]!r} has shape {found.shape} for one "
                    "picture, not (1, D) or (1, D, H, W); name another output in the TOML file"
                )
        return {name: found.shape[1:] for name, found in parts.items()}


def backbone_title(facts: Mapping[str, Any]) -> str:
    """A backbone, in words, from what `Backbone.describe` says of it.

    >>> backbone_title({"name": "net", "sha256": "0123456789abcdef", "preprocessing": {"size": 64}})
    'net (0123456789ab, pictures of 64 x 64)'
    """
    size = facts.get("preprocessing", {}).get("size")
    pictures = f", pictures of {size} x {size}" if size else ""
    return f"{facts.get('name')} ({str(facts.get('sha256'))[:12]}{pictures})"


def same_backbone(facts: Mapping[str, Any] | None, others: Mapping[str, Any] | None) -> bool:
    """Whether features mean the same: one network, its pictures made ready in one way.

    Args:
        facts, others: what `Backbone.describe` said; what is not known is taken to be the same.
    """
    if not facts or not others:
        return True
    ours, theirs = facts.get("preprocessing", {}), others.get("preprocessing", {})
    return facts.get("sha256") == others.get("sha256") and all(
        ours[key] == theirs[key] for key in ours.keys() & theirs.keys()
    )


def same_features(facts: Mapping[str, Any] | None, others: Mapping[str, Any] | None) -> bool:
    """Whether two datasets' features, or a model's, mean the same: backbone and components."""
    components = [(one or {}).get("pca", {}) for one in (facts, others)]
    return same_backbone(facts, others) and components[0] == components[1]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _open_session(path: Path) -> "InferenceSession":
    """Return onnxruntime's session on the CPU, or say that the file is no ONNX network.

    One thread a run: batches that run side by side keep more cores busy than one that is split.
    """
    import onnxruntime  # noqa: PLC0415 (slow: paid by those alone who need a network)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised; nothing is printed besides
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types, one for each status
        raise InputError(
            f"{path}: not an ONNX network, or truncated ({_first_line(error)}); "
            "copy or export the file again"
        ) from None


def _input_of(session: "InferenceSession", path: Path) -> tuple[str, bool]:
    """Return the input's name, and whether it takes one picture at a time alone."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != _GRID:
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise InputError(
            f"{path}: takes {found or 'nothing'}; a backbone takes one float32 input of four "
            "dimensions, (N, 3, S, S) or (N, S, S, 3); export it so"
        )
    pictures = inputs[0].shape[0]
    if isinstance(pictures, int) and pictures != 1:
        raise InputError(
            f"{path}: takes exactly {pictures} pictures at a time; export it with a dynamic batch"
        )
    return inputs[0].name, pictures == 1


def _output_of(
    session: "InferenceSession", path: Path, wanted: str | None, key: str = "output"
) -> str:
    """Return the wanted output's name, the first where none is named."""
    names = [output.name for output in session.get_outputs()]
    if wanted is not None and wanted not in names:
        raise InputError(
            f"{path}: no output {wanted!r}, only {', '.join(names)}; "
            f"change {key} in {path.stem}.toml"
        )
    return wanted or names[0]


def _grid_of(session: "InferenceSession", path: Path, wanted: str | None) -> str:
    """Return the wanted output's name, the first with a grid of features where none is named."""
    if wanted is not None:
        return _output_of(session, path, wanted, "grid_output")
    for output in session.get_outputs():
        if len(output.shape) == _GRID:
            return str(output.name)
    raise InputError(
        f"{path}: no output with a grid, (N, D, H, W), only vectors; export one, or leave "
        "--features grid out"
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
