"""Writes tokenizer.json, a small part of a BERT tokenizer, and golden.json, what Hugging Face's tokenizers make of texts
with it: python3 golden.py FOLDER-WITH-A-WHOLE-TOKENIZER.JSON. Needs tokenizers (0.23.3 wrote what is here)."""
import json
import pathlib
import sys

from tokenizers import Tokenizer

here = pathlib.Path(__file__).parent
whole = json.loads((pathlib.Path(sys.argv[1]) / "tokenizer.json").read_text())

TEXTS = [
    "", " \t\n\u3000", "Where did Anna move to?", "Anna moved to Lisbon in May 2023.", "unaffable embeddings tokenised",
    "Zo\u00eb's caf\u00e9 na\u00efve r\u00e9sum\u00e9 Stra\u00dfe \u0130STANBUL \u00c5ngstr\u00f6m", "cafe\u0301 \u0301\u0301 a\u0301\u0327b",
    "\u6211\u4eca\u5929\u53bb\u4e86\u8d85\u5e02\u4e70apples", "\u6771\u4eac\u30bf\u30ef\u30fc \ud55c\uad6d\uc5b4 \uf900\u8c48", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430? \u0419\u043e\u0433\u0430",
    "\u0630\u0647\u0628\u062a \u0625\u0644\u0649 \u0627\u0644\u0633\u0648\u0642 \u05e9\u05dc\u05d5\u05dd", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3",
    "\U0001f389\U0001f389 party \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001fae8", "?!\u2026 \u2014 /// \u00ab\u00bb \u3002 ^`~$ a_b",
    "panic: runtime error\n\tmain.go:42 +0x1f", "a\u0000b\u0085c\u200bd\u00ade\u000bf\ue000g\ufffdh", "line\u2028separator no\u00a0break",
    "pneumono" * 12 + "abcd", "pneumono" * 12 + "abcde", "[CLS] [MASK] [SEP] text", "a\u0378b", "\uff21\uff22\uff23 \ufb01sh \u0663 \u09e7",
    "the quick brown fox jumps over the lazy dog " * 4, "buffalo " * 30, "lowered \u01c5 \u1e9e \u0149",
]
PAIRS = [
    ("who?", "Anna moved to Lisbon in May 2023."), ("", ""), ("who?", ""), ("the quick brown fox " * 5, "buffalo"),
    ("who went there?", "buffalo " * 30), ("the quick brown fox " * 5, "buffalo " * 30), ("buffalo " * 20, "fox " * 20),
]

# What the contract suites say, so that a model that counts equal tokens can keep them.
VOCABULARY = [
    "where did Anna move to? Anna moved to Lisbon last spring. the invoice was paid by bank transfer",
    "database connection timeouts the database connection timed out again grandmother bakes apple cake on Sundays",
    "\u4eca\u5929\u6211\u53bb\u8d85\u5e02\u4e70\u82f9\u679c \u673a\u5668\u5b66\u4e60\u6a21\u578b\u8bad\u7ec3\u5b8c\u6210 \u4e86\u5f88\u591a",
    "\u043f\u0440\u0438\u0432\u0435\u0442 \u043a\u0430\u043a \u0442\u0432\u043e\u0438 \u0434\u0435\u043b\u0430 \u0441\u0435\u0433\u043e\u0434\u043d\u044f \u043a\u0443\u0440\u0441 \u0434\u043e\u043b\u043b\u0430\u0440\u0430 \u0441\u043d\u043e\u0432\u0430 \u0432\u044b\u0440\u043e\u0441",
    "When did Caroline go to the support group? Melanie paints a sunrise over the lake. Caroline went to a support group yesterday.",
    "database connection timeout the train was late again the database connection timed out after 30 seconds: timeout",
]


def opened(config):
    t = Tokenizer.from_str(json.dumps(config))
    t.encode_special_tokens = True  # what a text says is text
    t.no_padding()
    return t


def variant(config, lower):
    config = json.loads(json.dumps(config))
    config["normalizer"]["lowercase"] = lower
    return config


used = {t["content"] for t in whole["added_tokens"]}
for lower in (True, False):
    t = opened(variant(whole, lower))
    for text in TEXTS + VOCABULARY + [text for pair in PAIRS for text in pair]:
        used.update(t.encode(text).tokens)
whole["model"]["vocab"] = {e: i for e, i in whole["model"]["vocab"].items() if e in used}
whole["truncation"] = {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
(here / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n")

golden = []
for lower in (True, False):
    t = opened(variant(whole, lower))
    for limit in (512, 21, 20):
        t.enable_truncation(limit)
        for texts in [(text,) for text in TEXTS] + PAIRS:
            if lower or limit == 512 and len(texts) == 1:
                e = t.encode(*texts)
                golden.append({"lower": lower, "limit": limit, "texts": texts, "ids": e.ids, "kinds": e.type_ids})
lines = ",\n".join(json.dumps(g, separators=(",", ":")) for g in golden)
(here / "golden.json").write_text("[" + lines + "]\n")
