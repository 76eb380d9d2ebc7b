"""The commands as functions, with the same defaults and the same numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from limner.captioner import Caption, Captioner, checkpoint_path, ensemble
from limner.checkpoint import Checkpoint, load_checkpoint
from limner.data.dataset import Dataset
from limner.data.opening import open_dataset
from limner.data.preparing.check import Findings
from limner.data.preparing.config import CheckConfig, PrepareConfig
from limner.data.preparing.prepare import check_source
from limner.data.preparing.prepare import prepare as prepare_dataset
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.evaluation.assessment import Assessment, assess, assess_captions, text_fingerprint
from limner.evaluation.attention_map import attention_map as draw_attention
from limner.evaluation.comparison import Comparison, compare_captions, compare_models
from limner.evaluation.evaluate import score as score_captions
from limner.evaluation.evaluate import tokenize_all
from limner.evaluation.explanation import Choice
from limner.evaluation.explanation import explain as explain_caption
from limner.evaluation.opening import open_for
from limner.evaluation.result_files import joined, read_references
from limner.images.images import Source
from limner.images.sources import open_source
from limner.metrics import DocumentFrequency
from limner.models import WordModel
from limner.training.config import TrainConfig, read_config
from limner.training.history import HistoryLine, read_history
from limner.training.run import TrainingRun

Report = Callable[[str], None]
Captions = str | Path | Mapping[str, str]
References = str | Path | Mapping[str, list[str]]


@dataclass(frozen=True)
class Run:
    """A training run: its folder, as `limner train` writes it.

    Attributes:
        path: the folder.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def checkpoint(self) -> Checkpoint:
        """The best model so far; the last one if none was validated yet."""
        return load_checkpoint(checkpoint_path(self.path))

    @property
    def history(self) -> list[HistoryLine]:
        """The losses and validation scores of each epoch."""
        return read_history(self.path)

    def captioner(self) -> Captioner:
        """A captioner with the best model."""
        return Captioner.load(self.path)


Model = WordModel | Captioner | Checkpoint | Run | str | Path


def prepare(
    source: str | Path, out: str | Path, *, report: Report = print, **options: Any
) -> Dataset:
    """Prepare a dataset from images and captions, as `limner prepare`.

    Args:
        source: a folder of images and captions, or a file, in any of the supported formats.
        out: the folder of the dataset. An interrupted preparation is continued; a finished one
            with the same contents and options is opened.
        report: called with each message, a line of text.
        options: fields of `PrepareConfig`: captions, images, min_count, features, ...

    Returns:
        The dataset.

    Raises:
        ValueError: for an unknown option, a value out of its limits, or an option without effect.
        InputError: if the source cannot be read, or `out` contains something else.

    >>> from limner.shapes import write_folder
    >>> _ = write_folder(Path("drawn"), 100, seed=0)
    >>> dataset = prepare("drawn", "dataset", report=lambda line: None)
    >>> dataset.splits["train"].captions.shape[0] > 300
    True
    """
    config = PrepareConfig.from_values({"source": source, "out": out, **options})
    return prepare_dataset(config, report)


def check(source: str | Path, **options: Any) -> Findings:
    """Find problems of images and captions, as `limner check`; nothing is written.

    Args:
        source: as for `prepare`.
        options: fields of `CheckConfig`.

    Returns:
        The findings; `to_json()` gives them as a dict.

    Raises:
        ValueError, InputError: as `prepare`.

    >>> from limner.shapes import write_folder
    >>> _ = write_folder(Path("drawn"), 10, seed=0)
    >>> check("drawn").to_json()["images_without_captions"]
    []
    """
    config = CheckConfig.from_values({"source": source, **options})
    return check_source(config, lambda line: None)


