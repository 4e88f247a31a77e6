#!/usr/bin/env python3
"""Writes keras/<version>/: small models of the Keras that runs it, as .keras, .h5 and .weights.h5, with an input of each and
the output that it gives; and, by Keras 3.15.1, keras/hostile/: files that are not what they say.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install keras==3.15.1 jax==0.10.2 h5py==3.16.0
    KERAS_BACKEND=jax /tmp/venv/bin/python tests/foreign/make_keras.py

and again with keras==3.3.3 (on PyTorch: KERAS_BACKEND=torch), and with tensorflow-cpu==2.15.1 and 2.13.1 (Python 3.11), which bring Keras 2.15 and 2.13.
keras_test.cpp reads the files and needs no Python.
"""
import json
import os
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import h5py
import numpy as np

try:
    import tensorflow as tf  # Keras 2
    keras, VERSION = tf.keras, tf.__version__.rsplit(".", 1)[0]
except ImportError:
    import keras
    VERSION = keras.__version__
from_layers = keras.layers
LSTM, GRU, Bidirectional, RepeatVector = from_layers.LSTM, from_layers.GRU, from_layers.Bidirectional, from_layers.RepeatVector
TimeDistributed, Dense, Dropout = from_layers.TimeDistributed, from_layers.Dense, from_layers.Dropout
Embedding = from_layers.Embedding

FOLDER = Path(__file__).resolve().parent / "keras"
HERE = FOLDER / VERSION


def autoencoder():
    """The names are not in the order of the layers, and two layers have each other's shapes."""
    return keras.Sequential([
        keras.Input((5, 2)),
        LSTM(2, activation="relu", return_sequences=True, name="lstm_1"),
        LSTM(2, activation="softsign", recurrent_activation="elu", name="lstm"),
        RepeatVector(5),
        LSTM(3, return_sequences=True, name="decode", unit_forget_bias=False),
        TimeDistributed(Dense(2, activation="sigmoid"))])


def functional():
    """Both forms of a GRU, the dropout of layers, and a Dense that is not in a TimeDistributed."""
    x = keras.Input((5, 2))
    y = GRU(3, reset_after=False, dropout=0.25)(x)
    y = RepeatVector(5)(y)
    y = GRU(4, return_sequences=True, recurrent_dropout=0.125, use_bias=False)(y)
    y = GRU(3, return_sequences=True)(y)
    return keras.Model(x, Dense(2)(y))


def both_ways():
    """No autoencoder: a chain of layers that read in both directions, or backwards, and predict."""
    return keras.Sequential([
        keras.Input((5, 2)),
        LSTM(3, return_sequences=True, go_backwards=True),
        Bidirectional(LSTM(2, return_sequences=True)),
        Dropout(0.5),
        Bidirectional(GRU(3), merge_mode="ave"),
        Dense(3, activation="softplus", use_bias=False),
        Dense(2, activation="leaky_relu" if VERSION[0] == "3" else "linear")])


def symbols():
    """Reads indices, and says how probable each symbol is to come next."""
    return keras.Sequential([
        keras.Input((5,), dtype="int32"),
        Embedding(4, 3),
        LSTM(3, return_sequences=True),
        TimeDistributed(Dense(4, activation="softmax"))])


def draw(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([np.round(rng.normal(0, 0.5, w.shape), 2).astype(w.dtype) for w in model.get_weights()])


def tensor(values):
    values = np.asarray(values, dtype="float64")
    if values.ndim == 2:
        values = values[:, None] if values.shape[1] == 2 else values[:, :, None]
    return {"shape": list(values.shape), "data": values.ravel().tolist()}


def write(name, model, forms, results, seed=1):
    """After a step of training, so that the optimizer has moments to be found in the file; then with weights that are short."""
    x = np.round(np.random.default_rng(seed).normal(size=(3, 5, 2)), 2)
    if name == "symbols":
        x = np.floor(4 * np.random.default_rng(seed).random((3, 5))).astype("int32")
    model.compile("adam", "mse")
    model.fit(x, np.zeros(model.predict(x, verbose=0).shape), verbose=0)
    draw(model, seed)
    for form in forms:
        path = HERE / f"{name}.{form}"
        (model.save_weights if form == "weights.h5" else model.save)(path)
    results[name] = {"x": tensor(x), "output": tensor(model.predict(x, verbose=0))}


def weights_tree(path, change=None, **creation):
    """A file of weights of a single Dense of 2 inputs and 3 units, and what is wrong with it."""
    with h5py.File(HOSTILE / path, "w", libver="earliest") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=np.arange(6, dtype="float32").reshape(2, 3), **creation)
        group.create_dataset("1", data=np.arange(3, dtype="float32"))
        if change:
            change(file, group)


