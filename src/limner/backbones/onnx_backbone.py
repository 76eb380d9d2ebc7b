"""Backbones from ONNX files.

The bundled one is EfficientNet-Lite0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946). Any
other ``name.onnx`` needs a ``name.toml`` beside it with its preprocessing (`Preprocessing`). This
is the only module that imports onnxruntime.

    N: images    S: side of the network's input in pixels    D: length of a feature vector
    L: regions of an image    G: length of a region's feature vector
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from limner.backbones.backbone import Backbone, Keep, cores, first_line
from limner.backbones.preprocessing import Preprocessing, read_preprocessing
from limner.errors import InputError
from limner.io import sha256_of
from limner.typing import Array, Float

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_BUNDLED = Path(__file__).parents[1] / "bundled" / "efficientnet_lite0.onnx"
_MAP, _TOKENS = 4, 3  # dimensions of (N, D, H, W) or (N, H, W, D), and of (N, L, D)


class OnnxBackbone(Backbone):
    """A network from an ONNX file, with its preprocessing.

    Its name is the file name without ``.onnx``, its sha256 that of the file.

    Example:
        >>> from PIL import Image
        >>> backbone = OnnxBackbone.bundled()
        >>> backbone.name, backbone.dim
        ('efficientnet_lite0', 1280)
        >>> pixels = backbone.preprocess(Image.new("RGB", (640, 480), "navy"))
        >>> pixels.shape
        (3, 224, 224)
        >>> backbone.features(pixels[None]).shape
        (1, 1280)
    """

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
            preprocessing: how images are preprocessed.
            threads: number of batches that are computed in parallel; None is one per core.
            keep: "pooled" gives ``preprocessing.output``, "grid" the region features
                ``preprocessing.grid_output``; "both" gives both, from one run.

        Raises:
            InputError: the file is missing or no ONNX network, or its input or output does not
                fit ``preprocessing``.
        """
        self.name = path.stem
        self.preprocessing = preprocessing
        self.sha256 = sha256_of(path)
        self._path = path
        self.threads = threads or cores()
        self._session = _open_session(path)
        self._input, self._one_by_one = _input_of(self._session, path)
        self._outputs = {}
        if keep != "grid":
            self._outputs["features"] = _output_of(self._session, path, preprocessing.output)
        if keep != "pooled":
            self._outputs["grid"] = _grid_of(self._session, path, preprocessing.grid_output)
        advice = f"check size, layout and outputs in {path.stem}.toml, and `size`"
        self.shapes = self.probe(str(path), advice, 1 if self._one_by_one else 2)

    @classmethod
    def bundled(
        cls, *, threads: int | None = None, keep: Keep = "pooled", size: int | None = None
    ) -> "OnnxBackbone":
        """The bundled backbone: EfficientNet-Lite0, 1280 features, Apache-2.0.

        Its ``size`` may be any multiple of 32.

        Args:
            threads, keep: as for the class.
            size: side of the input in pixels; None is 224.
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
    ) -> "OnnxBackbone":
        """Open ``name.onnx`` with the ``name.toml`` beside it, whose keys `Preprocessing` lists.

        ``size`` overrides that of the TOML file.

        Args:
            path: the ``.onnx`` file.
            threads, keep: as for the class.
            size: overrides the size of the TOML file.

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

    def run(self, pixels: Float[Array, "N 3 S S"]) -> dict[str, Float[Array, "N ..."]]:
        """See `Backbone.run`."""
        if self.preprocessing.layout == "NHWC":
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        batches = [one[None] for one in pixels] if self._one_by_one else [pixels]
        names = list(self._outputs.values())
        outputs = zip(*(self._session.run(names, {self._input: x}) for x in batches), strict=True)
        return {
            part: np.asarray(self._as(part, np.concatenate(found)), np.float32)
            for part, found in zip(self._outputs, outputs, strict=True)
        }

    def _as(self, part: str, found: Array) -> Array:
        """Return an output as a grid (N, L, G), or as features (N, D)."""
        pooling = self.preprocessing.pooling
        if found.ndim == _MAP:  # (N, D, H, W) or (N, H, W, D) -> (N, H W, D)
            if part == "features" and pooling == "first":
                raise InputError(
                    f"{self._path}: output {self._outputs[part]!r} is a map, and has no first "
                    f"vector; change pooling in {self._path.stem}.toml to mean or max"
                )
            last = found if self.preprocessing.layout == "NHWC" else found.transpose(0, 2, 3, 1)
            n, h, w, d = last.shape
            found = last.reshape(n, h * w, d)
        if part == "grid" or found.ndim != _TOKENS:
            return found
        return found[:, 0] if pooling == "first" else getattr(found, pooling)(axis=1)


def _open_session(path: Path) -> "InferenceSession":
    """Open a session of onnxruntime on the CPU.

    It has one thread per run: parallel batches use several cores better than one divided batch.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415 (slow: paid by those alone who need a network)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, not printed
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one type per status
        raise InputError(
            f"{path}: not an ONNX network, or truncated ({first_line(error)}); "
            "copy or export the file again"
        ) from None


def _input_of(session: "InferenceSession", path: Path) -> tuple[str, bool]:
    """Return the input's name, and whether it takes one image at a time alone."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != _MAP:
        found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise InputError(
            f"{path}: takes {found or 'nothing'}; a backbone takes one float32 input of four "
            "dimensions, (N, 3, S, S) or (N, S, S, 3); export it so"
        )
    images = inputs[0].shape[0]
    if isinstance(images, int) and images != 1:
        raise InputError(
            f"{path}: takes exactly {images} images at a time; export it with a dynamic batch"
        )
    return inputs[0].name, images == 1


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
        if len(output.shape) == _MAP:
            return str(output.name)
    raise InputError(
        f"{path}: no output with a grid, (N, D, H, W), only vectors; export one, or leave "
        "`features` grid out"
    )
