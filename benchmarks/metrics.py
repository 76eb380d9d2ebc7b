"""COCO's scores from raw captions: limner beside pycocoevalcap, which starts Java to tokenise.

    python benchmarks/metrics.py [--images 5000] [--captions FILE] [--repeats 5]

Both tokenise a caption of each image and its references, and compute BLEU-1 to 4, ROUGE-L and
CIDEr, of every image and of all. Without --captions (a file that `limner prepare` would read) the
captions are made up: words by Zipf's law, with capitals, commas and full stops; the candidate of a
image is one of its references with a third of the words changed. Time is the CPU's, Java's
process included; limner begins without what its tokenizer remembers of earlier captions.

Shapes: N images, R = 5 references of each.
"""

import setting  # first: it sets the threads

import argparse
import contextlib
import io
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from limner.data.formats import read_captions
from limner.evaluation.evaluate import score
from limner.metrics import tokenizer

N, R, V = 5000, 5, 5000
TARGET = 1 / 3  # of pycocoevalcap's time

Candidates = dict[str, str]
References = dict[str, list[str]]


def made_up(rng: np.random.Generator, images: int) -> tuple[Candidates, References]:
    """Sentences of 6 to 16 words."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(V)]
    shares = 1 / np.arange(1, V + 1)
    shares /= shares.sum()

    def sentence() -> str:
        chosen = [words[i] for i in rng.choice(V, rng.integers(6, 17), p=shares)]
        if rng.random() < 0.2:
            chosen[2] += ","
        return " ".join(chosen).capitalize() + rng.choice([".", " .", ""])

    references = {str(i): [sentence() for _ in range(R)] for i in range(images)}
    return changed(rng, references, words), references


def from_file(rng: np.random.Generator, path: Path, images: int) -> tuple[Candidates, References]:
    """The first references of a file; the images are used again where there are too few."""
    known = list(read_captions(path).captions.values())
    references = {str(i): known[i % len(known)][:R] for i in range(images)}
    words = sorted({word for several in known[:500] for word in several[0].split()})
    return changed(rng, references, words), references


def changed(rng: np.random.Generator, references: References, words: list[str]) -> Candidates:
    """The first reference of each image, a third of its words replaced."""
    return {
        image: " ".join(
            word if rng.random() < 2 / 3 else words[rng.integers(len(words))]
            for word in several[0].split()
        )
        for image, several in references.items()
    }


def limner_scores(said: Candidates, wanted: References) -> dict[str, np.ndarray]:
    """{name: scores of the images, and of all at the end}."""
    found = score(said, wanted)
    return {
        name: np.append(values, found.scores[name])
        for name, values in found.table.per_image.items()
    }


def coco_scores(said: Candidates, wanted: References) -> dict[str, np.ndarray]:
    """The same from pycocoevalcap."""
    ptb = PTBTokenizer()
    gts = ptb.tokenize({i: [{"caption": c} for c in several] for i, several in wanted.items()})
    res = ptb.tokenize({i: [{"caption": caption}] for i, caption in said.items()})
    with contextlib.redirect_stdout(io.StringIO()):
        corpus, per_image = Bleu(4).compute_score(gts, res, verbose=0)
        pairs = {f"BLEU-{n + 1}": (corpus[n], per_image[n]) for n in range(4)}
        pairs["ROUGE-L"] = Rouge().compute_score(gts, res)
        pairs["CIDEr"] = Cider().compute_score(gts, res)
    return {name: 100 * np.append(values, whole) for name, (whole, values) in pairs.items()}


def cpu_seconds(call: Callable[[], object]) -> float:
    """Of this process and of those it waited for."""
    tokenizer._tokens.cache_clear()
    before = os.times()
    call()
    return sum(os.times()[:4]) - sum(before[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=N)
    parser.add_argument("--captions", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    if options.captions:
        work = from_file(rng, options.captions, options.images)
    else:
        work = made_up(rng, options.images)
    ours, theirs = limner_scores(*work), coco_scores(*work)
    largest = max(float(np.abs(ours[name] - theirs[name]).max()) for name in theirs)
    print(f"largest difference of any score, of 100: {largest:.1e}")

    contenders = {"limner": limner_scores, "pycocoevalcap": coco_scores}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.repeats):
        for name, contender in contenders.items():
            seconds[name].append(cpu_seconds(lambda call=contender: call(*work)))
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    ratio = medians["limner"] / medians["pycocoevalcap"]
    rows = [
        {
            "images": options.images,
            "references": sum(map(len, work[1].values())),
            **{f"{name}, s": value for name, value in medians.items()},
            "ratio": ratio,
            "target": TARGET,
        }
    ]
    setting.print_table(rows)
    setting.print_json(
        "metrics", rows, largest_difference=largest, pycocoevalcap=version("pycocoevalcap")
    )


if __name__ == "__main__":
    main()
