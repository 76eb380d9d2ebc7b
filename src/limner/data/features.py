"""Backbones: ONNX networks that turn pictures into the features that a captioner reads.

One ships with limner, EfficientNet-Lite0 (Tan and Le, 2019, https://arxiv.org/abs/1905.11946).
Any other ``name.onnx`` serves as well, with a ``name.toml`` beside it that says how its pictures
are made ready (`Preprocessing`). This is the only module that imports onnxruntime.

    N: pictures    S: side of the network's input in pixels    D: length of a feature vector
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
from PIL import Image

from limner.arrays import Array, Float
from limner.data.images import Source, load_image, source_name
from limner.data.preprocessing import Preprocessing, read_preprocessing, to_pixels
from limner.data.views import view_of
from limner.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

AnySource = TypeVar("AnySource", bound=Source)

_BUNDLED = Path(__file__).parent.parent / "bundled" / "efficientnet_lite0.onnx"
_ONE_PICTURE, _PLACES, _GRID = 2, 3, 4  # dimensions of (N, D), (N, L, D) and (N, D, H, W)


class Backbone:
    """A network from an ONNX file, with what its input has to look like.

    Attributes:
        name: the file's name without ``.onnx``.
        sha256: of the ONNX file, in hexadecimal; tells two backbones of one name apart.
        preprocessing: how pictures are made ready for it.
        dim: D, the length of its feature vectors.
        places: L, how many places of a picture have features of their own; None for one vector of
            the whole picture.

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
    dim: int
    places: int | None

    def __init__(
        self,
        path: Path,
        preprocessing: Preprocessing,
        threads: int | None = None,
        *,
        grid: bool = False,
    ) -> None:
        """Open the network at ``path``; `from_file` also reads the TOML file beside it.

        Args:
            path: the ``.onnx`` file.
            preprocessing: what the network's input has to look like.
            threads: for the network; all cores where it is None.
            grid: give the features of every place, from ``preprocessing.grid_output``.

        Raises:
            InputError: the file is missing or no ONNX network, or its input or output does not
                fit ``preprocessing``.
        """
        self.name = path.stem
        self.preprocessing = preprocessing
        self.sha256 = _sha256(path)
        self._path = path
        self._session = _open_session(path, threads)
        self._input, self._one_by_one = _input_of(self._session, path)
        self._grid = grid
        self._output = (
            _grid_of(self._session, path, preprocessing.grid_output)
            if grid
            else _output_of(self._session, path, preprocessing.output)
        )
        self.places, self.dim = self._probe()

    @classmethod
    def bundled(
        cls, *, threads: int | None = None, grid: bool = False, size: int | None = None
    ) -> "Backbone":
        """Return the backbone that ships: EfficientNet-Lite0, 1280 features, Apache-2.0.

        Its ``size`` may be any multiple of 32.
        """
        return cls.from_file(_BUNDLED, threads=threads, grid=grid, size=size)

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        threads: int | None = None,
        grid: bool = False,
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
        return cls(path, preprocessing, threads, grid=grid)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a picture's features: (D,), or (L, D)."""
        return (self.dim,) if self.places is None else (self.places, self.dim)

    def preprocess(self, image: Image.Image) -> Float[Array, "3 S S"]:
        """Return an RGB picture of any size as the network's input, channels first."""
        return to_pixels(image, self.preprocessing)

    def features(self, pixels: Float[Array, "N 3 S S"]) -> Float[Array, "N *_ D"]:
        """Return the features of pictures from `preprocess`.

        Unless the backbone was opened with ``grid``, a grid is averaged over its places.

        Raises:
            ValueError: ``pixels`` is not of shape (N, 3, S, S).
        """
        expected = (3, self.preprocessing.size, self.preprocessing.size)
        if pixels.shape[1:] != expected:
            raise ValueError(f"pixels: expected shape (N, {expected}), got {pixels.shape}")
        if not self._one_by_one:
            return self._run(pixels)
        return np.concatenate(
            [np.empty((0, *self.shape), np.float32), *(self._run(one[None]) for one in pixels)]
        )

    def describe(self) -> dict[str, Any]:
        """Return name, sha256, preprocessing, dim (and places), as datasets and checkpoints do."""
        facts = {
            "name": self.name,
            "sha256": self.sha256,
            "preprocessing": msgspec.to_builtins(self.preprocessing),
            "dim": self.dim,
        }
        return facts if self.places is None else {**facts, "places": self.places}

    def _run(self, pixels: Float[Array, "N 3 S S"]) -> Float[Array, "N *_ D"]:
        channels_last = self.preprocessing.layout == "NHWC"
        if channels_last:
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        (found,) = self._session.run([self._output], {self._input: pixels})
        if self._grid:  # (N, D, H, W) or (N, H, W, D) -> (N, H W, D)
            found = found if channels_last else found.transpose(0, 2, 3, 1)
            found = found.reshape(len(found), -1, found.shape[3])
        elif found.ndim == _GRID:
            found = found.mean(axis=(1, 2) if channels_last else (2, 3))
        return np.asarray(found, np.float32)

    def _probe(self) -> tuple[int | None, int]:
        """Run one grey picture through; return L and D, or say what does not fit."""
        size = self.preprocessing.size
        try:
            found = self._run(np.zeros((1, 3, size, size), np.float32))
        except Exception as error:  # onnxruntime's own types, one for each status
            raise InputError(
                f"{self._path}: cannot take a picture of {size} x {size} as "
                f"{self.preprocessing.layout} ({_first_line(error)}); "
                f"check size and layout in {self._path.stem}.toml, and --size"
            ) from None
        if found.ndim != (_PLACES if self._grid else _ONE_PICTURE) or len(found) != 1:
            raise InputError(
                f"{self._path}: output {self._output!r} has shape {found.shape} for one picture, "
                "not (1, D) or (1, D, H, W); name another output in the TOML file"
            )
        return (int(found.shape[1]) if self._grid else None), int(found.shape[-1])


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