def train(
    dataset: Dataset | str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    report: Report = print,
    **settings: Any,
) -> Run:
    """Train a model on a dataset, as `limner train`.

    Args:
        dataset: a dataset or its folder.
        out: the folder of the run, created if missing.
        resume: continue the run in `out` with its settings; only `epochs` may be increased.
        report: called with each message, a line of text.
        settings: `model`, the kind of model; fields of its configuration (hidden_dim, ...) and
            of `TrainConfig` (epochs, learning_rate, ...).

    Returns:
        The finished run.

    Raises:
        ValueError: for an unknown setting, a value out of its limits, or one without effect.
        InputError: if `out` contains something else, or the dataset does not fit the model.

    Example:
        >>> run = train("dataset", "run", epochs=1, report=lambda line: None)  # doctest: +SKIP
        >>> run.captioner().caption("holiday.jpg").text  # doctest: +SKIP
    """
    folder = Path(out)
    if resume and not (folder / "config.toml").exists():
        raise InputError(f"{folder}: no run to resume; omit `resume` to start one")
    config = (
        read_config(folder / "config.toml", settings) if resume else TrainConfig.from_flat(settings)
    )
    TrainingRun(_opened(dataset), folder, config, resume, report=report).train()
    return Run(folder)


def evaluate(
    model: Model | Sequence[Model],
    dataset: Dataset | str | Path | None = None,
    split: str | None = None,
    **decoding: Any,
) -> Assessment:
    """Caption a split and score the captions, with baselines, as `limner evaluate`.

    Args:
        model: a model, a captioner, a checkpoint, a run, or the path of a run or checkpoint;
            several of them form an ensemble.
        dataset: a dataset or its folder; None opens the one that the model was trained on.
        split: its name; None takes the first of dev, val and test that exists.
        decoding: fields of `DecodingConfig`.

    Returns:
        The assessment; its `scores` are from 0 to 100.

    Raises:
        ValueError: for an unknown option, a value out of its limits, or an option without effect.
        InputError: if the dataset does not fit the model, or has no references.

    Example:
        >>> evaluate("run", beam_size=5).scores["CIDEr"]  # doctest: +SKIP
        58.0
    """
    how = DecodingConfig.from_values(decoding)
    several = list(model) if isinstance(model, Sequence) and not isinstance(model, str) else [model]
    models, data = _models(several, dataset)
    return assess(ensemble(models), data, split, how)


def score(
    candidates: Captions, references: References, training: References | None = None
) -> Assessment:
    """Score captions against references, as `limner score`.

    Args:
        candidates: a file, or {image id: caption}.
        references: a file, or {image id: list of references}.
        training: references of the training set, for CIDEr-D and the share of captions that
            occur in it.

    Returns:
        The assessment; its `scores` are from 0 to 100.

    Raises:
        InputError: if a file cannot be read, or no id is in both.

    >>> references = {"a.jpg": ["A red dog.", "A dog."], "b.jpg": ["Two cats."]}
    >>> round(score({"a.jpg": "a red dog", "b.jpg": "two cats"}, references).scores["BLEU-2"], 1)
    100.0
    """
    said, wanted = joined(_named(candidates), _named(references))
    tokens: list[list[list[str]]] = []
    if training is not None:
        known = training if isinstance(training, Mapping) else read_references(Path(training))
        tokens = [tokenize_all(several) for several in known.values()]
    evaluation = score_captions(said, wanted, DocumentFrequency.of(tokens) if tokens else None)
    seen = [caption for several in tokens for caption in several]
    return assess_captions(evaluation, {"captions": text_fingerprint(said)}, seen)


