"""ONNX's operators one by one, the two networks that stand on them, and both against onnxruntime where it is there."""

import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch

from stages import victim
from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.networks.dnsmos import Dnsmos
from stages.networks.nsnet2 import HOP, Nsnet2
from stages.networks.onnx_graph import OPERATORS, Graph
from stages.pretraining import onnx_model

GIVEN = torch.arange(24.0).reshape(2, 3, 4) - 5


def node(operator, inputs, output, **attributes):
    return {"operator": operator, "inputs": inputs, "outputs": [output], "attributes": attributes}


def graph(nodes, constants=None) -> Graph:
    """The graph from `x` to the last node's output, with the constants' values in it."""
    constants = {name: torch.as_tensor(one) for name, one in (constants or {}).items()}
    described = {name: [list(one.shape), str(one.dtype)[6:]] for name, one in constants.items()}
    made = Graph(given="x", result=nodes[-1]["outputs"][0], nodes=nodes, constants=described)
    made.load_state_dict({f"constant_{number}": one for number, one in enumerate(constants.values())})
    return made


@pytest.mark.parametrize(
    ("operator", "constants", "attributes", "expected"),
    [
        ("Slice", [[1], [3], [2]], {}, GIVEN[:, :, 1:3]),
        ("Slice", [[-1, 0], [-4, 99], [2, 0], [-1, 1]], {}, None),
        ("Slice", [[0, 1], [9, 2], [-1, 1], [2, 1]], {}, GIVEN[:, 1:2, ::2]),
        ("Reshape", [[0, -1]], {}, GIVEN.reshape(2, 12)),
        ("Transpose", [], {"perm": [2, 0, 1]}, GIVEN.permute(2, 0, 1)),
        ("Unsqueeze", [], {"axes": [0, 3]}, GIVEN[None, :, :, None]),
        ("ReduceMax", [], {"axes": [1, 2], "keepdims": 0}, torch.tensor([6.0, 18.0])),
        ("ReduceMax", [], {"axes": [1, 2]}, torch.tensor([[[6.0]], [[18.0]]])),
        ("Gather", [1], {"axis": 1}, GIVEN[:, 1]),
        ("Gather", [[1, 0]], {"axis": 1}, GIVEN[:, [1, 0]]),
        ("Max", [0.5], {}, GIVEN.clamp_min(0.5)),
        ("Pow", [2.0], {}, GIVEN**2),
        ("Shape", [], {}, torch.tensor([2, 3, 4])),
        ("MaxPool", [], {"kernel_shape": [2], "strides": [2], "auto_pad": "VALID"}, GIVEN[:, :, 1::2]),
        ("MaxPool", [], {"kernel_shape": [2], "strides": [2], "pads": [1, 1]}, GIVEN[:, :, [0, 2, 3]]),
    ],
)
def test_operators_are_as_onnx_says(operator, constants, attributes, expected):
    names = {f"c{number}": one for number, one in enumerate(constants)}
    made = graph([node(operator, ["x", *names], "y", **attributes)], names)
    if expected is None:
        with pytest.raises(ValueError, match="step must be greater than zero"):
            made(GIVEN)
    else:
        assert torch.equal(made(GIVEN), expected)


