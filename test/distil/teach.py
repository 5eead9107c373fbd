"""Asks the teacher: writes WORK/words.npy and WORK/texts.npy, its vectors of the entries and of the first texts.

usage: teach.py WORK [TEXTS]    WORK holds model.onnx, tokenizer.json, words.jsonl and corpus.jsonl.

The teacher is BGE-small-en-v1.5: the vector of a text is that of its first token, at length 1, 384 values.
"""

import itertools
import json
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

LONGEST = 128  # tokens of a text the teacher reads
BATCH = 1024  # tokens of a batch, padding included


class Teacher:
    def __init__(self, at):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(f"{at}/model.onnx", options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(f"{at}/tokenizer.json")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(LONGEST)
        self.inputs = [i.name for i in self.session.get_inputs()]

    def embed(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
        vectors, at = [None] * len(texts), 0
        while at < len(order):
            end = at + 1
            while end < len(order) and (end - at + 1) * len(encoded[order[end]].ids) <= BATCH:
                end += 1
            batch, at = order[at:end], end
            longest = len(encoded[batch[-1]].ids)
            ids = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, :len(encoded[i].ids)] = encoded[i].ids
                mask[row, :len(encoded[i].ids)] = 1
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            first = self.session.run(None, {k: given[k] for k in self.inputs})[0][:, 0]
            for i, v in zip(batch, first / np.linalg.norm(first, axis=1, keepdims=True)):
                vectors[i] = v
        return np.array(vectors)


def main(work, most=52000):
    teacher = Teacher(work)
    for name, count, block in ("words", None, 1000), ("texts", int(most), 500):
        file = "words" if name == "words" else "corpus"
        texts = [json.loads(line)["text"] for line in itertools.islice(open(f"{work}/{file}.jsonl", encoding="utf-8"), count)]
        vectors = []
        for at in range(0, len(texts), block):
            vectors.append(teacher.embed(texts[at:at + block]).astype(np.float16))
            print(name, at + len(vectors[-1]), flush=True)
        np.save(f"{work}/{name}.npy", np.concatenate(vectors))


if __name__ == "__main__":
    main(*sys.argv[1:])
