#!/usr/bin/env python3
"""Holds save_keras against Keras 3: what it writes is opened, gives the same output, and is trained on. Run by hand, from anywhere:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install keras==3.15.1 jax==0.10.2 h5py==3.16.0
    KERAS_BACKEND=jax /tmp/venv/bin/python tests/foreign/check_with_keras.py

and with other versions and backends. It needs a C++ compiler ($CXX, or c++), Eigen, nlohmann_json, HDF5 and libzip in their usual
places. It compiles keras_check.cpp, which saves models with an input and its output; then Keras opens each, gives the same output,
fits it, and saves it, and what it saved is loaded by load_keras, with the same output as Keras's.
"""
import json
import os
import subprocess
import tempfile
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

HERE = Path(__file__).resolve().parent


def difference(got, expected):
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def main():
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        program = directory / "check"
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O1", "-I", HERE.parents[1] / "include", "-isystem",
                        "/usr/include/eigen3", "-isystem", "/usr/include/hdf5/serial", HERE / "keras_check.cpp", "-pthread", "-o",
                        program, "-lhdf5_serial", "-lzip"], check=True)

        def run(what, name):
            path = directory / f"{name}.keras"
            result = json.loads(subprocess.run([program, what, name, path], check=True, capture_output=True).stdout)
            return [np.array(result[part], dtype="float32") for part in ("x", "y")]

        print(f"Keras {keras.__version__} on {keras.backend.backend()}")
        for name in ("lstm", "gru", "both_ways", "activations", "symbols"):
            path = directory / f"{name}.keras"
            x, expected = run("write", name)
            if name == "symbols":
                x = x[:, :, 0].astype("int32")
            model = keras.saving.load_model(path)
            got = model.predict(x, verbose=0).reshape(expected.shape)
            error = difference(got, expected)
            assert error < 1e-5, (name, error)
            target = np.zeros(model.output_shape[1:], "float32")[None].repeat(len(x), 0)
            losses = model.fit(x, target, epochs=30, verbose=0).history["loss"]
            assert losses[-1] < losses[0], losses
            model.save(path)
            _, back = run("read", name)
            back_error = difference(back, model.predict(x, verbose=0).reshape(back.shape))
            assert back_error < 1e-5, (name, back_error)
            print(f"{name:12} written: differs by {error:.1e}; fit: {losses[0]:.3g} to {losses[-1]:.3g}; read again: {back_error:.1e}")


if __name__ == "__main__":
    main()