def extract(
    backbone: Backbone,
    sources: Iterable[AnySource],
    *,
    batch_size: int = 16,
    view: int = 0,
    max_pixels: int | None = None,
) -> Iterator[tuple[AnySource, Float[Array, "*_ D"] | InputError]]:
    """Yield each source with its features, in order, or with what is wrong with that picture.

    A few threads open pictures ahead of the network, never more than two batches ahead, so that
    memory stays flat for any number of sources.

    Args:
        backbone: the network.
        sources: paths, bytes or open files; read as far ahead as pictures are.
        batch_size: pictures in one run of the network.
        view: of every picture, see `limner.data.views`.
        max_pixels: as for `load_image`.

    Example:
        >>> [(name, found)] = extract(Backbone.bundled(), ["absent.jpg"])
        >>> print(found)
        absent.jpg: no such file; check the name and the folder
    """

    def open_one(source: AnySource) -> Float[Array, "3 S S"] | InputError:
        try:
            # Twice the size: what a JPEG's fast decoding loses is then lost in the resizing.
            hint = 2 * backbone.preprocessing.size
            image = load_image(source, size_hint=hint, max_pixels=max_pixels)
            name = source.name if isinstance(source, Path) else source_name(source)
            return backbone.preprocess(view_of(image, view, name))
        except InputError as error:
            return error

    opened = _ahead(open_one, sources, ahead=2 * batch_size)
    while batch := list(islice(opened, batch_size)):
        pixels = [found for _, found in batch if not isinstance(found, InputError)]
        rows = iter(backbone.features(np.stack(pixels)) if pixels else ())
        for source, found in batch:
            yield source, found if isinstance(found, InputError) else next(rows)


Result = TypeVar("Result")


def _ahead(
    work: Callable[[AnySource], Result], sources: Iterable[AnySource], *, ahead: int
) -> Iterator[tuple[AnySource, Result]]:
    """Yield (source, work(source)) in order, with ``ahead`` more under way in threads."""
    waiting: deque[tuple[AnySource, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        for source in sources:
            waiting.append((source, pool.submit(work, source)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def _open_session(path: Path, threads: int | None) -> "InferenceSession":
    """Return onnxruntime's session on the CPU, or say that the file is no ONNX network."""
    import onnxruntime  # noqa: PLC0415 (slow: paid by those alone who need a network)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
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
