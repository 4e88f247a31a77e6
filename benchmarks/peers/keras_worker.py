"""Keras's side of benchmarks/peers/run; KERAS_BACKEND says on what."""

import os
import time

import numpy

import protocol

THREADS = protocol.threads()
BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "tensorflow":
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(THREADS)
    tensorflow.config.threading.set_inter_op_parallelism_threads(THREADS)
    VERSION = "TensorFlow " + tensorflow.__version__
else:
    import jax

    VERSION = "JAX " + jax.__version__

import keras  # noqa: E402  after the threads are set


def autoencoder(features, outer, inner, steps, activation, rate, jit):
    """The autoencoder of so many units, ready to be trained."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((steps, features)),
            layers.LSTM(outer, activation=activation, return_sequences=True),
            layers.LSTM(inner, activation=activation),
            layers.RepeatVector(steps),
            layers.LSTM(inner, activation=activation, return_sequences=True),
            layers.LSTM(outer, activation=activation, return_sequences=True),
            layers.TimeDistributed(layers.Dense(features)),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", jit_compile=jit)
    return model


def jit_choices():
    """Compiled by XLA or not; on JAX there is no use in not."""
    return {"jit": True, "graph": False} if BACKEND == "tensorflow" else {"jit": True}


def step(features, outer, inner, steps, batch):
    """Forward, backward and Adam on one batch."""
    x = numpy.random.default_rng(1).standard_normal((batch, steps, features), "float32")
    if BACKEND == "tensorflow":
        x = tensorflow.constant(x)

    def with_jit(jit):
        model = autoencoder(features, outer, inner, steps, "tanh", 1e-3, jit)
        return lambda: model.train_on_batch(x, x)  # gives the loss as a number, so that it waits

    return protocol.fastest({name: with_jit(jit) for name, jit in jit_choices().items()})


def make(kind, numbers):
    """What `run` asks to measure."""
    return step(*numbers) if kind == "step" else None


KEPT_FITS = {}  # on TensorFlow: {epochs: (note, fit)}


def whole_fit(numbers):
    """So many epochs on 91 windows of 4 integers, in milliseconds without and with compilation.

    With: the fit of a new model, nothing compiled before. Without: the next fit of the same model. On TensorFlow
    the faster of its two models is kept, and only the time without is measured again.
    """
    epochs = numbers[0]
    if epochs in KEPT_FITS:
        note, fit = KEPT_FITS[epochs]
        return {"ms": fit(epochs), "note": note}
    series = numpy.array([(i * i + i // 3) % 4 for i in range(94)], "float32")
    x = numpy.lib.stride_tricks.sliding_window_view(series, 4)[:, :, None].copy()
    best = {}
    for name, jit in jit_choices().items():
        keras.backend.clear_session()
        if BACKEND == "jax":
            jax.clear_caches()
        model = autoencoder(1, 32, 16, 4, "relu", 1e-4, jit)

        def fit(count, model=model):
            start = time.perf_counter()
            model.fit(x, x, epochs=count, batch_size=32, validation_split=0.1, verbose=0)
            return 1e3 * (time.perf_counter() - start)

        first, second = fit(epochs), fit(epochs)
        if not best or second < best["ms"]:
            best = {"ms": second, "ms_with_compilation": first, "note": name}
            if BACKEND == "tensorflow":
                KEPT_FITS[epochs] = (name, fit)
    return best


protocol.serve(f"Keras {keras.__version__} on {VERSION}", make, {"fit": whole_fit})
