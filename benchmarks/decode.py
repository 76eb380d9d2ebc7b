"""Decoding 128 images, greedy and with beam 5, against PyTorch with the same weights.

The model has learnt 128 captions by heart first, so that captions end where COCO's do.
"""

import setting  # first: it sets the number of threads

import argparse
from functools import partial

import numpy as np
import torch
from pytorch import TorchCaptioner

from limner_trainer import LimnerTrainer
from limner.decoding import Constraints, beam_search, greedy
from limner.engine.numpy import fast_decoder
from limner.models import CaptioningRNN


IMAGES, LENGTH, BEAMS = 128, 30, 5
START, END = 1, 2


def learnt_by_heart(cell_type: str, steps: int) -> tuple[CaptioningRNN, np.ndarray]:
    """A model and the features whose captions it has seen `steps` times."""
    rng = np.random.default_rng(0)
    model = CaptioningRNN(setting.words(), 512, 256, 512, cell_type, rng=rng)
    features = rng.standard_normal((IMAGES, 512)).astype(np.float32)
    captions = setting.coco_like_captions(rng, IMAGES)
    engine = LimnerTrainer(model, 2e-3)
    for _ in range(steps):
        engine.step(features, captions)
    return model, features


def limner_greedy(model: CaptioningRNN, features: np.ndarray, end: int | None) -> np.ndarray:
    constraints = Constraints(START, end, max_length=LENGTH)
    words, _ = greedy(fast_decoder(model), features, constraints)
    return words


def limner_beam(model: CaptioningRNN, features: np.ndarray) -> np.ndarray:
    constraints = Constraints(START, END, max_length=LENGTH)
    words, _ = beam_search(fast_decoder(model), features, constraints, beam_size=BEAMS)
    return words[:, 0]


@torch.inference_mode()
def torch_greedy(captioner: TorchCaptioner, features: np.ndarray, stop: bool) -> np.ndarray:
    """One step of nn.RNN or nn.LSTM at a time; `stop` ends when every caption has ended."""
    state = captioner.initial_state(torch.from_numpy(features))
    words = torch.full((len(features), 1), START)
    ended = torch.zeros(len(features), dtype=torch.bool)
    said = []
    for _ in range(LENGTH):
        h, state = captioner.cell(captioner.embed(words), state)
        words = captioner.vocab(h[:, 0]).argmax(dim=1, keepdim=True)
        if stop:
            words[ended] = 0
            ended |= words[:, 0] == END
        said.append(words)
        if stop and ended.all():
            break
    out = torch.cat(said, dim=1).numpy()
    return np.pad(out, ((0, 0), (0, LENGTH - out.shape[1])))


@torch.inference_mode()
def torch_beam(captioner: TorchCaptioner, features: np.ndarray) -> np.ndarray:
    """The usual batched search: a beam that has ended stays, and says `<NULL>` for nothing."""
    N, K = len(features), BEAMS
    state = captioner.initial_state(torch.from_numpy(features).repeat_interleave(K, dim=0))
    words = torch.full((N * K, 1), START)
    total = torch.full((N, K), -torch.inf)
    total[:, 0] = 0
    ended = torch.zeros((N, K), dtype=torch.bool)
    said = torch.zeros((N, K, LENGTH), dtype=torch.long)
    offsets = torch.arange(N)[:, None] * K
    for t in range(LENGTH):
        h, state = captioner.cell(captioner.embed(words), state)
        log_probs = captioner.vocab(h[:, 0]).log_softmax(dim=1).view(N, K, -1)
        V = log_probs.shape[2]
        log_probs[ended] = -torch.inf
        log_probs[:, :, 0].masked_fill_(ended, 0.0)
        total, places = (total[:, :, None] + log_probs).view(N, K * V).topk(K, dim=1)
        parents, next_words = places // V, places % V
        said = said.gather(1, parents[:, :, None].expand_as(said))
        said[:, :, t] = next_words
        ended = ended.gather(1, parents) | (next_words == END)
        rows = (offsets + parents).view(-1)
        if isinstance(state, tuple):
            state = tuple(part[:, rows] for part in state)
        else:
            state = state[:, rows]
        words = next_words.view(-1, 1)
        if ended[:, 0].all():  # log-probabilities only fall: the first beam has won
            break
    return said[:, 0].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--steps", type=int, default=150, help="training steps before")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for cell_type in ("rnn", "lstm"):
        model, features = learnt_by_heart(cell_type, arguments.steps)
        captioner = TorchCaptioner(model)
        pairs = {
            "greedy, 30 steps": (
                partial(limner_greedy, model, features, None),
                partial(torch_greedy, captioner, features, False),
                0.7,
            ),
            "greedy, early stop / 30 steps": (
                partial(limner_greedy, model, features, END),
                partial(torch_greedy, captioner, features, False),
                0.3,
            ),
            "greedy, early stop in both": (
                partial(limner_greedy, model, features, END),
                partial(torch_greedy, captioner, features, True),
                "",
            ),
            "beam 5": (
                partial(limner_beam, model, features),
                partial(torch_beam, captioner, features),
                0.7,
            ),
        }
        for name, (ours, theirs, target) in pairs.items():
            mine, its = ours(), theirs()
            # after <END> the one without early stop goes on
            places = np.cumsum(mine == END, axis=1) - (mine == END) == 0
            agree = int(((mine == its) | ~places).all(axis=1).sum())
            seconds = setting.median_seconds({"limner": ours, "torch": theirs}, arguments.repeats)
            rows.append(
                {
                    "cell": cell_type,
                    "decoding": name,
                    "limner ms": 1e3 * seconds["limner"],
                    "torch ms": 1e3 * seconds["torch"],
                    "limner / torch": seconds["limner"] / seconds["torch"],
                    "target": target,
                    "same captions": f"{agree} of {IMAGES}",
                    "mean length": float((places & (mine != 0)).sum(axis=1).mean()),
                }
            )
    setting.print_table(rows)
    setting.print_json("decode", rows)


if __name__ == "__main__":
    main()
