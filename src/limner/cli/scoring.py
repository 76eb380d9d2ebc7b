"""The commands that score captions: evaluate, score, compare."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from limner.captioner import checkpoint_path, ensemble
from limner.cli.console import print_differences, print_facts, print_rows, warn
from limner.cli.options import Given, struct_options
from limner.cli.stages import open_for
from limner.decoding import DecodingConfig
from limner.errors import InputError
from limner.evaluation.assessment import (
    MODEL,
    assess,
    assess_captions,
    fingerprint,
    score_provenance,
    text_fingerprint,
)
from limner.evaluation.evaluate import evaluate as evaluate_model
from limner.evaluation.evaluate import score as score_captions
from limner.evaluation.evaluate import tokenize_all, training_tokens
from limner.evaluation.result_files import read_candidates, read_references
from limner.io import write_atomically
from limner.metrics import DocumentFrequency
from limner.metrics import compare as compare_scores

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
    captions, wanted = _joined(candidates, references)
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
    if references:
        _refuse_models_options(data, split, decoding)
        both = [_joined(path, references)[0] for path in (first, second)]
        if both[0].keys() != both[1].keys():
            raise InputError(
                f"{first} and {second}: captions of different images, {len(both[0])} and "
                f"{len(both[1])}; scores on different images cannot be compared"
            )
        wanted = read_references(references)
        ours, theirs = (score_captions({i: one[i] for i in both[0]}, wanted) for one in both)
        how = {"captions": " and ".join(map(text_fingerprint, both))}
    else:
        for path in (first, second):
            if path.is_file() and path.suffix != ".safetensors":
                raise InputError(f"{path}: to compare caption files, give --references")
        checkpoints, dataset = open_for([first, second], data)
        known = training_tokens(dataset)
        frequency = DocumentFrequency.of(known) if known else None
        ours, theirs = (
            evaluate_model(one.model, dataset, split, decoding, frequency) for one in checkpoints
        )
        how = {
            "decoding": str(decoding),
            "models": " and ".join(fingerprint(one.model) for one in checkpoints),
            "dataset": dataset.fingerprint[:12],
        }
    found = compare_scores(ours.table, theirs.table)
    provenance = {**score_provenance(ours.references), **how}
    result = {
        "first": {"path": str(first), "scores": ours.scores},
        "second": {"path": str(second), "scores": theirs.scores},
        "differences": {name: {**asdict(one), "real": one.real} for name, one in found.items()},
        "provenance": provenance,
    }
    if _write_json(as_json, result):
        print_differences((str(first), str(second)), (ours.table, theirs.table), found)
        print_facts(provenance)


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


def _joined(candidates: Path, references: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Captions and references of the ids in both; warns about the others."""
    captions, wanted = read_candidates(candidates), read_references(references)
    both = {image: caption for image, caption in captions.items() if image in wanted}
    if not both:
        raise InputError(
            f"{candidates}: none of its {len(captions)} ids is in {references}; "
            f"{next(iter(captions))!r} here, {next(iter(wanted))!r} there"
        )
    for path, ids, lack in (
        (candidates, [i for i in captions if i not in wanted], "without references skipped"),
        (references, [i for i in wanted if i not in captions], "without caption skipped"),
    ):
        if ids:
            named = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            warn([f"{path}: {len(ids)} ids {lack}: {named}"])
    _warn_of_few(len(both))
    return both, wanted


def _warn_of_few(count: int) -> None:
    if count < FEW_IMAGES:
        warn([f"CIDEr is unreliable below {FEW_IMAGES} images; this set has {count}"])