def compare(
    first: Model | Mapping[str, str],
    second: Model | Mapping[str, str],
    *,
    references: References | None = None,
    dataset: Dataset | str | Path | None = None,
    split: str | None = None,
    **decoding: Any,
) -> Comparison:
    """Compare two models, or two sets of captions, as `limner compare`.

    Args:
        first, second: models as for `evaluate`; with `references`, captions as for `score`.
        references: a file, or {image id: list of references}.
        dataset, split, decoding: as for `evaluate`; not allowed with `references`.

    Returns:
        The scores of both, with the differences, intervals and p-values.

    Raises:
        ValueError, InputError: as `evaluate` and `score`.

    >>> references = {"a.jpg": ["a red dog"], "b.jpg": ["two cats"]}
    >>> first = {"a.jpg": "a dog", "b.jpg": "a dog"}
    >>> second = {"a.jpg": "a red dog", "b.jpg": "two cats"}
    >>> compare(first, second, references=references).differences["BLEU-1"].value > 0
    True
    """
    if references is None:
        how = DecodingConfig.from_values(decoding)
        models, data = _models([first, second], dataset)
        return compare_models(models, data, split, how)
    given = {"dataset": dataset, "split": split, **decoding}
    for name in (name for name, value in given.items() if value is not None):
        raise ValueError(f"`{name}` has no effect with `references`: leave it out")
    wanted = references if isinstance(references, Mapping) else read_references(Path(references))
    ours, theirs = (joined(_named(one), wanted)[0] for one in (first, second))
    return compare_captions(ours, theirs, dict(wanted))


def explain(captioner: Captioner, caption: Caption, others: int = 3) -> list[Choice]:
    """The probability of each word of a caption, as `limner caption --explain`.

    Args:
        captioner: the captioner that made the caption.
        caption: a caption of one image.
        others: number of alternative words at each position, 0 or more.

    Returns:
        A `Choice` for each token: its probability, the most likely other words, and, of a model
        with attention, the attention weights.

    >>> import numpy as np
    >>> captioner = Captioner.load()
    >>> caption = captioner.caption(np.zeros((64, 64, 3), np.uint8))
    >>> [choice.word for choice in explain(captioner, caption)][:-1] == caption.text.split()
    True
    """
    return explain_caption(captioner.model, caption.features, caption.text, caption.ended, others)


def attention_map(
    captioner: Captioner, image: Source, caption: Caption | None = None
) -> Image.Image:
    """Draw where a model attends before each word, as `limner caption --attention`.

    Args:
        captioner: with an attention model, as the bundled one.
        image: as for `Captioner.caption`.
        caption: a caption of this image; None generates it.

    Returns:
        The image, then one copy for each token, bright where the attention weights are large.

    Raises:
        InputError: if the image cannot be read.
        ValueError: if the model has no attention weights.

    >>> import numpy as np
    >>> attention_map(Captioner.load(), np.zeros((64, 64, 3), np.uint8)).mode
    'RGB'
    """
    if not captioner.model.reads_grid:
        raise ValueError("`captioner`: expected one of a model with attention")
    choices = explain(captioner, caption or captioner.caption([image])[0])
    return draw_attention(open_source(image), choices)


def _opened(dataset: Dataset | str | Path) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else open_dataset(Path(dataset))


def _named(captions: Any) -> Any:
    """The path of a file, or captions in memory."""
    if isinstance(captions, Mapping):
        return captions
    if isinstance(captions, str | Path):
        return Path(captions)
    raise TypeError(f"expected a file, or a dict with image ids, not {captions!r:.60}")


def _models(
    models: Sequence[Any], dataset: Dataset | str | Path | None
) -> tuple[list[Any], Dataset]:
    """Models of runs, checkpoints and captioners, and the dataset to evaluate them on."""
    if not models:
        raise ValueError("`model`: expected at least one model")
    found = [one.model if isinstance(one, Captioner | Checkpoint) else one for one in models]
    for one in found:
        if not isinstance(one, WordModel | Run | str | Path):
            raise TypeError(
                f"`model`: expected a model, captioner, run, checkpoint or path, not {one!r:.60}"
            )
    paths = {i: Path(getattr(one, "path", one)) for i, one in enumerate(models) if _is_file(one)}
    data = _opened(dataset) if dataset is not None else None
    if paths:
        checkpoints, data = open_for(list(paths.values()), data)
        for i, checkpoint in zip(paths, checkpoints, strict=True):
            found[i] = checkpoint.model
    if data is None:
        raise InputError("`dataset`: a model in memory does not name its dataset; give one")
    return found, data


def _is_file(model: Any) -> bool:
    return isinstance(model, Run | str | Path)
