"""Room of learning: an ONNX file as the plain graph and the tensors that `stages.networks.onnx_graph` computes with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stages.frame.errors import UserError

if TYPE_CHECKING:
    import onnx

DO = "fetch it again"


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `onnx_graph.Graph` is made of, and its state.

    Raises:
        UserError: the file is damaged or no graph of one input and one output, or the package onnx is not there.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise UserError(path, "the package onnx, which reads it", "none", "pip install onnx==1.22.0") from error
    try:
        graph = onnx.load_model(path, load_external_data=False).graph
        tensors = {one.name: _tensor(one) for one in graph.initializer}
    # A damaged file ends in errors of protobuf, numpy and onnx.
    except Exception as error:
        raise UserError(path, "an ONNX file", f"{type(error).__name__}: {str(error)[:200]}", DO) from error
    given = [one.name for one in graph.input if one.name not in tensors]
    if len(given) != 1 or len(graph.output) != 1:
        found = f"{len(given)} and {len(graph.output)}"
        raise UserError(path, "a graph of one input and one output", found, "name another file")
    tensors |= {node.output[0]: _tensor(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
    described = {
        "given": given[0],
        "result": graph.output[0].name,
        "nodes": [_described(node) for node in graph.node if node.op_type != "Constant"],
        "constants": {name: [list(one.shape), str(one.dtype)[len("torch.") :]] for name, one in tensors.items()},
    }
    return described, {f"constant_{number}": one for number, one in enumerate(tensors.values())}


def _described(node: "onnx.NodeProto") -> dict[str, Any]:
    attributes = {one.name: _plain(one) for one in node.attribute}
    inputs, outputs = list(node.input), list(node.output)
    return {"operator": node.op_type, "inputs": inputs, "outputs": outputs, "attributes": attributes}


def _plain(attribute: "onnx.AttributeProto") -> Any:
    """An attribute as JSON has it; of a tensor its one number."""
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return _tensor(value).item()
    return list(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def _tensor(proto: "onnx.TensorProto") -> Tensor:
    import onnx

    return torch.from_numpy(onnx.numpy_helper.to_array(proto).copy())
