"""A plain NumPy solution of the course's assignment, as a good student would write it.

A loop over time with the products inside it, one function a layer, whole arrays, float32 kept
everywhere. Nothing is packed, reused or written in place. The sigmoid is the one that CS231n hands
out with the assignment, numerically stable through two masks, written anew here: a student calls
it, and does not write it. It is slower than `1 / (1 + np.exp(-x))`, and so part of the LSTM's time.
"""

import numpy as np


def sigmoid(x):
    """`1 / (1 + exp(-x))` where x is positive, `exp(x) / (1 + exp(x))` where it is not."""
    pos_mask = x >= 0
    neg_mask = x < 0
    z = np.zeros_like(x)
    z[pos_mask] = np.exp(-x[pos_mask])
    z[neg_mask] = np.exp(x[neg_mask])
    top = np.ones_like(x)
    top[neg_mask] = z[neg_mask]
    return top / (1 + z)


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    tanh_c = np.tanh(next_c)
    return o * tanh_c, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, tanh_c)


def lstm_step_backward(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, tanh_c = cache
    do = dnext_h * tanh_c
    dc = dnext_c + dnext_h * o * (1 - tanh_c**2)
    di, df, dg = dc * g, dc * prev_c, dc * i
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def softmax_loss(scores, targets, mask):
    N, T, V = scores.shape
    flat, y, m = scores.reshape(N * T, V), targets.reshape(N * T), mask.reshape(N * T)
    probs = np.exp(flat - flat.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.sum(m * np.log(probs[np.arange(N * T), y])) / N
    dflat = probs.copy()
    dflat[np.arange(N * T), y] -= 1
    dflat /= N
    dflat *= m[:, None]
    return loss, dflat.reshape(N, T, V)


class Student:
    """Loss, gradients and Adam, parameter by parameter."""

    def __init__(self, model):
        self.cell_type = model.config.cell_type
        self.params = {name: param.copy() for name, param in model.params.items()}
        self.m = {name: np.zeros_like(param) for name, param in self.params.items()}
        self.v = {name: np.zeros_like(param) for name, param in self.params.items()}
        self.t = 0

    def loss(self, features, captions):
        p = self.params
        words, targets = captions[:, :-1], captions[:, 1:]
        mask = (targets != 0).astype(np.float32)
        N, T = words.shape
        h0 = features @ p["W_proj"] + p["b_proj"]
        x = p["W_embed"][words]
        h = np.zeros((N, T, h0.shape[1]), dtype=np.float32)
        caches = []
        next_h, next_c = h0, np.zeros_like(h0)
        for t in range(T):
            if self.cell_type == "rnn":
                next_h, cache = rnn_step_forward(x[:, t], next_h, p["Wx"], p["Wh"], p["b"])
            else:
                next_h, next_c, cache = lstm_step_forward(
                    x[:, t], next_h, next_c, p["Wx"], p["Wh"], p["b"]
                )
            h[:, t] = next_h
            caches.append(cache)
        scores = (h.reshape(N * T, -1) @ p["W_vocab"] + p["b_vocab"]).reshape(N, T, -1)
        loss, dscores = softmax_loss(scores, targets, mask)

        grads = {name: np.zeros_like(param) for name, param in p.items()}
        dflat = dscores.reshape(N * T, -1)
        grads["W_vocab"] = h.reshape(N * T, -1).T @ dflat
        grads["b_vocab"] = dflat.sum(axis=0)
        dh = (dflat @ p["W_vocab"].T).reshape(h.shape)
        dx = np.zeros_like(x)
        dprev_h, dprev_c = np.zeros_like(h0), np.zeros_like(h0)
        for t in reversed(range(T)):
            if self.cell_type == "rnn":
                dx[:, t], dprev_h, dWx, dWh, db = rnn_step_backward(dh[:, t] + dprev_h, caches[t])
            else:
                dx[:, t], dprev_h, dprev_c, dWx, dWh, db = lstm_step_backward(
                    dh[:, t] + dprev_h, dprev_c, caches[t]
                )
            grads["Wx"] += dWx
            grads["Wh"] += dWh
            grads["b"] += db
        np.add.at(grads["W_embed"], words, dx)
        grads["W_proj"] = features.T @ dprev_h
        grads["b_proj"] = dprev_h.sum(axis=0)
        return loss, grads

    def step(self, features, captions):
        loss, grads = self.loss(features, captions)
        self.t += 1
        for name, dw in grads.items():
            self.m[name] = 0.9 * self.m[name] + 0.1 * dw
            self.v[name] = 0.999 * self.v[name] + 0.001 * dw**2
            m_hat = self.m[name] / (1 - 0.9**self.t)
            v_hat = self.v[name] / (1 - 0.999**self.t)
            self.params[name] = self.params[name] - 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)
        return float(loss)
