"""Prints the first four numbers of vectors as Python's tokenizers and onnxruntime make them: python3 vectors.py MODELS, the
folder that make test-onnx fetched the models into."""
import pathlib
import sys

import numpy
import onnxruntime
from tokenizers import Tokenizer

TEXT = "Where did Zo\u00eb move to, \u6771\u4eac?"
for name, prefix, first in [
    ("all-minilm-l6-v2-q", "", False),
    ("bge-small-en-v1.5-q", "Represent this sentence for searching relevant passages: ", True),
    ("e5-small-v2-q", "query: ", False),
]:
    folder = pathlib.Path(sys.argv[1]) / name
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    e = tokenizer.encode(prefix + TEXT)
    feed = {"input_ids": e.ids, "attention_mask": e.attention_mask, "token_type_ids": e.type_ids}
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    wanted = {i.name for i in session.get_inputs()}
    tokens = session.run(None, {k: numpy.array([v], dtype=numpy.int64) for k, v in feed.items() if k in wanted})[0][0]
    v = tokens[0] if first else tokens.mean(axis=0)
    print(name, [o.name for o in session.get_outputs()], (v / numpy.linalg.norm(v))[:4].tolist())
