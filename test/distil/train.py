"""Learns the rows of the table, in two stages, and writes WORK/rows.npy.

usage: train.py WORK    WORK holds vocabulary.json, names.json, corpus.jsonl, pairs.jsonl, texts.npy and words.npy.

First the weighted sum of a text's rows learns to point where the teacher's vector of the text does. Targets are the
teacher's vectors less their mean, on their first 256 principal axes. Rows start as the teacher's vectors of single
words, each weighted by a/(a+p), p the share of texts that hold the word (SIF; Arora, Liang and Ma, 2017), and are moved
by ridge regression: minimise
    sum over texts of |x·E/n - t|^2 + ridge · sum over rows of |E - E0|^2
with x the counts of a text (1+ln n for n), t its target and n the length of x·E in the round before. A row that few
texts hold stays where it began; the lengths that come out are the weights of words.

Then weights are evened out: a row's length becomes its root, as few words would otherwise be all of a text; names count
half, as who is spoken of is in nearly every text of a conversation and is found by its letters anyway; axes are divided
by the fourth root of their variance, as the teacher's first ones tell manners of speaking more than topics.

Last, questions learn to be near their answers and far from the answers of other questions of the same kind (InfoNCE
over batches; van den Oord, Li and Vinyals, 2018), while the first lesson is rehearsed.

What is held out, and each batch, is drawn with a fixed seed. The last 768 pairs of a kind are never learned from; the
numbers of this file were chosen on them.
"""

import json
import sys

import numpy as np
import scipy.sparse as sp

from words import pieces, words

DIMENSIONS = 256
SIF = 1e-3
RIDGE = 5
HIDE = .05
HELD = 768
TOGETHER = 256  # turns of the same two speakers in "talk"
STEPS, BATCH, RATE, TEMPERATURE = 3500, 384, .02, .07
REHEARSED, REHEARSAL = 512, 4
SHARE = {"named": 2, "used": 1, "biology": 3, "disease": 2, "thread": 1.5, "within": 3.5, "talk": 2}


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


def learn(x, targets, start, ridge, rounds=2, steps=10, report=print):
    e = start
    for r in range(rounds):
        n = 1 / (np.linalg.norm(x @ e, axis=1) + 1e-6)
        n = n.astype(np.float32)
        scaled = sp.diags(n) @ x
        scaled_t = scaled.T.tocsr()
        b = scaled_t @ targets + ridge * start
        e = solve(lambda v: scaled_t @ (scaled @ v) + ridge * v, b, e, steps).astype(np.float32)
        report(r, e)
    return e


def distil(x, teacher, alone, held, taught):
    """The rows after the first stage, and the axes' variances."""
    mean = teacher.mean(0)
    variances, axes = np.linalg.eigh(np.cov((teacher - mean).T))
    variances, axes = variances[::-1][:DIMENSIONS], axes[:, ::-1][:, :DIMENSIONS].astype(np.float32)
    projected = (teacher - mean) @ axes
    targets = unit(projected)
    p = np.asarray((x > 0).sum(0)).ravel() / x.shape[0]
    start = unit((alone - alone.mean(0)) @ axes) * (SIF / (SIF + p))[:, None]
    start = (start / np.median(np.linalg.norm(x[:5000] @ start, axis=1))).astype(np.float32)
    e = learn(x[taught], targets[taught], start, RIDGE,
              report=lambda r, e: print("round", r, agreement(x[held], e, targets[held]), flush=True))
    spread = ((variances / variances[0]) ** -.25).astype(np.float32)
    return e, spread, unit(projected * spread)


def even(e, spread, vocabulary, names):
    lengths = np.linalg.norm(e, axis=1, keepdims=True) + 1e-6
    half = np.array([[.5 if w in names else 1] for w in vocabulary], np.float32)
    e = (e * spread / np.sqrt(lengths) * half).astype(np.float32)
    return e / np.median(np.linalg.norm(e, axis=1))


