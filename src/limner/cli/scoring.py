"""The commands that score captions: evaluate, score, compare."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from limner.captioner import checkpoint_path, ensemble
from limner.cli.console import print_differences, print_facts, print_rows, warn
from limner.cli.options import Given, struct_options
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.evaluation.assessment import (
    MODEL,
    assess,
    assess_captions,
    text_fingerprint,
)
from limner.evaluation.comparison import compare_captions, compare_models
from limner.evaluation.evaluate import score as score_captions
from limner.evaluation.evaluate import tokenize_all
from limner.evaluation.opening import open_for
from limner.evaluation.result_files import joined, read_references
from limner.io import write_atomically
from limner.metrics import DocumentFrequency

FEW_IMAGES = 100
"""With fewer images CIDEr, whose document frequencies come from the references, is unreliable."""

DataOption = Annotated[
    Path | None, typer.Option(help="Dataset to evaluate on [the training dataset].")
]
SplitOption = Annotated[
    str | None, typer.Option(help="Split to caption [the first of dev, val, test].")
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="OUT", help="Write the results as JSON; - writes to stdout."),
]
JavaOption = Annotated[
    bool, typer.Option("--java/--no-java", help="Compute METEOR and SPICE if Java is installed.")
]


@struct_options
def evaluate(
    models: Annotated[
        list[Path], typer.Argument(help="Run or checkpoint; several form an ensemble.")
    ],
    data: DataOption = None,
    split: SplitOption = None,
    as_json: JsonOption = None,
    java: JavaOption = True,
    *,
    decoding: DecodingConfig,
) -> None:
    """Caption a split and score it against the raw references, with baselines."""
    _refuse_several(decoding)
    checkpoints, dataset = open_for(models, data)
    model = ensemble([checkpoint.model for checkpoint in checkpoints])
    found = assess(model, dataset, split, decoding, java=java)
    _warn_of_few(len(found.evaluation.captions))
    warn(found.problems)
    paths = " with ".join(str(checkpoint_path(model)) for model in models)
    facts = {"model": paths, "dataset": str(dataset.path)}
    if _write_json(as_json, {"paths": facts, **found.as_dict()}):
        print_rows(found.title, found.rows, found.provenance)


@struct_options
def score(
    candidates: Annotated[
        Path,
        typer.Argument(help="Captions, one per image: COCO's JSON, {id: caption}, ...; or -"),
    ],
    references: Annotated[
        Path, typer.Argument(help="References: COCO's JSON, {id: [captions]}, CSV, ...")
    ],
    training: Annotated[
        Path | None,
        typer.Option(help="Training captions, for CIDEr-D and the share seen in training."),
    ] = None,
    as_json: JsonOption = None,
    java: JavaOption = True,
) -> None:
    """Score any file of captions against any references, without a model."""
    captions, wanted = joined(candidates, references, _warn)
    _warn_of_few(len(captions))
    tokens = [tokenize_all(one) for one in read_references(training).values()] if training else []
    evaluation = score_captions(captions, wanted, DocumentFrequency.of(tokens) if tokens else None)
    seen = [caption for several in tokens for caption in several]
    found = assess_captions(evaluation, {"captions": text_fingerprint(captions)}, seen, java=java)
    warn(found.problems)
    if _write_json(as_json, found.result()):
        rows = {candidates.name: found.rows[MODEL]}
        print_rows(f"{len(captions):,} images", rows, found.provenance)


@struct_options
def compare(
    first: Annotated[Path, typer.Argument(help="First run or checkpoint.")],
    second: Annotated[Path, typer.Argument(help="Second run or checkpoint.")],
    references: Annotated[
        Path | None,
        typer.Option(help="Compare two caption files against these references."),
    ] = None,
    data: DataOption = None,
    split: SplitOption = None,
    as_json: JsonOption = None,
    *,
    decoding: DecodingConfig,
) -> None:
    """Test whether the second model is better than the first (paired bootstrap)."""
    _refuse_several(decoding)
    names = str(first), str(second)
    if references:
        _refuse_models_options(data, split, decoding)
        said, others = (joined(path, references, _warn)[0] for path in (first, second))
        _warn_of_few(len(said))
        found = compare_captions(said, others, read_references(references), names)
    else:
        for path in (first, second):
            if path.is_file() and path.suffix != ".safetensors":
                raise InputError(f"{path}: to compare caption files, give --references")
        checkpoints, dataset = open_for([first, second], data)
        models = [one.model for one in checkpoints]
        found = compare_models(models, dataset, split, decoding, names)
    if _write_json(as_json, found.as_dict()):
        one, other = found.evaluations
        print_differences(names, (one.table, other.table), found.differences)
        print_facts(found.provenance)


def _refuse_several(how: DecodingConfig) -> None:
    """Raise InputError if n_best is set: one caption per image is scored."""
    if how.n_best > 1:
        raise InputError(f"--n-best {how.n_best} has no effect on scores: leave it out")


def _refuse_models_options(data: Path | None, split: str | None, how: DecodingConfig) -> None:
    """Raise InputError for an option that has no effect on caption files."""
    given = ["--data"] * (data is not None) + ["--split"] * (split is not None)
    decoding = Given(DecodingConfig).fields
    given += [one.option for one in decoding if getattr(how, one.name) != one.default]
    if given:
        raise InputError(f"{given[0]} has no effect with --references: leave it out")


def _write_json(out: Path | None, result: dict[str, Any]) -> bool:
    """Write the JSON if requested; returns whether to print tables on stdout."""
    text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    if str(out) == "-":
        sys.stdout.write(text)
    elif out is not None:
        write_atomically(out, text)
    return str(out) != "-"


def _warn(line: str) -> None:
    warn([line])


def _warn_of_few(count: int) -> None:
    if count < FEW_IMAGES:
        warn([f"CIDEr is unreliable below {FEW_IMAGES} images; this set has {count}"])