HOSTILE = FOLDER / "hostile"


def hostile():
    HOSTILE.mkdir(exist_ok=True)

    def replaced(make):
        def change(file, group):
            del group["0"]
            make(group)
        return change

    virtual = h5py.VirtualLayout((2, 3), "float32")
    virtual[:] = h5py.VirtualSource("other.h5", "0", (2, 3))
    weights_tree("right.weights.h5")
    weights_tree("deflated.weights.h5", compression="gzip")
    weights_tree("chunked.weights.h5", chunks=(1, 2))
    weights_tree("shuffled.weights.h5", shuffle=True, chunks=(1, 2))
    weights_tree("lzf.weights.h5", compression="lzf")
    weights_tree("soft_link.weights.h5", replaced(lambda g: g.__setitem__("0", h5py.SoftLink("/layers/dense/vars/1"))))
    weights_tree("external_link.weights.h5", replaced(lambda g: g.__setitem__("0", h5py.ExternalLink("/etc/hostname", "0"))))
    weights_tree("external_data.weights.h5", replaced(lambda g: g.create_dataset(
        "0", (2, 3), "float32", external=[("/etc/hostname", 0, 24)])))
    weights_tree("virtual.weights.h5", replaced(lambda g: g.create_virtual_dataset("0", virtual)))
    weights_tree("half.weights.h5", replaced(lambda g: g.create_dataset("0", data=np.ones((2, 3), "float16"))))
    weights_tree("whole_numbers.weights.h5", replaced(lambda g: g.create_dataset("0", data=np.ones((2, 3), "int32"))))
    # 400 GB that are nowhere: no chunk of it was written.
    weights_tree("unwritten.weights.h5", replaced(lambda g: g.create_dataset("0", (1 << 17, 1 << 20), "float32", chunks=(1, 1024))))
    # 128 MB of zeros in 130 kB: more than deflate makes of weights.
    weights_tree("bomb.weights.h5", replaced(lambda g: g.create_dataset(
        "0", data=np.zeros((1 << 22,), "float64"), compression=9, chunks=(1 << 22,))))
    weights_tree("circle.weights.h5", lambda f, g: g.__setitem__("again", f["layers"]))
    weights_tree("left_over.weights.h5", lambda f, g: g.create_dataset("2", data=np.ones(3, "float32")))
    weights_tree("not_finite.weights.h5", lambda f, g: g["1"].__setitem__(1, np.nan))
    with zipfile.ZipFile(HOSTILE / "bomb.keras", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("config.json", " " * (1 << 25))
        file.writestr("model.weights.h5", (HOSTILE / "right.weights.h5").read_bytes())
    with zipfile.ZipFile(HOSTILE / "npz.keras", "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("config.json", json.dumps(keras.saving.serialize_keras_object(autoencoder())))
        file.writestr("model.weights.npz", b"PK")


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    results = {"keras": VERSION, "command": "python tests/foreign/make_keras.py"}
    if VERSION == "3.15.1":
        # First, since Keras remembers types; else JAX computes in float32, see golden/README.md.
        from keras.src.backend.common import dtypes
        dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
        keras.config.set_floatx("float64")
        write("double", functional(), ["keras"], results)
        keras.config.set_floatx("float32")
        keras.utils.clear_session()
    # Not all of each, so that the repository stays small.
    forms = {"3.15.1": {"autoencoder": ["keras", "h5", "weights.h5"], "functional": ["keras"], "both_ways": ["keras", "h5"], "symbols": ["keras"]},
             "2.15": {"autoencoder": ["keras", "h5"], "functional": ["h5"], "both_ways": ["weights.h5"]}}
    for name, model in {"autoencoder": autoencoder, "functional": functional, "both_ways": both_ways, "symbols": symbols}.items():
        if of := forms.get(VERSION, {"autoencoder": ["keras"]}).get(name):
            write(name, model(), of, results)
    if VERSION == "3.15.1":
        hostile()
    (HERE / "outputs.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
