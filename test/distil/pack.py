"""Writes the table pkg/embed reads (its table.go has the format), and texts with their vectors to hold the two together.

usage: pack.py WORK TABLE SAMPLES
"""

import json
import sys

import numpy as np

from words import pieces, words

SEED = 0xCBF29CE484222325
SAMPLES = """When did Caroline go to the LGBTQ support group?
My sister's doctor moved to Lisbon; I don't know why.
panic: runtime error
The PostgreSQL backup timed out after 30 seconds, so we restarted it. It timed out again.
Unbelievably floccinaucinihilipilificatious gobbledygookery
Zoë’s café in São Paulo
to be or not to be
MRSA infections are treated with vancomycin.""".split("\n")


def slot(entry, slots):
    h = SEED
    for b in entry.encode():
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return (h ^ h >> 32) & (slots - 1)


def quantise(e):
    """Rows as int8 values and uint16 scales; one scale is 1/unit of the original."""
    most = np.abs(e).max(1)
    unit = 65535 / (most.max() / 127)
    scales = np.maximum(1, np.round(most / 127 * unit)).astype(np.uint16)
    values = np.clip(np.round(e * unit / scales[:, None]), -127, 127).astype(np.int8)
    return values, scales


def pack(vocabulary, values, scales, path):
    slots = 1 << (len(vocabulary) * 3 // 2).bit_length()
    index = np.zeros(slots, "<u2")
    for row, entry in enumerate(vocabulary):
        at = slot(entry, slots)
        while index[at]:
            at = (at + 1) % slots
        index[at] = row + 1
    entries = [v.encode() for v in vocabulary]
    lengths = np.linalg.norm(values.astype(np.float64) * scales[:, None], axis=1)
    header = np.array([len(vocabulary), slots, int(np.median(lengths)) * 64, sum(map(len, entries))], "<u4")
    with open(path, "wb") as f:
        f.write(b"rae-tab1" + header.tobytes() + index.tobytes())
        f.write(np.cumsum([len(e) for e in entries]).astype("<u4").tobytes() + b"".join(entries))
        f.write(scales.astype("<u2").tobytes() + values.tobytes())


def vector(text, rows, e):
    seen = {}
    for w in words(text):
        for r in [rows[w]] if w in rows else pieces(w, rows):
            seen[r] = seen.get(r, 0) + 1
    v = sum((1 + np.log(n)) * e[r] for r, n in seen.items())
    return v / np.linalg.norm(v)


def main(work, table, samples):
    e = np.load(f"{work}/rows.npy").astype(np.float64)
    vocabulary = json.load(open(f"{work}/vocabulary.json"))[:len(e)]
    values, scales = quantise(e)
    pack(vocabulary, values, scales, table)
    rows = {w: i for i, w in enumerate(vocabulary)}
    with open(samples, "w", encoding="utf-8") as f:
        for text in SAMPLES:
            v = vector(text, rows, values * scales[:, None].astype(np.float64))
            f.write(json.dumps({"text": text, "vector": [round(float(x), 4) for x in v]}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
