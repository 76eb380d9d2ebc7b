"""The command `limner`: results go to stdout, progress and warnings to stderr."""

import errno
import io
import json
import math
import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from limner.captioner import Captioner, checkpoint_path
from limner.checkpoint import load_checkpoint
from limner.data.dataset import open_dataset
from limner.data.prepare import Job
from limner.data.prepare import prepare as prepare_dataset
from limner.demo import run_demo
from limner.describe import describe
from limner.errors import InputError, LimnerError
from limner.evaluation import evaluate as evaluate_model
from limner.files import write_atomically
from limner.pictures import find_pictures
from limner.run import TrainConfig, read_config
from limner.stages import report_run, train_with_progress
from limner.terminal import print_scores, progress_bar, say

app = typer.Typer(
    name="limner",
    help="Describe pictures with recurrent networks, and train them.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[  # read by main() from the arguments, wherever it stands
        bool, typer.Option("--debug", help="Show a traceback where something fails.")
    ] = False,
) -> None:
    """What comes before the command."""
    if show_version:
        print(f"limner {version('limner')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def prepare(
    images: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    captions: Annotated[
        Path,
        typer.Option(help="CSV or TSV with columns image and caption, or Flickr8k's token file."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the dataset, made if missing.")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="A split from a file of image names, e.g. train=train.txt; repeat for dev, test.",
        ),
    ] = None,
    ratio: Annotated[
        str, typer.Option(metavar="TRAIN,DEV,TEST", help="Shares of the splits, without --split.")
    ] = "80,10,10",
    seed: Annotated[int, typer.Option(min=0, help="Of the split by --ratio.")] = 0,
    min_count: Annotated[
        int, typer.Option(min=1, help="Words that stand less often become <UNK>.")
    ] = 5,
    max_words: Annotated[int, typer.Option(min=1, help="Longer captions are cut.")] = 20,
    backbone: Annotated[
        Path | None, typer.Option(help="Another .onnx network, with its .toml beside it.")
    ] = None,
) -> None:
    """Make a dataset from pictures and captions. Stopped half-way, run it again: it goes on."""
    job = Job(
        images,
        captions,
        out,
        _split_files(split or []),
        _ratio(ratio),
        seed,
        min_count,
        max_words,
        backbone,
    )
    with progress_bar("extracting features", "pictures") as update:
        dataset = prepare_dataset(job, say, update)
    for name, part in dataset.splits.items():
        print(f"{name}: {len(part.image_ids)} pictures, {len(part.captions)} captions")
    print(f"vocabulary: {len(dataset.vocabulary)} words")
    print(f"dataset: {out}")


@app.command()
def train(
    dataset: Annotated[Path, typer.Argument(help="Folder that `limner prepare` made.")],
    out: Annotated[Path, typer.Option(help="Folder of the run, made if missing.")],
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; options here come before it.")
    ] = None,
    cell_type: Annotated[str | None, typer.Option(help="rnn or lstm [lstm].")] = None,
    wordvec_dim: Annotated[int | None, typer.Option(help="Size of a word vector [256].")] = None,
    hidden_dim: Annotated[int | None, typer.Option(help="Size of the hidden state [512].")] = None,
    update_rule: Annotated[
        str | None, typer.Option(help="sgd, sgd_momentum, rmsprop or adam [adam].")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the first epoch [0.001].")] = None,
    lr_decay: Annotated[
        float | None, typer.Option(help="Factor on it after every epoch [0.85].")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Captions a step [128].")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the captions [10].")] = None,
    seed: Annotated[int | None, typer.Option(help="Of parameters and order [0].")] = None,
    checkpoint_seconds: Annotated[
        float | None, typer.Option(help="How often the state is saved within an epoch [60].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run.")] = False,
) -> None:
    """Train a captioner. Killed at any moment, it goes on with --resume."""
    given = {
        name: value
        for name, value in locals().items()
        if name in TrainConfig.__struct_fields__ and value is not None
    }
    opened = open_dataset(dataset)
    kept = out / "config.toml"
    if resume and not kept.exists():
        raise InputError(f"{out}: no run to resume there; leave --resume out to begin one")
    if resume and config:
        raise InputError(
            "--config and --resume: a run goes on with its own settings; leave one out"
        )
    settings_file = kept if resume else config
    base = read_config(settings_file) if settings_file else TrainConfig()
    settings = _override(base, given)
    if resume and msgspec.structs.replace(settings, epochs=base.epochs) != base:
        raise InputError(f"{kept}: a run's settings stay as they are; only --epochs may change")
    train_with_progress(opened, out, settings, resume)
    report_run(opened, out)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run's folder, or a checkpoint.")],
    data: Annotated[
        Path | None, typer.Option(help="Dataset; otherwise the one it was trained on.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Otherwise dev, val or test.")] = None,
    as_json: Annotated[
        Path | None,
        typer.Option("--json", metavar="OUT", help="Write scores and captions; - is stdout."),
    ] = None,
) -> None:
    """Caption a split and score it against the raw references: BLEU, from 0 to 100."""
    path = checkpoint_path(model)
    checkpoint = load_checkpoint(path)
    trained_on = checkpoint.info.get("dataset", {}).get("path")
    if data is None and not trained_on:
        raise InputError(f"{path}: does not say what it was trained on; name it with --data")
    dataset = open_dataset(data or Path(trained_on))
    ours, theirs = checkpoint.info.get("backbone") or {}, dataset.info.get("backbone") or {}
    if ours and theirs and ours.get("sha256") != theirs.get("sha256"):
        raise InputError(
            f"{dataset.path}: features of {theirs.get('name')}, and {path} was trained on those of "
            f"{ours.get('name')}: another backbone; prepare the dataset with the model's"
        )
    evaluation = evaluate_model(checkpoint.model, dataset, split)
    result = {
        "scores": evaluation.scores,
        "split": evaluation.split,
        "model": str(path),
        "captions": evaluation.captions,
        "limner_version": version("limner"),
    }
    text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    if as_json is not None and str(as_json) == "-":
        sys.stdout.write(text)
        return
    if as_json is not None:
        write_atomically(as_json, text)
    print_scores(evaluation.scores, f"{evaluation.split}, {len(evaluation.captions)} pictures")