def test_a_convolution_is_padded_on_each_side_by_its_own():
    options = {"kernel_shape": [2], "strides": [1], "dilations": [1]}
    weight = {"w": torch.tensor([[[1.0, 10.0]]]), "b": torch.tensor([100.0])}
    made = graph([node("Conv", ["x", "w", "b"], "y", pads=[2, 0], **options)], weight)
    assert made(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist() == [[[100.0, 110.0, 121.0, 132.0]]]
    with pytest.raises(UserError, match="auto_pad NOTSET or VALID; found SAME_UPPER"):
        graph([node("Conv", ["x", "w"], "y", auto_pad="SAME_UPPER", **options)], weight)(GIVEN[:, :1])


def test_a_gru_is_that_of_the_equations():
    rng = np.random.default_rng(0)
    x, w, r, b = (rng.standard_normal(shape) for shape in ((5, 2, 3), (1, 12, 3), (1, 12, 4), (1, 24)))
    state = rng.standard_normal((1, 2, 4))
    made = graph(
        [node("GRU", ["x", "w", "r", "b", "", "h"], "y", hidden_size=4, linear_before_reset=1)],
        {"w": w, "r": r, "b": b, "h": state},
    )
    h, expected = state[0], []
    for step in x:
        given, own = step @ w[0].T + b[0, :12], h @ r[0].T + b[0, 12:]
        update, reset = (1 / (1 + np.exp(-(given + own)[:, part])) for part in (slice(0, 4), slice(4, 8)))
        h = (1 - update) * np.tanh(given[:, 8:] + reset * own[:, 8:]) + update * h
        expected.append(h)
    assert np.allclose(made(torch.from_numpy(x))[:, 0], expected, atol=1e-12)


def test_silence_has_a_gradient_and_an_unknown_operator_is_told():
    zero = torch.zeros(3, requires_grad=True)
    made = graph([node("Sqrt", ["x"], "r"), node("Pow", ["r", "two"], "y")], {"two": 2.0})
    made(zero).sum().backward()
    assert zero.grad.isfinite().all()
    with pytest.raises(UserError, match=r"an ONNX graph: expected operators Add, .*; found Loop"):
        graph([node("Loop", ["x"], "y")])


def masked(gain: float) -> Nsnet2:
    """An enhancer whose mask is `gain` wherever sound is finite."""
    return Nsnet2(graph([node("Mul", ["x", "zero"], "z"), node("Add", ["z", "g"], "y")], {"zero": 0.0, "g": gain}))


def test_an_enhancer_keeps_what_its_mask_keeps_and_a_clip_fares_alike_alone():
    rng = np.random.default_rng(0)
    clips = [rng.uniform(-1, 1, size).astype("f4") for size in (1000, 1603)]
    batch = victim.padded_batch(clips, "cpu")
    batch["audio"][0, 1000:] = 9.0  # What is behind a clip's end is not heard.
    kept = masked(1.0)(batch)
    # The windows' squares add up to one but for their symmetry, and the first half window has no other.
    assert torch.allclose(kept[1, HOP:], batch["audio"][1, HOP:], atol=0.012)
    assert (kept[0, 1000:] == 0).all()
    heard = Nsnet2(graph([node("Sigmoid", ["x"], "y")]))
    alone = heard(victim.padded_batch(clips[:1], "cpu"))
    assert torch.allclose(alone[0], heard(batch)[0, :1000], atol=1e-6)
    assert torch.allclose(masked(0.0)(batch), 1e-4 * kept, atol=1e-7)
    assert torch.allclose(masked(7.0)(batch), kept)


def test_opinions_are_means_over_windows_of_a_clip_that_is_doubled_till_it_fills_one():
    # The network says three times the largest sample of a window.
    nodes = [node("ReduceMax", ["x"], "m", axes=[1]), node("Mul", ["m", "ones"], "y")]
    measure = Dnsmos(graph(nodes, {"ones": [1.0, 1.0, 1.0]}))

    def opinions(raw):
        return torch.tensor(
            [
                0.0052439 + 1.22083953 * raw - 0.08397278 * raw**2,
                -0.39604546 + 1.60915514 * raw - 0.13166888 * raw**2,
                0.04602535 + 1.11546468 * raw - 0.06766283 * raw**2,
            ]
        )

    short, long = np.full(80_000, 0.5, "f4"), np.full(176_000, 0.25, "f4")
    short[0] = 0.75
    long[0] = 1.0
    made = measure(victim.padded_batch([short, long], "cpu"))
    assert torch.allclose(made[0], opinions(0.75))
    assert torch.allclose(made[1], (opinions(1.0) + opinions(0.25)) / 2)


def test_the_networks_equal_onnxruntime(tmp_path):
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path = tmp_path / "small.onnx"
    onnx.save(small_nsnet2(onnx), path)
    (tmp_path / "made").mkdir()
    recipe = onnx_model.Recipe(file="small.onnx", network="nsnet2", sha256=None)
    onnx_model.learn(Work(tmp_path, tmp_path / "made", tmp_path, "cpu"), recipe)
    enhancer = victim.load(tmp_path / "made", device="cpu").module
    given = np.random.default_rng(0).standard_normal((2, 7, 161)).astype("f4")
    (expected,) = runtime.InferenceSession(str(path)).run(None, {"input": given})
    assert np.abs(enhancer.graph(torch.from_numpy(given)).numpy() - expected).max() < 1e-6
    wrong = onnx_model.Recipe(file="small.onnx", network="nsnet2", sha256="0" * 64)
    with pytest.raises(UserError, match="expected the SHA-256 0000"):
        onnx_model.learn(Work(tmp_path, tmp_path / "made", tmp_path, "cpu"), wrong)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match="expected an ONNX file; found"):
        onnx_model.learn(Work(tmp_path, tmp_path / "made", tmp_path, "cpu"), recipe)


