#!/usr/bin/env python3
"""Holds reprise's files against Python's safetensors package, in both directions. Run by hand, from anywhere:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy safetensors
    /tmp/venv/bin/python tests/safetensors/check_with_python.py

It needs a C++ compiler ($CXX, or c++), Eigen and nlohmann_json in their usual places. It compiles python_check.cpp, which trains a
model and saves it; then
1. the package opens the file, its checksum is what hashlib makes of it, and Keras's equations in NumPy on its tensors, as they stand, give the output that the model gave;
2. the package writes the same tensors and metadata into another file, and reprise makes the same output of that, bit for bit.

With --fixture it also writes written_by_python.safetensors, which safetensors_test.cpp reads: the file of 2, with weights that
count up.
"""
import argparse
import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0), "tanh": np.tanh, "sigmoid": sigmoid, "linear": lambda x: x}


def lstm(x, tensors, options):
    """Keras's LSTM: x (batch, steps, I), kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H), gates i, f, c, o."""
    activation = ACTIVATIONS[options["activation"]]
    recurrent_activation = ACTIVATIONS[options["recurrent_activation"]]
    units = options["units"]
    h = c = np.zeros((x.shape[0], units))
    states = []
    for t in range(x.shape[1]):
        z = x[:, t] @ tensors["kernel"] + h @ tensors["recurrent_kernel"] + tensors["bias"]
        i, f, g, o = (z[:, k * units:(k + 1) * units] for k in range(4))
        c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
        h = recurrent_activation(o) * activation(c)
        states.append(h)
    return np.stack(states, axis=1) if options["return_sequences"] else h


def autoencoder(x, tensors, options):
    def layer(prefix):
        return {name[len(prefix):]: t.astype(np.float64) for name, t in tensors.items() if name.startswith(prefix)}

    for n, layer_options in enumerate(options["encoder"]):
        x = lstm(x, layer(f"encoder.{n}."), layer_options)
    x = np.repeat(x[:, None, :], options["steps"], axis=1)
    for n, layer_options in enumerate(options["decoder"]):
        x = lstm(x, layer(f"decoder.{n}."), layer_options)
    dense = layer("output.")
    return ACTIVATIONS[options["output_activation"]](x @ dense["kernel"] + dense["bias"])


def checksum(metadata, tensors):
    """The entry "checksum" of the metadata, without which no file of version 2 is read: see io/safetensors_file.hpp."""
    h = hashlib.blake2b(digest_size=16)

    def number(n):
        h.update(n.to_bytes(8, "little"))

    def text(data):
        number(len(data))
        h.update(data)

    names = sorted(set(metadata) - {"checksum"})
    number(len(names))
    for name in names:
        text(name.encode())
        text(metadata[name].encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        text(name.encode())
        text({"float32": b"F32", "float64": b"F64"}[str(tensor.dtype)])
        number(tensor.ndim)
        for extent in tensor.shape:
            number(extent)
        text(tensor.tobytes())
    return h.hexdigest()


def save(tensors, path, metadata):
    save_file(tensors, path, metadata=metadata | {"checksum": checksum(metadata, tensors)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixture", action="store_true", help="write written_by_python.safetensors")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        program, ours, theirs = directory / "check", directory / "ours.safetensors", directory / "theirs.safetensors"
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O1", "-I", HERE.parents[1] / "include", "-isystem",
                        "/usr/include/eigen3", HERE / "python_check.cpp", "-pthread", "-o", program], check=True)

        def run(what, path):
            return json.loads(subprocess.run([program, what, path], check=True, capture_output=True).stdout)

        result = run("write", ours)
        with safe_open(ours, framework="np") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        for name, tensor in tensors.items():
            print(f"{name:45} {tensor.dtype} {tensor.shape}")
        options, training = json.loads(metadata["options"]), json.loads(metadata["training"])
        units, features = options["encoder"][0]["units"], options["features"]
        assert (metadata["format"], metadata["format_version"], metadata["model"]) == ("reprise", "2", "Autoencoder")
        assert metadata["checksum"] == checksum(metadata, tensors)
        assert (training["optimizer"]["kind"], training["step"], training["epochs"]) == ("AdamW", 2, 1)
        assert tensors["encoder.0.kernel"].shape == (features, 4 * units)
        assert tensors["encoder.0.recurrent_kernel"].shape == (units, 4 * units)
        assert tensors["encoder.0.bias"].shape == (4 * units,)
        assert tensors["output.kernel"].shape == (options["decoder"][-1]["units"], features)
        for moment in ("first", "second"):
            assert tensors[f"optimizer.{moment}.encoder.0.kernel"].shape == (features, 4 * units)
        data_start = 8 + int.from_bytes(ours.read_bytes()[:8], "little")
        assert data_start % 8 == 0

        expected = np.array(result["output"])
        got = autoencoder(np.array(result["input"]), tensors, options)
        error = np.abs(got - expected).max() / np.abs(expected).max()
        print(f"NumPy with the tensors of the file: differs by {error:.1e} of the largest value")
        assert error < 1e-6

        save(tensors, theirs, metadata | {"note": "rewritten by Python"})
        assert run("read", theirs) == result
        print("rewritten by Python: the same output, bit for bit")

        if arguments.fixture:
            first = 0.0
            for side in ("encoder.0", "decoder.0", "output"):
                for kind in ("kernel", "recurrent_kernel", "bias"):
                    name = f"{side}.{kind}"
                    if name in tensors:
                        shape = tensors[name].shape
                        tensors[name] = (first + np.arange(np.prod(shape)) / 64).reshape(shape).astype(np.float32)
                        first += 1
            save(tensors, HERE / "written_by_python.safetensors", metadata | {"note": "rewritten by Python"})


if __name__ == "__main__":
    main()