@app.command()
def caption(
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or http(s) addresses.")],
    model: Annotated[
        Path | None, typer.Option(help="A run or checkpoint; otherwise the one that ships.")
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="The .onnx network that the model was trained with.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: image, caption, score.")
    ] = False,
) -> None:
    """Describe pictures, a sentence each."""
    captioner = Captioner.load(model, backbone)
    found, failed = find_pictures(pictures)
    several = len(found) + len(failed) > 1
    names, sources = [name for name, _ in found], [source for _, source in found]
    for name, (_, result) in zip(names, captioner.caption(sources), strict=True):
        if isinstance(result, InputError):
            failed.append(str(result))
        elif as_json:
            row = {"image": name, "caption": result.text, "score": round(result.score, 4)}
            print(json.dumps(row, ensure_ascii=False), flush=True)
        else:
            print(f"{name}\t{result.text}" if several else result.text, flush=True)
    for message in failed:
        say(f"limner: {message}")
    if failed:
        raise typer.Exit(InputError.exit_status)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all that the demo makes.")] = Path(
        "limner-demo"
    ),
    pictures: Annotated[int, typer.Option(min=100, help="How many to draw.")] = 2000,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the captions.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawings and the training.")] = 0,
) -> None:
    """Draw pictures, train on them, caption unseen ones, and write a page to look at."""
    run_demo(out, pictures, epochs, seed)


@app.command()
def info(
    path: Annotated[
        Path | None, typer.Argument(help="A dataset, a run or a checkpoint; otherwise limner.")
    ] = None,
) -> None:
    """Say what a dataset, run or checkpoint is, or what is installed here."""
    for name, value in describe(path).items():
        print(f"{name}: {value}")


def _split_files(given: list[str]) -> dict[str, Path]:
    files = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"--split {text}: expected NAME=FILE, e.g. train=train.txt")
        files[name] = Path(file)
    return files


def _ratio(text: str) -> dict[str, float]:
    try:
        shares = [float(share) for share in text.split(",")]
        in_range = all(0 <= share < math.inf for share in shares)  # NaN is in no range
        if len(shares) != 3 or not in_range or shares[0] == 0:
            raise ValueError
    except ValueError:
        raise InputError(
            f"--ratio {text}: expected three numbers for train, dev and test, e.g. 80,10,10"
        ) from None
    return dict(zip(("train", "dev", "test"), shares, strict=True))


def _override(base: Any, given: dict[str, Any]) -> Any:
    """A configuration with the options that were given, checked."""
    try:
        return msgspec.convert({**msgspec.to_builtins(base), **given}, type(base))
    except msgspec.ValidationError as error:
        raise InputError(f"{error}; see `limner train --help`") from None


def main(arguments: list[str] | None = None) -> int:
    """Run a command; every error is one line on stderr, and a status: 2 input, 1 failure."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = ["--debug"] * debug + [a for a in arguments if a != "--debug"]
        status = app(arguments, prog_name="limner", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except typer.Abort:
        return 130
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone, as `head` does;
        _discard_stdout()  # typer makes a SystemExit of it
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _explain(error)


def _discard_stdout() -> None:
    """What cannot be written is not tried again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> int:
    """Print one line for an exception; returns the exit status."""
    if hasattr(error, "format_message"):  # typer's usage errors
        say(f"limner: {error.format_message().rstrip('.')}; see `limner --help`")
        return InputError.exit_status
    if isinstance(error, LimnerError):
        say(f"limner: {error}")
        return error.exit_status
    if isinstance(error, OSError) and error.filename:
        say(f"limner: {error.filename}: {error.strerror}")
        return LimnerError.exit_status
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files have names, stdout not
        say(f"limner: standard output: {error.strerror}")
        _discard_stdout()
        return LimnerError.exit_status
    line = " ".join(str(error).split())
    say(f"limner: {type(error).__name__}: {line} (a mistake in limner; --debug shows where)")
    return LimnerError.exit_status