def ranks(pairs, e):
    """Mean reciprocal rank of the answer among the answers of the held-out questions of its kind."""
    found = {}
    for kind, (questions, answers) in pairs.items():
        q, a = unit(questions[-HELD:] @ e), unit(answers[-HELD:] @ e)
        runs = [slice(i, i + TOGETHER) for i in range(0, HELD, TOGETHER)] if kind == "talk" else [slice(0, HELD)]
        scores = [q[r] @ a[r].T for r in runs]
        found[kind] = float(np.mean([(1 / (1 + (s > np.diag(s)[:, None] + 1e-6).sum(1))).mean() for s in scores]))
    return found


def downhill(x, e):
    """The vectors of texts at length 1, and what makes of a gradient over them one over their sums."""
    s = x @ e
    n = np.linalg.norm(s, axis=1, keepdims=True) + 1e-6
    u = s / n
    return u, lambda d: (d - u * (d * u).sum(1, keepdims=True)) / n


def answer(e, pairs, x, targets, taught, rng):
    """The rows after the last stage: row-wise Adagrad (Duchi, Hazan and Singer, 2011), a batch of one kind at a time."""
    kinds = list(SHARE)
    share = np.array([SHARE[k] for k in kinds]) / sum(SHARE.values())
    seen = np.full(len(e), 1e-7, np.float32)
    for step in range(STEPS):
        kind = kinds[rng.choice(len(kinds), p=share)]
        questions, answers = pairs[kind]
        most = questions.shape[0] - HELD
        if kind == "talk":
            chosen = TOGETHER * rng.integers(most // TOGETHER) + np.arange(TOGETHER)
        else:
            chosen = rng.choice(most, min(BATCH, most), replace=False)
        again = taught[rng.integers(len(taught), size=REHEARSED)]
        xs = [questions[chosen], answers[chosen], x[again]]
        (q, q_back), (a, a_back), (u, u_back) = (downhill(part, e) for part in xs)
        close = q @ a.T / TEMPERATURE
        share_of = np.exp(close - close.max(1, keepdims=True))
        share_of /= share_of.sum(1, keepdims=True)
        off = (share_of - np.eye(len(chosen), dtype=np.float32)) / TEMPERATURE / len(chosen)
        gradients = [q_back(off @ a), a_back(off.T @ q), u_back(-REHEARSAL / REHEARSED * targets[again])]
        together = sp.vstack(xs).tocsc()
        rows = np.flatnonzero(np.diff(together.indptr))
        g = together[:, rows].T @ np.concatenate(gradients)
        seen[rows] += (g * g).mean(1)
        e[rows] -= RATE * (1 - step / STEPS) * g / np.sqrt(seen[rows])[:, None]
        if (step + 1) % 500 == 0:
            found = ranks(pairs, e)
            print("step", step + 1, {k: round(v, 3) for k, v in found.items()}, round(float(np.mean(list(found.values()))), 4), flush=True)
    return e


def main():
    work = sys.argv[1]
    rng = np.random.default_rng(20261128)
    lines = lambda name: [json.loads(line) for line in open(f"{work}/{name}.jsonl", encoding="utf-8")]
    vocabulary, names = json.load(open(f"{work}/vocabulary.json")), set(json.load(open(f"{work}/names.json")))
    teacher, alone = (np.load(f"{work}/{name}.npy").astype(np.float32) for name in ("texts", "words"))
    x = counts([line["text"] for line in lines("corpus")[:len(teacher)]], vocabulary, HIDE, rng)
    order = rng.permutation(len(teacher))
    held, taught = order[:3000], order[3000:]
    e, spread, targets = distil(x, teacher, alone, held, taught)
    e = even(e, spread, vocabulary, names)
    by_kind = {}
    for p in lines("pairs"):
        by_kind.setdefault(p["kind"], []).append(p)
    pairs = {k: tuple(counts([p[side] for p in ps], vocabulary, HIDE, rng) for side in ("query", "text")) for k, ps in by_kind.items()}
    np.save(f"{work}/rows.distilled.npy", e)
    print("distilled", ranks(pairs, e), flush=True)
    np.save(f"{work}/rows.npy", answer(e, pairs, x, targets, taught, rng))


if __name__ == "__main__":
    main()
