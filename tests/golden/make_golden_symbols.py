#!/usr/bin/env python3
"""Writes symbols.json: networks that read symbols (indices) and predict them, by Keras in float64. Tensors and versions as in
make_golden.py, beside which it stands.

A case has `layers`, each with Keras's configuration; `x`, the indices (batch, step); `y`, those that came; `lengths` where samples
are of different lengths: index 0 is then padding (mask_zero) and stands behind them. `output` are the logits, `probabilities` their
softmax. `loss` is the sparse categorical cross-entropy from logits with the sample weights, `gradient` its gradient, and `adam` five
steps of training.
"""
import argparse
from pathlib import Path

from make_golden import dump, made_by, must_agree, native, short, tensor

import jax
import keras
import numpy as np

HERE = Path(__file__).resolve().parent
RATE, ADAM_STEPS = 0.01, 5


def keras_layer(kind, config):
    if kind == "one_hot":
        return keras.layers.CategoryEncoding(output_mode="one_hot", dtype="float64", **config)
    return {"embedding": keras.layers.Embedding, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "dense": keras.layers.Dense,
            "repeat": keras.layers.RepeatVector}[kind](**config)


def draw(rng, variable):
    scale = 0.8 if "embeddings" in variable.path else 0.3 if "bias" in variable.path else 1.6 / np.sqrt(variable.shape[0])
    return short(rng.normal(0, scale, variable.shape))


def to_ours(model, layers, values):
    """By the names that our chain gives them; the rows of a GRU's bias of shape (2, 3H) are two biases."""
    named, values = {}, [np.asarray(v) for v in values]
    for (name, kind, _), layer in zip(layers, model.layers):
        for variable in layer.trainable_variables:
            value, own = values.pop(0), variable.name
            if own == "bias" and value.ndim == 2:
                named[f"{name}.bias"], named[f"{name}.recurrent_bias"] = value
            else:
                named[f"{name}.{own}"] = value
    assert not values
    return {name: tensor(value) for name, value in named.items()}


def case(seed, name, symbols, layers, steps=5, batch=4, lengths=None, weighted=False):
    rng = np.random.default_rng([700, seed])
    if lengths is not None:
        batch, steps = len(lengths), max(lengths)
    mask = np.arange(steps)[None, :] < np.asarray(lengths if lengths is not None else [steps] * batch)[:, None]
    first = 1 if lengths is not None else 0
    x = rng.integers(first, symbols, (batch, steps)) * mask
    y = rng.integers(0, symbols, (batch, steps)) * mask
    weights = short(rng.uniform(0.3, 2, batch), 3) if weighted else None
    model = keras.Sequential([keras.layers.Input((steps,), dtype="int32")] + [keras_layer(kind, config) for _, kind, config in layers])
    start = [draw(rng, v) for v in model.trainable_variables]
    others = [np.asarray(v) for v in model.non_trainable_variables]
    if len(model.output_shape) == 2:  # the last state alone predicts: one target a sample
        y, targets = y[:, -1], np.ones(batch, bool)
    else:
        targets = mask

    def call(values):
        return model.stateless_call(values, others, jax.numpy.asarray(x))[0]

    def loss_of(values):
        weight = None if weights is None else native(weights if y.ndim == 1 else weights[:, None])
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)(jax.numpy.asarray(y), call(values), sample_weight=weight)

    output = np.asarray(call([native(v) for v in start]))
    loss, gradient = jax.value_and_grad(loss_of)([native(v) for v in start])
    shifted = output - output.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    each = -np.take_along_axis(log_p, y[..., None], axis=-1)[..., 0] * targets
    if weights is not None:
        each = each * (weights if y.ndim == 1 else weights[:, None])
    must_agree(f"{name}, loss", loss, each.sum() / targets.sum())
    probabilities = keras.ops.softmax(native(output))
    must_agree(f"{name}, softmax", probabilities, np.exp(log_p))
    assert min(float(np.abs(g).max()) for g in gradient) > 1e-3, name

    for variable, value in zip(model.trainable_variables, start):
        variable.assign(native(value))
    optimizer = keras.optimizers.Adam(learning_rate=RATE)
    optimizer.build(model.trainable_variables)
    losses = []
    for _ in range(ADAM_STEPS):
        step_loss, step_gradient = jax.value_and_grad(loss_of)([v.value for v in model.trainable_variables])
        losses.append(float(step_loss))
        optimizer.apply(step_gradient, model.trainable_variables)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}", flush=True)
    result = {"name": name, "symbols": symbols, "layers": [{"name": n, "kind": k, "config": c} for n, k, c in layers],
              "x": tensor(x), "y": tensor(y)}
    if lengths is not None:
        result["lengths"] = lengths
    if weights is not None:
        result["sample_weight"] = weights.tolist()
    return result | {"parameters": to_ours(model, layers, start), "output": tensor(output), "probabilities": tensor(probabilities),
                     "loss": float(loss), "gradient": to_ours(model, layers, gradient),
                     "adam": {"learning_rate": RATE, "losses": losses,
                              "parameters": to_ours(model, layers, [v.value for v in model.trainable_variables])}}


def embedding(symbols, size, **more):
    return ("embedding", "embedding", {"input_dim": symbols, "output_dim": size, **more})


def recurrent(name, kind, units, sequences=True):
    return (name, kind, {"units": units, "return_sequences": sequences})


def output(symbols):
    return ("output", "dense", {"units": symbols})


LENGTHS = [6, 4, 4, 2]  # the longest first
MASKED = {"mask_zero": True}


def cases():
    yield dict(name="embedding and dense", symbols=5, layers=[embedding(5, 3), output(5)])
    yield dict(name="next symbol, two LSTMs", symbols=6,
               layers=[embedding(6, 3), recurrent("layers.0", "lstm", 4), recurrent("layers.1", "lstm", 3), output(6)])
    yield dict(name="next symbol, two LSTMs, lengths and weights", symbols=6, lengths=LENGTHS, weighted=True,
               layers=[embedding(6, 3, **MASKED), recurrent("layers.0", "lstm", 4), recurrent("layers.1", "lstm", 3), output(6)])
    yield dict(name="next symbol, GRU, lengths", symbols=4, lengths=LENGTHS,
               layers=[embedding(4, 2, **MASKED), recurrent("layers.0", "gru", 5), output(4)])
    yield dict(name="next symbol of a window, lengths and weights", symbols=5, lengths=LENGTHS, weighted=True,
               layers=[embedding(5, 3, **MASKED), recurrent("layers.0", "lstm", 4, False), output(5)])
    yield dict(name="one-hot, GRU, weights", symbols=4, weighted=True,
               layers=[("one_hot", "one_hot", {"num_tokens": 4}), recurrent("layers.0", "gru", 4), output(4)])
    yield dict(name="autoencoder", symbols=5,
               layers=[embedding(5, 3), recurrent("encoder.0", "lstm", 4, False), ("repeat", "repeat", {"n": 5}),
                       recurrent("decoder.0", "lstm", 4), output(5)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    made = made_by(command="python tests/golden/make_golden_symbols.py", objective="the weighted loss")
    path = options.out / "symbols.json"
    path.write_text(dump({"made_by": made, "cases": [case(k, **one) for k, one in enumerate(cases())]}) + "\n")
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
