"""Writes the table's entries in their order, and which of them are names.

usage: vocabulary.py SOURCES WORK    WORK holds the teacher's tokenizer.json and corpus.jsonl.

50,000 entries: the words and pieces of the teacher's own vocabulary that are ASCII, then the words the corpus has most
often, then those of word lists from common to rare. A name is what the lists have as a name and not as a word.
"""

import json
import os
import sys

from words import vocabulary, words

SIZE = 50000
COMMON = ["english-words.10", "american-words.10", "english-words.20", "english-words.35", "american-words.35"]
NAMES = ["english-proper-names.50", "english-upper.50"]
LATER = ["american-upper.50", "english-words.40", "english-words.50"]


def main(at, work):
    lists = f"{at}/scowl/usr/share/dict/scowl"
    read = lambda name: open(f"{lists}/{name}", encoding="latin1").read().split("\n") if os.path.exists(f"{lists}/{name}") else []
    tokens = json.load(open(f"{work}/tokenizer.json"))["model"]["vocab"]
    corpus = [json.loads(line)["text"] for line in open(f"{work}/corpus.jsonl", encoding="utf-8")]
    entries = vocabulary(sorted(tokens, key=tokens.get), corpus, [read(n) for n in COMMON + NAMES + LATER], SIZE)
    plain = {w for n in COMMON + LATER + ["american-words.20"] for w in read(n) if w[:1].islower()}
    named = {w for n in NAMES + ["english-upper.35", "english-proper-names.80"] for line in read(n) for w in words(line)}
    json.dump(entries, open(f"{work}/vocabulary.json", "w"))
    json.dump([w for w in entries if w in named and w not in plain], open(f"{work}/names.json", "w"))
    with open(f"{work}/words.jsonl", "w") as f:
        for w in entries:
            f.write(json.dumps({"text": w.removeprefix("##")}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
