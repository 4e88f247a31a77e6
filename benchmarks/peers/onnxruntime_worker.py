"""ONNX Runtime's side of benchmarks/peers/run: one window through an autoencoder of ONNX's own LSTM operators."""

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import protocol

THREADS = protocol.threads()


def autoencoder(features, outer, inner, steps):
    """The model as ONNX's bytes; x and y are steps x 1 x features."""
    random = numpy.random.default_rng(1)
    constants, nodes = [], []

    def constant(name, values):
        constants.append(numpy_helper.from_array(values, name))
        return name

    def some(name, *shape):
        return constant(name, random.standard_normal(shape, "float32") / numpy.sqrt(numpy.float32(shape[-1])))

    def lstm(name, x, inputs, units, sequences):
        weights = [
            some(name + ".W", 1, 4 * units, inputs),
            some(name + ".R", 1, 4 * units, units),
            constant(name + ".B", numpy.zeros((1, 8 * units), "float32")),
        ]
        outputs = [name + ".Y"] if sequences else ["", name + ".Y"]
        nodes.append(helper.make_node("LSTM", [x, *weights], outputs, hidden_size=units))
        # The axis of directions: second of a sequence, first of a state.
        axis = constant(name + ".axis", numpy.array([1 if sequences else 0], "int64"))
        nodes.append(helper.make_node("Squeeze", [name + ".Y", axis], [name]))
        return name

    x = lstm("encoder.0", "x", features, outer, True)
    code = lstm("encoder.1", x, outer, inner, False)
    nodes.append(
        helper.make_node("Expand", [code, constant("size", numpy.array([steps, 1, inner], "int64"))], ["repeat"])
    )
    x = lstm("decoder.0", "repeat", inner, inner, True)
    x = lstm("decoder.1", x, inner, outer, True)
    nodes.append(helper.make_node("MatMul", [x, some("output.kernel", outer, features)], ["product"]))
    bias = constant("output.bias", numpy.zeros(features, "float32"))
    nodes.append(helper.make_node("Add", ["product", bias], ["y"]))
    shape = [steps, 1, features]
    graph = helper.make_graph(
        nodes,
        "autoencoder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def window(features, outer, inner, steps):
    """One window through the model, with inputs and outputs bound, if that is faster."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        autoencoder(features, outer, inner, steps), options, providers=["CPUExecutionProvider"]
    )
    x = numpy.zeros((steps, 1, features), "float32")
    y = numpy.zeros_like(x)
    bound = session.io_binding()
    bound.bind_input("x", "cpu", 0, numpy.float32, x.shape, x.ctypes.data)
    bound.bind_output("y", "cpu", 0, numpy.float32, y.shape, y.ctypes.data)
    return protocol.fastest(
        {
            "bound": lambda: (session.run_with_iobinding(bound), x, y)[0],
            "plain": lambda: session.run(["y"], {"x": x}),
        }
    )


def make(kind, numbers):
    """What `run` asks to measure."""
    return window(*numbers) if kind == "window" else None


protocol.serve("ONNX Runtime " + onnxruntime.__version__, make)