def small_nsnet2(onnx):
    """A dense layer, a GRU that starts at a state made of the input's shape, and a mask, as NSNet2's graph has them."""
    rng = np.random.default_rng(1)
    make, units = onnx.helper.make_node, 6
    shapes = {
        "in": (161, 8),
        "W": (1, 3 * units, 8),
        "R": (1, 3 * units, units),
        "B": (1, 6 * units),
        "out": (units, 161),
    }
    values = {name: 0.3 * rng.standard_normal(shape).astype("f4") for name, shape in shapes.items()}
    values |= {"one": np.array([1]), "width": np.array([units])}
    nodes = [
        make("MatMul", ["input", "in"], ["dense"]),
        make("Relu", ["dense"], ["active"]),
        make("Shape", ["active"], ["shape"]),
        make("Constant", [], ["first"], value=onnx.numpy_helper.from_array(np.array(0))),
        make("Gather", ["shape", "first"], ["batch"], axis=0),
        make("Unsqueeze", ["batch"], ["batches"], axes=[0]),
        make("Concat", ["one", "batches", "width"], ["sizes"], axis=0),
        make("ConstantOfShape", ["sizes"], ["state"], value=onnx.numpy_helper.from_array(np.zeros(1, "f4"))),
        make("Transpose", ["active"], ["steps"], perm=[1, 0, 2]),
        make("GRU", ["steps", "W", "R", "B", "", "state"], ["all", "last"], hidden_size=units, linear_before_reset=1),
        make("Squeeze", ["all"], ["states"], axes=[1]),
        make("Transpose", ["states"], ["clips"], perm=[1, 0, 2]),
        make("MatMul", ["clips", "out"], ["mask"]),
        make("Sigmoid", ["mask"], ["output"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", "frames", 161])
        for name in ("input", "output")
    ]
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    whole = onnx.helper.make_graph(nodes, "small", ends[:1], ends[1:], tensors)
    return onnx.helper.make_model(whole, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=6)


def test_what_no_later_operator_asks_for_is_let_go(monkeypatch):
    seen, alive = [], []

    def watched(x):
        seen.append(weakref.ref(x))
        alive.append(sum(one() is not None for one in seen))
        return torch.relu(x)

    monkeypatch.setitem(OPERATORS, "Relu", watched)
    names = ["x", "a", "b", "c", "d"]
    chain = [node("Relu", [one], other) for one, other in pairwise(names)]
    assert torch.equal(graph(chain)(GIVEN), GIVEN.relu())
    assert alive == [1, 2, 2, 2]
    seen.clear()
    assert torch.equal(graph([*chain, node("Add", ["a", "d"], "e")])(GIVEN), 2 * GIVEN.relu())
    assert alive[4:] == [1, 2, 3, 3]
