"""Learns the rows of the table: the weighted sum of a text's rows shall point where the teacher's vector of the text does.

usage: train.py WORK [--rows N] [--ridge X] ...    WORK holds vocabulary.json, corpus.jsonl and the teacher's vectors.

Targets are the teacher's vectors less their mean, on their first 256 principal axes, at length 1. Rows start as the
teacher's vectors of single words, each weighted by a/(a+p), p the share of texts that hold the word (SIF; Arora, Liang
and Ma, 2017). They are then moved by ridge regression towards what the texts say: minimise
    sum over texts of |x·E/n - t|^2 + ridge · sum over rows of |E - E0|^2
with x the counts of a text (1+ln n for n), t its target and n the length of x·E in the round before. A row that few
texts hold stays where it began, one that many hold goes where they pull it, and its length becomes its weight.
Solved by conjugate gradients: no learning rate, and no chance but the choice of what is held out (fixed seed).
"""

import argparse
import json

import numpy as np
import scipy.sparse as sp

from words import pieces, words

DIMENSIONS = 256
SIF = 1e-3


def counts(texts, vocabulary, hide, rng):
    """Texts by rows. A share of words, hide, is taken apart as if the vocabulary lacked them, so that pieces learn."""
    rows = {w: i for i, w in enumerate(vocabulary)}
    ends, columns, values = [0], [], []
    for text in texts:
        seen = {}
        for w in words(text):
            row = rows.get(w)
            if row is not None and rng.random() >= hide:
                parts = [row]
            else:
                kept = rows.pop(w, None)
                parts = pieces(w, rows)
                if kept is not None:
                    rows[w] = kept
            for p in parts:
                seen[p] = seen.get(p, 0) + 1
        columns += seen
        values += [1 + np.log(n) for n in seen.values()]
        ends.append(len(columns))
    return sp.csr_matrix((np.array(values, np.float32), np.array(columns, np.int32), np.array(ends)), (len(texts), len(vocabulary)))


def unit(x):
    return x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-9)


def solve(apply, b, x, steps):
    """Conjugate gradients for many right sides at once."""
    r = b - apply(x)
    p, rr = r.copy(), (r * r).sum(0)
    for _ in range(steps):
        ap = apply(p)
        step = rr / ((p * ap).sum(0) + 1e-20)
        x = x + step * p
        r = r - step * ap
        new = (r * r).sum(0)
        p = r + new / (rr + 1e-20) * p
        rr = new
    return x


def agreement(x, e, targets):
    """How a model does on texts it did not learn from: mean cosine to the teacher, correlation of similarities."""
    s = unit(x @ e)
    half = len(targets) // 2
    a, b = s[:half] @ s[half:].T, targets[:half] @ targets[half:].T
    return float((s * targets).sum(1).mean()), float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def learn(x, targets, start, ridge, rounds=4, steps=12, report=print):
    e = start
    xt = x.T.tocsr()
    for r in range(rounds):
        n = 1 / (np.linalg.norm(x @ e, axis=1) + 1e-6)
        n = (n / np.median(n)).astype(np.float32) if r == 0 else n.astype(np.float32)
        scaled = sp.diags(n) @ x
        scaled_t = scaled.T.tocsr()
        b = scaled_t @ targets + ridge * start
        e = solve(lambda v: scaled_t @ (scaled @ v) + ridge * v, b, e, steps).astype(np.float32)
        report(r, e)
    return e


def main():
    a = argparse.ArgumentParser()
    a.add_argument("work")
    a.add_argument("--rows", type=int, default=50000)
    a.add_argument("--ridge", type=float, nargs="*", default=[3])
    a.add_argument("--hide", type=float, default=.05)
    a = a.parse_args()
    rng = np.random.default_rng(20261128)
    load = lambda name: np.load(f"{a.work}/{name}.npy").astype(np.float32)
    vocabulary = json.load(open(f"{a.work}/vocabulary.json"))[:a.rows]
    teacher, alone = load("texts"), load("words")[:len(vocabulary)]
    texts = [json.loads(line)["text"] for line in open(f"{a.work}/corpus.jsonl", encoding="utf-8")][:len(teacher)]
    mean = teacher.mean(0)
    values, axes = np.linalg.eigh(np.cov((teacher - mean).T))
    axes = axes[:, ::-1][:, :DIMENSIONS].astype(np.float32)
    print(f"{len(texts)} texts, {len(vocabulary)} rows; {DIMENSIONS} axes keep {values[::-1][:DIMENSIONS].sum() / values.sum():.3f}")
    targets = unit((teacher - mean) @ axes)
    order = rng.permutation(len(texts))
    held, taught = order[:3000], order[3000:]
    x = counts([texts[i] for i in taught], vocabulary, a.hide, rng)
    held_x = counts([texts[i] for i in held], vocabulary, 0, rng)
    p = np.asarray((x > 0).sum(0)).ravel() / len(taught)
    start = np.zeros((len(vocabulary), DIMENSIONS), np.float32)
    start[:len(alone)] = unit((alone - alone.mean(0)) @ axes)
    start *= (SIF / (SIF + p))[:, None]
    start *= 1 / np.median(np.linalg.norm(x @ start, axis=1))
    print("start", agreement(held_x, start, targets[held]), flush=True)
    best = None
    for ridge in a.ridge:
        e = learn(x, targets[taught], start, ridge, report=lambda r, e: print(ridge, r, agreement(held_x, e, targets[held]), flush=True))
        score = agreement(held_x, e, targets[held])[1]
        if best is None or score > best[0]:
            best = score, e
    np.save(f"{a.work}/rows.npy", best[1])


if __name__ == "__main__":
    main()
