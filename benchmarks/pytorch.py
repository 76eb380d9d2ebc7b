"""The same captioning model in PyTorch, written as its users write it. Needs the extra `torch`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from limner.models import CaptioningRNN


class TorchCaptioner(nn.Module):
    """features -> h0; words -> embedding -> nn.RNN or nn.LSTM -> scores of the next words.

    PyTorch's gates are i, f, g, o and it keeps two biases; the second is zero and not trained, so
    that both sides learn the same parameters.
    """

    def __init__(self, model: CaptioningRNN) -> None:
        super().__init__()
        p = model.params
        (D, H), (V, W) = p["W_proj"].shape, p["W_embed"].shape
        self.cell_type = model.config.cell_type
        self.project = nn.Linear(D, H)
        self.embed = nn.Embedding(V, W)
        cell = nn.LSTM if model.config.cell_type == "lstm" else nn.RNN
        self.cell = cell(W, H, batch_first=True)
        self.cell.bias_hh_l0.requires_grad_(False)
        self.vocab = nn.Linear(H, V)
        with torch.no_grad():
            self.project.weight.copy_(torch.from_numpy(p["W_proj"].T))
            self.project.bias.copy_(torch.from_numpy(p["b_proj"]))
            self.embed.weight.copy_(torch.from_numpy(p["W_embed"]))
            self.cell.weight_ih_l0.copy_(torch.from_numpy(self._gates(p["Wx"]).T.copy()))
            self.cell.weight_hh_l0.copy_(torch.from_numpy(self._gates(p["Wh"]).T.copy()))
            self.cell.bias_ih_l0.copy_(torch.from_numpy(self._gates(p["b"])))
            self.cell.bias_hh_l0.zero_()
            self.vocab.weight.copy_(torch.from_numpy(p["W_vocab"].T))
            self.vocab.bias.copy_(torch.from_numpy(p["b_vocab"]))

    def _gates(self, columns: np.ndarray) -> np.ndarray:
        """limner's i, f, o, g -> PyTorch's i, f, g, o."""
        if self.cell_type == "rnn":
            return columns
        i, f, o, g = np.split(columns, 4, axis=-1)
        return np.concatenate([i, f, g, o], axis=-1)

    def initial_state(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The cell's state before the first word, (1, N, H), twice for the LSTM."""
        h0 = self.project(features)[None]
        return h0 if self.cell_type == "rnn" else (h0, torch.zeros_like(h0))

    def padded_loss(self, features: Tensor, captions: Tensor) -> Tensor:
        """All T steps of all captions; `<NULL>` (0) is left out of the loss."""
        words, targets = captions[:, :-1], captions[:, 1:]
        h, _ = self.cell(self.embed(words), self.initial_state(features))
        scores = self.vocab(h).flatten(0, 1)
        total = nn.functional.cross_entropy(
            scores, targets.flatten(), ignore_index=0, reduction="sum"
        )
        return total / len(captions)

    def packed_loss(self, features: Tensor, captions: Tensor) -> Tensor:
        """With `pack_padded_sequence`; padding stands at the end."""
        lengths = (captions[:, 1:] != 0).sum(dim=1)
        lengths, order = lengths.sort(descending=True)
        words, targets = captions[order, :-1], captions[order, 1:]
        x = pack_padded_sequence(self.embed(words), lengths, batch_first=True)
        y = pack_padded_sequence(targets, lengths, batch_first=True).data
        h, _ = self.cell(x, self.initial_state(features[order]))
        scores = self.vocab(h.data)
        return nn.functional.cross_entropy(scores, y, reduction="sum") / len(captions)


class TorchTrainer:
    """Loss, backward and one step of Adam on a padded or packed batch."""

    def __init__(self, model: CaptioningRNN, packed: bool, fused: bool) -> None:
        self.captioner = TorchCaptioner(model)
        self.loss = self.captioner.packed_loss if packed else self.captioner.padded_loss
        trained = [p for p in self.captioner.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(trained, lr=1e-3, fused=fused)

    def step(self, features: np.ndarray, captions: np.ndarray) -> float:
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(torch.from_numpy(features), torch.from_numpy(captions).long())
        loss.backward()
        self.adam.step()
        return float(loss.detach())
