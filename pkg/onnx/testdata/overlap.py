"""Writes overlap/model.onnx, a cross-encoder of a kilobyte that counts which of the question's tokens stand in the text:
python3 overlap.py. Needs onnx (1.23.2 wrote what is here). It has what a real one has of inputs and outputs and is as good as
none for anything but tests."""
import pathlib

from onnx import TensorProto, checker, helper, save

INT, FLOAT = TensorProto.INT64, TensorProto.FLOAT
WORDS = 999  # from here on BERT's ids are words and punctuation, not marks

nodes, constants = [], []


def constant(name, kind, values, shape):
    constants.append(helper.make_tensor(name, kind, shape, values))
    return name


def op(kind, *inputs, **attributes):
    name = f"v{len(nodes)}"
    nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
    return name


one = constant("one", INT, [1], [1])
two = constant("two", INT, [2], [1])
words = op("Cast", op("Greater", "input_ids", constant("words", INT, [WORDS], [1])), to=INT)
words = op("Mul", words, "attention_mask")
asked = op("Cast", op("Mul", words, op("Sub", one, "token_type_ids")), to=FLOAT)
said = op("Cast", op("Mul", words, "token_type_ids"), to=FLOAT)
equal = op("Cast", op("Equal", op("Unsqueeze", "input_ids", two), op("Unsqueeze", "input_ids", one)), to=FLOAT)
found = op("Mul", op("Mul", equal, op("Unsqueeze", asked, two)), op("Unsqueeze", said, one))
hits = op("ReduceSum", op("ReduceMax", found, two, keepdims=0), one, keepdims=1)
share = op("Div", hits, op("Add", op("ReduceSum", asked, one, keepdims=1), constant("unit", FLOAT, [1], [1])))
logits = op("Sub", op("Mul", share, constant("scale", FLOAT, [8], [1])), constant("middle", FLOAT, [4], [1]))
nodes.append(helper.make_node("Identity", [logits], ["logits"]))

graph = helper.make_graph(
    nodes, "overlap",
    [helper.make_tensor_value_info(n, INT, ["batch", "sequence"]) for n in ("input_ids", "attention_mask", "token_type_ids")],
    [helper.make_tensor_value_info("logits", FLOAT, ["batch", 1])], constants,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
checker.check_model(model)
folder = pathlib.Path(__file__).parent / "overlap"
folder.mkdir(exist_ok=True)
save(model, folder / "model.onnx")
