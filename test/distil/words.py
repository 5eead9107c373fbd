"""Texts as rows of the table: the tokenizer of pkg/embed (text.Words and word pieces), written a second time.

TestStaticIsWhatWasDistilled holds the two together.
"""

import re
import unicodedata
from collections import Counter

PIECE = "##"  # before what continues a word
LONGEST = 24  # bytes of the longest entry
LONGEST_WORD = 64  # bytes of the longest word taken to pieces

_word = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")


def words(text):
    """As text.Words does it for scripts with spaces."""
    found = []
    for w in _word.findall(unicodedata.normalize("NFC", text)):
        w = w.lower().replace("’", "'")
        if w.endswith("'s"):
            w = w[:-2]
        w = "".join(c for c in unicodedata.normalize("NFKD", w) if c != "'" and not unicodedata.combining(c))
        if w:
            found.append(w)
    return found


def pieces(word, rows):
    """The rows of a word that has none: from the left the longest that fits, as many as there are."""
    found, at = [], 0
    if len(word.encode()) > LONGEST_WORD:
        return found
    while at < len(word):
        for end in range(min(len(word), at + LONGEST - (len(PIECE) if at else 0)), at, -1):
            row = rows.get((PIECE if at else "") + word[at:end])
            if row is not None:
                found.append(row)
                at = end
                break
        else:
            at += 1
    return found


def vocabulary(teacher_words, corpus, lists, size):
    """size entries: the teacher's own, what the corpus has most often, then the lists in their order."""
    ascii_word = re.compile(r"[a-z0-9]{1,%d}$" % LONGEST)
    ascii_piece = re.compile(r"##[a-z0-9]{1,%d}$" % (LONGEST - 2))
    chosen = dict.fromkeys(w for w in teacher_words if ascii_word.match(w) or ascii_piece.match(w))
    seen = Counter(w for text in corpus for w in words(text))
    for w, n in sorted(seen.items(), key=lambda x: (-x[1], x[0])):
        if n >= 3 and ascii_word.match(w):
            chosen.setdefault(w)
    for listed in lists:
        for w in listed:
            for part in words(w):
                if ascii_word.match(part):
                    chosen.setdefault(part)
    return list(chosen)[:size]
