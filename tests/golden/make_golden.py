#!/usr/bin/env python3
"""Writes the golden cases of this directory: numbers computed by Keras 3 (and PyTorch) in float64.

The tests only read the JSON files and need no Python. To make them again, see README.md.

A tensor is {"shape": [...], "data": [...]}, data flat with the last index fastest, shapes as Keras has them: kernel (I, 4H),
recurrent_kernel (H, 4H), bias (4H), gates in the order i, f, g (Keras calls it c), o; sequences (batch, step, feature). Numbers
have as many digits as it takes to read back the same double.
"""
import argparse
import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import numpy as np
from keras.src.backend.common import dtypes as keras_dtypes

HERE = Path(__file__).resolve().parent
ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "softplus", "softsign", "leaky_relu"]


# Except on TensorFlow, Keras's type promotion makes float64 float32, whatever floatx says: on JAX keras.ops.tanh, cos and floor
# return float32 for float64 (on PyTorch even matmul does). This one entry of its table is set right, nothing else is changed;
# check_golden.py holds the results against Keras on TensorFlow as it is.
assert keras_dtypes.BIT64_TO_BIT32_DTYPE["float64"] == "float32", "keras has changed: is this still needed?"
keras_dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


# ---------------------------------------------------------------------------------------------------------------- writing

def tensor(values):
    values = np.asarray(values)
    return {"shape": list(values.shape), "data": [float(v) for v in values.ravel()]}


def dump(value, indent=0):
    """JSON with one line for each array of scalars and each tensor."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and set(value) != {"shape", "data"}:
        inner = ",\n".join(f"{pad}{json.dumps(k)}: {dump(v, indent + 1)}" for k, v in value.items())
        return "{\n" + inner + "\n" + " " * indent + "}" if value else "{}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return "[\n" + ",\n".join(pad + dump(v, indent + 1) for v in value) + "\n" + " " * indent + "]"
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def made_by(**more):
    return {"command": "python tests/golden/make_golden.py", "python": sys.version.split()[0], "keras": keras.__version__,
            "backend": "jax", "jax": jax.__version__, "numpy": np.__version__, "floatx": keras.config.floatx(), **more}


def native(values):
    return jax.numpy.asarray(values, dtype="float64")


def short(values, digits=4):
    """Drawn numbers are rounded, so that the files stay small; what is written is exactly what Keras is given."""
    return np.round(values, digits)


# ------------------------------------------------- an LSTM in NumPy: finds cases close to a kink, and checks Keras's outputs

def activate(name, x):
    with np.errstate(over="ignore"):
        return {
            "linear": lambda: x, "relu": lambda: np.maximum(x, 0), "tanh": lambda: np.tanh(x),
            "sigmoid": lambda: 1 / (1 + np.exp(-x)), "hard_sigmoid": lambda: np.clip(x + 3, 0, 6) / 6,
            "elu": lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
            "selu": lambda: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0))),
            "softplus": lambda: np.logaddexp(x, 0), "softsign": lambda: x / (1 + np.abs(x)),
            "leaky_relu": lambda: np.where(x > 0, x, 0.2 * x)}[name]()


class Kinks:
    """The distance of the closest argument to a place where an activation has no derivative. A relu of exactly 0 does not
    count: that is a cell state which a relu before it made 0, and the derivative 0 is everybody's."""

    def __init__(self):
        self.distance = np.inf

    def activate(self, name, x):
        places = {"relu": [0.0], "leaky_relu": [0.0], "selu": [0.0], "hard_sigmoid": [-3.0, 3.0]}.get(name, [])
        for place in places:
            d = np.abs(x - place)
            if name == "relu":
                d = d[x != 0]
            if d.size:
                self.distance = min(self.distance, d.min())
        return activate(name, x)


def numpy_lstm(config, parameters, prefix, x, kinks, h=None, c=None):
    units = config["units"]
    kernel, recurrent = parameters[prefix + "kernel"], parameters[prefix + "recurrent_kernel"]
    bias = parameters.get(prefix + "bias", np.zeros(4 * units))
    h = np.zeros((x.shape[0], units)) if h is None else h
    c = np.zeros((x.shape[0], units)) if c is None else c
    outputs = []
    for t in reversed(range(x.shape[1])) if config["go_backwards"] else range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        i, f, o = (kinks.activate(config["recurrent_activation"], z) for z in (i, f, o))
        c = f * c + i * kinks.activate(config["activation"], g)
        h = o * kinks.activate(config["activation"], c)
        outputs.append(h)
    return np.stack(outputs, axis=1), h, c


def numpy_autoencoder(config, parameters, x, kinks):
    for k, layer in enumerate(config["encoder"]):
        sequence, last, _ = numpy_lstm(layer, parameters, f"encoder.{k}.", x, kinks)
        x = sequence
    x = np.repeat(last[:, None, :], config["steps"], axis=1)
    for k, layer in enumerate(config["decoder"]):
        x, _, _ = numpy_lstm(layer, parameters, f"decoder.{k}.", x, kinks)
    return kinks.activate(config["output_activation"], x @ parameters["output.kernel"] + parameters["output.bias"])


def must_agree(what, a, b, tolerance=1e-12):
    a, b = np.asarray(a), np.asarray(b)
    if not np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-300):
        sys.exit(f"{what}: Keras and the formula in NumPy disagree by {np.abs(a - b).max():.3g}")


# ------------------------------------------------------------------------------------------------------------ autoencoders

def lstm_layer(config, **more):
    return keras.layers.LSTM(config["units"], activation=config["activation"],
                             recurrent_activation=config["recurrent_activation"], use_bias=config["use_bias"],
                             unit_forget_bias=config["unit_forget_bias"], go_backwards=config["go_backwards"], **more)


# Activations that may grow without bound as a gate (f > 1 makes the cell state grow with the steps).
UNBOUNDED = {"linear", "relu", "elu", "selu", "softplus", "leaky_relu"}


def draw_lstm(rng, prefix, config, x):
    """Random parameters, scaled and shifted so that the gates' arguments vary with the input x by about 1: else the signal dies
    on its way through a stack of layers, and their gradients with it."""
    units, inputs = config["units"], x.shape[-1]
    unbounded = config["recurrent_activation"] in UNBOUNDED
    kernel = rng.normal(0, 1 / np.sqrt(inputs), (inputs, 4 * units))
    arguments = x.reshape(-1, inputs) @ kernel
    scale = min((0.5 if unbounded else 0.9) / (arguments.std(axis=0).mean() + 1e-9), 4)
    recurrent = rng.normal(0, (0.5 if unbounded else 0.8) / np.sqrt(units), (units, 4 * units))
    parameters = {prefix + "kernel": short(kernel * scale), prefix + "recurrent_kernel": short(recurrent)}
    if config["use_bias"]:
        bias = rng.normal(0, 0.2, 4 * units) - scale * arguments.mean(axis=0)
        if config["unit_forget_bias"]:
            bias[units:2 * units] += 0.5 if unbounded else 1.0
        parameters[prefix + "bias"] = short(bias)
    return parameters


class Deck:
    """Deals all ten activations before any comes again."""

    def __init__(self, rng):
        self.rng, self.cards = rng, []

    def deal(self):
        if not self.cards:
            self.cards = [ACTIVATIONS[k] for k in self.rng.permutation(len(ACTIVATIONS))]
        return self.cards.pop()


def waves(rng, count, steps, features):
    """Noisy sines: what an autoencoder can learn a little of in 30 epochs."""
    t = np.arange(steps)[None, :, None] + rng.uniform(0, 20, (count, 1, 1))
    wave = np.sin(t * rng.uniform(0.3, 0.9, (1, 1, features)) + rng.uniform(0, 6, (1, 1, features)))
    return short(0.3 + 0.6 * wave + rng.normal(0, 0.1, wave.shape), 3)


def autoencoder_configs(rng):
    plain = {"use_bias": True, "unit_forget_bias": True, "go_backwards": False}
    relu = {"activation": "relu", "recurrent_activation": "sigmoid", **plain}
    yield 32, {"steps": 4, "features": 1, "output_activation": "linear",  # the well-known model, with a quarter of its units
               "encoder": [{"units": 8, **relu}, {"units": 4, **relu}], "decoder": [{"units": 4, **relu}, {"units": 8, **relu}]}
    activation, recurrent, output = Deck(rng), Deck(rng), Deck(rng)

    def layer():
        while True:
            pair = {"activation": activation.deal(), "recurrent_activation": recurrent.deal()}
            # With a relu gate the cell state is exactly 0 at the kink of these two, where conventions differ.
            if pair["recurrent_activation"] != "relu" or pair["activation"] not in ("selu", "leaky_relu"):
                return {"units": int(rng.integers(2, 7)), **pair, "use_bias": bool(rng.random() < 0.75),
                        "unit_forget_bias": bool(rng.random() < 0.6), "go_backwards": bool(rng.random() < 0.3)}

    sizes = [(33, 20, 1), (1, 7, 2), (2, 1, 3), (17, 5, 4), (33, 2, 1), (5, 12, 2), (9, 3, 1), (3, 20, 1), (16, 6, 3),
             (7, 10, 2), (4, 8, 4)]
    for k, (batch, steps, features) in enumerate(sizes):
        yield batch, {"steps": steps, "features": features, "output_activation": "linear" if k % 2 == 0 else output.deal(),
                      "encoder": [layer() for _ in range(1 + k % 3)], "decoder": [layer() for _ in range(1 + (k // 2) % 3)]}


def build_autoencoder(config):
    model = [keras.layers.Input((config["steps"], config["features"]))]
    for k, layer in enumerate(config["encoder"]):
        model.append(lstm_layer(layer, return_sequences=k + 1 < len(config["encoder"])))
    model.append(keras.layers.RepeatVector(config["steps"]))
    for layer in config["decoder"]:
        model.append(lstm_layer(layer, return_sequences=True))
    model.append(keras.layers.TimeDistributed(keras.layers.Dense(config["features"], activation=config["output_activation"])))
    model = keras.Sequential(model)
    lstms = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    names = [f"encoder.{k}." for k in range(len(config["encoder"]))] + [f"decoder.{k}." for k in range(len(config["decoder"]))]
    variables = {}
    for name, layer in zip(names, lstms):
        variables |= {name + variable.name: variable for variable in layer.trainable_variables}
    variables |= {"output." + variable.name: variable for variable in model.layers[-1].trainable_variables}
    assert [id(v) for v in variables.values()] == [id(v) for v in model.trainable_variables]
    return model, variables


def draw_autoencoder(rng, config, x):
    """Draws parameters until nothing is large, dead, close to a kink or a magnifier of rounding errors."""
    for _ in range(3000):
        parameters, kinks, values = {}, Kinks(), x
        with np.errstate(all="ignore"):
            for side in ("encoder", "decoder"):
                for k, layer in enumerate(config[side]):
                    parameters |= draw_lstm(rng, f"{side}.{k}.", layer, values)
                    values, last, _ = numpy_lstm(layer, parameters, f"{side}.{k}.", values, kinks)
                if side == "encoder":
                    values = np.repeat(last[:, None, :], config["steps"], axis=1)
            if not np.abs(values).max() < 10:
                continue
            units = values.shape[-1]
            parameters["output.kernel"] = short(rng.normal(0, 1 / np.sqrt(units), (units, config["features"])))
            parameters["output.bias"] = short(rng.normal(0, 0.2, config["features"]))
            output = numpy_autoencoder(config, parameters, x, kinks)
            moved = {name: value * (1 + 1e-7 * rng.standard_normal(value.shape)) for name, value in parameters.items()}
            amplified = np.abs(numpy_autoencoder(config, moved, x, Kinks()) - output).max() / np.abs(output).max() / 1e-7
        if (kinks.distance > 2e-5 and amplified < 10 and 0.1 < np.abs(output).max() < 3
                and (len(x) == 1 or output.std(axis=0).max() > 0.02)):
            return parameters, kinks.distance, output
    sys.exit(f"no parameters found for {config}")


def autoencoder_attempt(seed, attempt, batch, config):
    """One case, or None where it would be a poor one: gradients that nearly vanish or explode, a fit that magnifies errors."""
    rng = np.random.default_rng([seed, attempt])
    x = waves(rng, batch, config["steps"], config["features"])
    parameters, distance, numpy_output = draw_autoencoder(rng, config, x)
    model, variables = build_autoencoder(config)

    def reset(relative_noise=0.0):
        for name, variable in variables.items():
            variable.assign(native(parameters[name] * (1 + relative_noise * rng.standard_normal(variable.shape))))

    @jax.jit
    def loss_output_gradient(values, x):
        def loss_of(values):
            output, _ = model.stateless_call(values, [v.value for v in model.non_trainable_variables], x)
            return keras.losses.MeanSquaredError()(x, output), output
        (loss, output), gradient = jax.value_and_grad(loss_of, has_aux=True)(values)
        return loss, output, gradient

    def step():
        return loss_output_gradient([variable.value for variable in variables.values()], native(x))

    reset()
    loss, output, gradient = step()
    must_agree(f"autoencoder {seed}", output, numpy_output, 1e-11)
    must_agree(f"autoencoder {seed}, loss", loss, np.mean((numpy_output - x) ** 2), 1e-11)
    # One step never multiplies by the recurrent kernels: their gradient is 0.
    largest = [float(np.abs(g).max()) for name, g in zip(variables, gradient)
               if config["steps"] > 1 or not name.endswith("recurrent_kernel")]
    if not (min(largest) > 3e-4 * max(largest) and max(largest) < 20):
        return None

    rate = 1e-3 if seed % 2 == 0 else 5e-3
    optimizer = keras.optimizers.Adam(learning_rate=rate)
    losses = []
    for _ in range(5):
        step_loss, _, step_gradient = step()
        losses.append(float(step_loss))
        optimizer.apply(step_gradient, list(variables.values()))
    after = {name: tensor(variable) for name, variable in variables.items()}

    count, batch_size, split = [(33, 8, 0.2), (23, 6, 0.1), (29, 16, 0.25)][seed % 3]
    trained = int(np.floor(count * (1 - split)))
    assert trained % batch_size != 0
    fit_x = waves(rng, count, config["steps"], config["features"])

    def fit():
        model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss="mse")
        history = model.fit(fit_x, fit_x, epochs=30, batch_size=batch_size, validation_split=split, shuffle=False, verbose=0)
        return np.array([history.history["loss"], history.history["val_loss"]])

    reset()
    history = fit()
    final = {name: np.asarray(variable) for name, variable in variables.items()}
    reset(relative_noise=1e-9)
    magnified = np.abs(fit() - history).max() / np.abs(history).max() / 1e-9
    if not magnified < 20:
        return None
    held_out = fit_x[trained:]
    numpy_held_out = np.mean((numpy_autoencoder(config, final, held_out, Kinks()) - held_out) ** 2)
    must_agree(f"autoencoder {seed}, last val_loss", history[1, -1], numpy_held_out, 1e-11)

    print(f"autoencoder {seed:2}: attempt {attempt}, B {batch}, T {config['steps']}, F {config['features']}, "
          f"{sum(v.size for v in parameters.values())} parameters, kink {distance:.1e}, |output| {np.abs(output).max():.2f}, "
          f"|gradient| {min(largest):.1e} .. {max(largest):.1e}, fit {history[0, 0]:.4f} -> {history[0, -1]:.4f}, "
          f"val {history[1, 0]:.4f} -> {history[1, -1]:.4f}", flush=True)
    return {"config": config, "parameters": {n: tensor(v) for n, v in parameters.items()}, "x": tensor(x),
            "output": tensor(output), "loss": float(loss), "gradient": {n: tensor(g) for n, g in zip(variables, gradient)},
            "adam": {"learning_rate": rate, "steps": 5, "losses": losses, "parameters": after},
            "fit": {"learning_rate": rate, "epochs": 30, "batch_size": batch_size, "validation_split": split,
                    "x": tensor(fit_x), "loss": history[0].tolist(), "val_loss": history[1].tolist()}}


def autoencoder_case(seed, batch, config):
    for attempt in range(50):
        case = autoencoder_attempt(seed, attempt, batch, config)
        if case is not None:
            return case
    sys.exit(f"autoencoder {seed}: nothing sound found")


def autoencoders():
    configs = list(autoencoder_configs(np.random.default_rng(20)))
    layers = [layer for _, config in configs for layer in config["encoder"] + config["decoder"]]
    assert {layer["activation"] for layer in layers} == {layer["recurrent_activation"] for layer in layers} == set(ACTIVATIONS)
    for flag in ("use_bias", "unit_forget_bias", "go_backwards"):
        assert {layer[flag] for layer in layers} == {True, False}
    return {"made_by": made_by(), "cases": [autoencoder_case(k, batch, config) for k, (batch, config) in enumerate(configs)]}


# ------------------------------------------------------------------------------------------------------------- one LSTM

def lstm_case(seed, name, config, batch, steps, inputs, initial_state=True):
    units = config["units"]
    for attempt in range(1000):
        rng = np.random.default_rng([100 + seed, attempt])
        x = short(rng.normal(0, 0.8, (batch, steps, inputs)))
        parameters = draw_lstm(rng, "", config, x)
        h0, c0 = (short(rng.normal(0, 0.5, (batch, units))) if initial_state else np.zeros((batch, units)) for _ in range(2))
        kinks = Kinks()
        with np.errstate(over="ignore", invalid="ignore"):
            expected = numpy_lstm(config, parameters, "", x, kinks, h0, c0)
        if kinks.distance > 1e-4 and np.abs(expected[0]).max() < 4 and np.abs(expected[2]).max() < 8:
            break
    else:
        sys.exit(f"LSTM {name}: no parameters found")
    layer = lstm_layer(config, return_sequences=config["return_sequences"], return_state=True, dropout=config["dropout"],
                       recurrent_dropout=config["recurrent_dropout"], seed=seed)
    layer.build((batch, steps, inputs))
    names = [variable.name for variable in layer.trainable_variables]
    assert names == list(parameters)
    training = config["dropout"] > 0 or config["recurrent_dropout"] > 0
    def draw_masks(features, rate):
        while True:  # until something is dropped and something kept
            drawn = layer.cell._create_dropout_mask(native(np.ones((batch, features))), rate)
            values = np.stack(drawn) if isinstance(drawn, list) else np.asarray(drawn)[None]
            if 0 < np.mean(values == 0) < 1:
                return drawn, tensor(values)

    masks, x_masks, h_masks = {}, None, None
    if config["dropout"] > 0:  # Keras's own masks: a list of four with recurrent dropout, else one
        x_masks, masks["x_mask"] = draw_masks(inputs, config["dropout"])
    if config["recurrent_dropout"] > 0:
        h_masks, masks["h_mask"] = draw_masks(units, config["recurrent_dropout"])
    others = [variable.value for variable in layer.non_trainable_variables]

    def call(values, x, h0, c0):
        layer.cell._dropout_mask, layer.cell._recurrent_dropout_mask = x_masks, h_masks  # the layer draws only what is None
        state = {"initial_state": [h0, c0]} if initial_state else {}
        (output, h, c), _ = layer.stateless_call(values, others, x, training=training, **state)
        return output, h, c

    arguments = [native(parameters[n]) for n in names], native(x), native(h0), native(c0)
    output, h, c = jax.jit(call)(*arguments)
    if not training:
        must_agree(f"LSTM {name}", output, expected[0] if config["return_sequences"] else expected[1], 1e-12)
        must_agree(f"LSTM {name}, h", h, expected[1], 1e-12)
        must_agree(f"LSTM {name}, c", c, expected[2], 1e-12)
    r_output, r_h, r_c = (short(rng.normal(0, 1, v.shape), 3) for v in (output, h, c))

    def objective(*arguments):
        output, h, c = call(*arguments)
        return (r_output * output).sum() + (r_h * h).sum() + (r_c * c).sum()

    d_values, d_x, d_h0, d_c0 = jax.jit(jax.grad(objective, argnums=(0, 1, 2, 3)))(*arguments)
    smallest = min(float(np.abs(g).max()) for g in [*d_values, d_x])
    print(f"lstm {name}: attempt {attempt}, kink {kinks.distance:.1e}, |output| {np.abs(output).max():.2f}, "
          f"smallest gradient tensor {smallest:.1e}", flush=True)
    assert smallest > 1e-3
    states = {"h0": tensor(h0), "c0": tensor(c0)} if initial_state else {}
    d_states = {"h0": tensor(d_h0), "c0": tensor(d_c0)} if initial_state else {}
    return {"name": name, "config": config, "parameters": {n: tensor(v) for n, v in parameters.items()}, "x": tensor(x),
            **states, **masks, "output": tensor(output), "h": tensor(h), "c": tensor(c),
            "upstream": {"output": tensor(r_output), "h": tensor(r_h), "c": tensor(r_c)},
            "gradient": {**{n: tensor(v) for n, v in zip(names, d_values)}, "x": tensor(d_x), **d_states}}


def lstm_layers():
    base = {"units": 3, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "unit_forget_bias": True,
            "return_sequences": True, "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
    cases = [("sequences", {}), ("last", {"return_sequences": False}), ("sequences backwards", {"go_backwards": True}),
             ("last backwards", {"return_sequences": False, "go_backwards": True}), ("no bias", {"use_bias": False}),
             ("no forget bias", {"unit_forget_bias": False})]
    # Every activation in both places, the recurrent one rotated by three so that relu gates meet neither selu nor leaky_relu.
    for k, activation in enumerate(ACTIVATIONS):
        recurrent = ACTIVATIONS[(k + 3) % len(ACTIVATIONS)]
        cases.append((f"{activation}, gates {recurrent}", {"activation": activation, "recurrent_activation": recurrent,
                      "return_sequences": k % 3 != 2, "go_backwards": k % 4 == 1, "use_bias": k % 5 != 4}))
    for name, flags in [("", {}), (" last backwards", {"return_sequences": False, "go_backwards": True}),
                        (" no bias", {"use_bias": False})]:
        cases.append(("dropout" + name, {"dropout": 0.3, **flags}))
        cases.append(("dropout and recurrent dropout" + name, {"dropout": 0.25, "recurrent_dropout": 0.4, **flags}))
    cases.append(("recurrent dropout", {"recurrent_dropout": 0.4}))
    made = [lstm_case(k, name, base | flags, 3, 5, 2) for k, (name, flags) in enumerate(cases)]
    made.append(lstm_case(len(cases), "one step, one sample", dict(base), 1, 1, 1))
    made.append(lstm_case(len(cases) + 1, "no initial state", base | {"units": 5}, 4, 6, 3, initial_state=False))
    objective = "sum(upstream.output * output) + sum(upstream.h * h) + sum(upstream.c * c), h and c final"
    masks = "x_mask (1 or 4, B, I), h_mask (4, B, H), gates i, f, g, o; kept entries are 1 / (1 - rate)"
    return {"made_by": made_by(objective=objective, masks=masks), "cases": made}


# ---------------------------------------------------------------------------------------------------------------- losses

def losses():
    rng = np.random.default_rng(3)
    functions = {
        ("mean_squared_error", ()): (keras.losses.MeanSquaredError(), lambda e: e * e),
        ("mean_absolute_error", ()): (keras.losses.MeanAbsoluteError(), np.abs),
        ("huber", (("delta", 1.0),)): (keras.losses.Huber(), lambda e: np.where(np.abs(e) <= 1, e * e / 2, np.abs(e) - 0.5)),
        ("huber", (("delta", 0.35),)): (keras.losses.Huber(delta=0.35),
                                        lambda e: np.where(np.abs(e) <= 0.35, e * e / 2, 0.35 * (np.abs(e) - 0.35 / 2))),
        ("log_cosh", ()): (keras.losses.LogCosh(), lambda e: np.logaddexp(e, -e) - np.log(2))}
    cases = []
    for shape, scale in [((3, 4, 2), 1.0), ((5, 1, 1), 1.0), ((1, 6, 3), 1.0), ((2, 3, 2), 40.0)]:
        target = short(rng.normal(0, 1, shape))
        prediction = short(target + scale * rng.normal(0, 1, shape))
        for weights in (None, short(rng.uniform(0, 2, shape[0]), 3)):
            for (name, options), (loss, formula) in functions.items():
                # Keras multiplies values (B, T) by weights as they are: (B, 1) is what it takes to mean one weight a sample.
                weight = None if weights is None else native(weights[:, None])
                call = lambda p: loss(native(target), p, sample_weight=weight)
                value, gradient = jax.value_and_grad(call)(native(prediction))
                error = formula(prediction - target)
                must_agree(name, value, np.mean(error if weights is None else error * weights[:, None, None]), 1e-13)
                cases.append({"loss": name, **dict(options), "target": tensor(target), "prediction": tensor(prediction),
                              **({} if weights is None else {"sample_weight": tensor(weights)}), "value": float(value),
                              "gradient": tensor(gradient)})
    return {"made_by": made_by(reduction="sum_over_batch_size: the weighted sum over the number of elements"), "cases": cases}


# ------------------------------------------------------------------------------------------------------------ optimizers

def schedule_of(config):
    config = dict(config)
    schedules = keras.optimizers.schedules
    kinds = {"exponential_decay": schedules.ExponentialDecay, "cosine_decay": schedules.CosineDecay}
    return kinds[config.pop("type")](**config)


SCHEDULES = {
    "exponential": {"type": "exponential_decay", "initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 0.6,
                    "staircase": False},
    "exponential staircase": {"type": "exponential_decay", "initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 0.6,
                              "staircase": True},
    "cosine": {"type": "cosine_decay", "initial_learning_rate": 0.05, "decay_steps": 12, "alpha": 0.1},
    "cosine with warm-up": {"type": "cosine_decay", "initial_learning_rate": 0.01, "decay_steps": 12, "alpha": 0.1,
                            "warmup_target": 0.08, "warmup_steps": 5}}

KERAS_OPTIMIZERS = [
    ("adam", {"learning_rate": 0.01}), ("adam", {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}),
    ("adamw", {"learning_rate": 0.01, "weight_decay": 0.004}),
    ("adamw", {"learning_rate": 0.05, "weight_decay": 0.1, "clipvalue": 0.3}),
    ("sgd", {"learning_rate": 0.05}), ("sgd", {"learning_rate": 0.05, "momentum": 0.9}),
    ("sgd", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    ("rmsprop", {"learning_rate": 0.01}), ("rmsprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}),
    ("rmsprop", {"learning_rate": 0.01, "centered": True}),
    ("rmsprop", {"learning_rate": 0.01, "momentum": 0.9, "centered": True}),
    ("adam", {"learning_rate": 0.01, "clipvalue": 0.3}), ("adam", {"learning_rate": 0.01, "clipnorm": 0.5}),
    ("adam", {"learning_rate": 0.01, "global_clipnorm": 0.6}),
    ("sgd", {"learning_rate": 0.05, "clipvalue": 0.3}), ("sgd", {"learning_rate": 0.05, "clipnorm": 0.5}),
    ("sgd", {"learning_rate": 0.05, "global_clipnorm": 0.6}),
    ("sgd", {"learning_rate": 0.05, "momentum": 0.9, "global_clipnorm": 0.6}),
    ("rmsprop", {"learning_rate": 0.01, "clipnorm": 0.5}),
] + [("adam", {"schedule": name}) for name in SCHEDULES] + [("sgd", {"schedule": name, "momentum": 0.8}) for name in SCHEDULES]

TORCH_OPTIMIZERS = [
    ("adam", {"lr": 0.01}), ("adam", {"lr": 0.02, "betas": [0.8, 0.95], "eps": 1e-3}),
    ("adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("adamw", {"lr": 0.01}), ("adamw", {"lr": 0.05, "weight_decay": 0.1, "eps": 1e-3}),
    ("sgd", {"lr": 0.05}), ("sgd", {"lr": 0.05, "momentum": 0.9}), ("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("rmsprop", {"lr": 0.01}), ("rmsprop", {"lr": 0.01, "alpha": 0.8, "eps": 1e-3, "momentum": 0.5}),
    ("rmsprop", {"lr": 0.01, "centered": True})]


def numpy_optimizer(case, initial, gradients, rates):
    """The last parameters by the formulas that Keras and PyTorch are understood to follow."""
    kind, options, is_keras = case["optimizer"], case["options"], case["meaning"] == "keras"
    theta = [value.copy() for value in initial.values()]
    m, v, mean = ([np.zeros_like(value) for value in theta] for _ in range(3))
    decay, mu = options.get("weight_decay", 0), options.get("momentum", 0)
    epsilon = options.get("epsilon", options.get("eps"))
    for t, gradient in enumerate(gradients):
        lr = options.get("learning_rate", options.get("lr"))
        lr = rates[options["schedule"]]["rates"][t] if lr is None else lr
        g = list(gradient.values())
        if "clipvalue" in options:
            g = [np.clip(x, -options["clipvalue"], options["clipvalue"]) for x in g]
        if "clipnorm" in options:
            g = [x * min(1, options["clipnorm"] / np.linalg.norm(x)) for x in g]
        if "global_clipnorm" in options:
            g = [x * min(1, options["global_clipnorm"] / np.sqrt(sum((x * x).sum() for x in g))) for x in g]
        for k, x in enumerate(g):
            if kind == "adamw":
                theta[k] -= lr * decay * theta[k]
            else:
                x = x + decay * theta[k]
            if kind in ("adam", "adamw"):
                b1, b2 = (options["beta_1"], options["beta_2"]) if is_keras else options["betas"]
                m[k], v[k] = b1 * m[k] + (1 - b1) * x, b2 * v[k] + (1 - b2) * x * x
                c1, c2 = 1 - b1 ** (t + 1), 1 - b2 ** (t + 1)
                if is_keras:
                    theta[k] -= lr * np.sqrt(c2) / c1 * m[k] / (np.sqrt(v[k]) + epsilon)
                else:
                    theta[k] -= lr * (m[k] / c1) / (np.sqrt(v[k] / c2) + epsilon)
            elif kind == "sgd" and is_keras:
                m[k] = mu * m[k] - lr * x
                theta[k] += mu * m[k] - lr * x if options["nesterov"] else m[k]
            elif kind == "sgd":
                m[k] = mu * m[k] + x
                theta[k] -= lr * (x + mu * m[k] if options["nesterov"] else m[k])
            else:
                rho = options["rho"] if is_keras else options["alpha"]
                v[k] = rho * v[k] + (1 - rho) * x * x
                if options["centered"]:
                    mean[k] = rho * mean[k] + (1 - rho) * x
                spread = v[k] - mean[k] ** 2
                step = x / (np.sqrt(spread + epsilon) if is_keras else np.sqrt(spread) + epsilon)
                m[k] = mu * m[k] + (lr * step if is_keras else step)  # equal unless the rate changes
                theta[k] -= m[k] if is_keras else lr * m[k]
    return theta


def optimizers():
    import torch

    rng = np.random.default_rng(4)
    shapes = {"first": (3, 4), "second": (5,)}
    steps = 8
    initial = {name: short(rng.normal(0, 1, shape)) for name, shape in shapes.items()}
    # The sizes differ by tensor, by step and by value, so that each clipping acts in some places and not in others.
    gradients = [{name: short(rng.normal(0, 1, shape) * scale * 10.0 ** rng.uniform(-1.5, 0.3)) for (name, shape), scale
                  in zip(shapes.items(), (1.0, 0.4))} for _ in range(steps)]
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
             "rmsprop": keras.optimizers.RMSprop}
    cases = []
    for kind, options in KERAS_OPTIMIZERS:
        arguments = dict(options)
        if "schedule" in arguments:
            arguments["learning_rate"] = schedule_of(SCHEDULES[arguments.pop("schedule")])
        optimizer = kinds[kind](**arguments)
        variables = [keras.Variable(native(value), dtype="float64") for value in initial.values()]
        after = []
        for gradient in gradients:
            optimizer.apply([native(g) for g in gradient.values()], variables)
            after.append({name: tensor(variable) for name, variable in zip(shapes, variables)})
        defaults = {"adam": ["learning_rate", "beta_1", "beta_2", "epsilon"],
                    "adamw": ["learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"],
                    "sgd": ["learning_rate", "momentum", "nesterov"],
                    "rmsprop": ["learning_rate", "rho", "momentum", "epsilon", "centered"]}[kind]
        full = {key: getattr(optimizer, key) for key in defaults if key != "learning_rate"} | options
        cases.append({"optimizer": kind, "meaning": "keras", "options": full, "after": after})
    torch_kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    for kind, options in TORCH_OPTIMIZERS:
        variables = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in initial.values()]
        optimizer = torch_kinds[kind](variables, **options)
        after = []
        for gradient in gradients:
            for variable, g in zip(variables, gradient.values()):
                variable.grad = torch.tensor(g, dtype=torch.float64)
            optimizer.step()
            after.append({name: tensor(variable.detach().numpy()) for name, variable in zip(shapes, variables)})
        defaults = {"adam": ["lr", "betas", "eps", "weight_decay"], "adamw": ["lr", "betas", "eps", "weight_decay"],
                    "sgd": ["lr", "momentum", "nesterov"], "rmsprop": ["lr", "alpha", "eps", "momentum", "centered"]}[kind]
        full = {key: optimizer.defaults[key] for key in defaults}
        full = {key: list(value) if isinstance(value, tuple) else value for key, value in full.items()}
        cases.append({"optimizer": kind, "meaning": "pytorch", "options": full, "after": after})
    rates = {}
    for name, config in SCHEDULES.items():
        rates[name] = {**config, "rates": [float(schedule_of(config)(step)) for step in range(21)]}
    check_rates(rates)
    for case in cases:
        for made, expected in zip(case["after"][-1].values(), numpy_optimizer(case, initial, gradients, rates)):
            must_agree(f"{case['meaning']} {case['optimizer']}", made["data"], expected.ravel(), 1e-14)
    return {"made_by": made_by(torch=torch.__version__), "initial": {n: tensor(v) for n, v in initial.items()},
            "gradients": [{n: tensor(v) for n, v in gradient.items()} for gradient in gradients], "schedules": rates,
            "cases": cases}


def check_rates(rates):
    for config in rates.values():
        expected = []
        for step in range(21):
            start = config["initial_learning_rate"]
            if config["type"] == "exponential_decay":
                power = step / config["decay_steps"]
                expected.append(start * config["decay_rate"] ** (np.floor(power) if config["staircase"] else power))
                continue
            warmup, target = config.get("warmup_steps", 0), config.get("warmup_target", start)
            if step < warmup:
                expected.append(start + (target - start) * step / warmup)
            else:
                cosine = (1 + np.cos(np.pi * min(step - warmup, config["decay_steps"]) / config["decay_steps"])) / 2
                expected.append(target * ((1 - config["alpha"]) * cosine + config["alpha"]))
        must_agree("schedule", config["rates"], expected, 1e-13)


# ----------------------------------------------------------------------------------------------------------------- dense

def dense_case(seed, activation, shape, units, use_bias):
    for attempt in range(100):
        rng = np.random.default_rng([200 + seed, attempt])
        x = short(rng.normal(0, 1, shape))
        parameters = {"kernel": short(rng.normal(0, 1, (shape[-1], units)))}
        if use_bias:
            parameters["bias"] = short(rng.normal(0, 0.5, units))
        if activation == "hard_sigmoid":  # reach both flat ends
            parameters["kernel"] = parameters["kernel"] * 2
        kinks = Kinks()
        expected = kinks.activate(activation, x @ parameters["kernel"] + parameters.get("bias", 0.0))
        if kinks.distance > 1e-3:
            break
    layer = keras.layers.Dense(units, activation=activation, use_bias=use_bias)
    if len(shape) == 3:
        layer = keras.layers.TimeDistributed(layer)
    layer.build(shape)
    arguments = [native(v) for v in parameters.values()], native(x)
    call = lambda values, x: layer.stateless_call(values, [], x)[0]
    output = call(*arguments)
    must_agree(f"dense {activation}", output, expected)
    upstream = short(rng.normal(0, 1, output.shape), 3)
    d_values, d_x = jax.grad(lambda *a: (upstream * call(*a)).sum(), argnums=(0, 1))(*arguments)
    return {"layer": "dense" if len(shape) == 2 else "time_distributed",
            "config": {"units": units, "activation": activation, "use_bias": use_bias},
            "parameters": {n: tensor(v) for n, v in parameters.items()}, "x": tensor(x), "output": tensor(output),
            "upstream": tensor(upstream),
            "gradient": {**{n: tensor(g) for n, g in zip(parameters, d_values)}, "x": tensor(d_x)}}


def dense():
    cases = []
    for k, activation in enumerate(ACTIVATIONS):
        cases.append(dense_case(2 * k, activation, (5, 3), 4, use_bias=k % 4 != 3))
        cases.append(dense_case(2 * k + 1, activation, (3, 4, 2), 3, use_bias=k % 4 != 1))
    return {"made_by": made_by(objective="sum(upstream * output)"), "cases": cases}


# ------------------------------------------------------------------------------------------------------------------ main

def main():
    makers = {"dense": dense, "losses": losses, "optimizers": optimizers, "lstm_layers": lstm_layers,
              "autoencoders": autoencoders}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=makers, nargs="+", default=list(makers), help="make these files only")
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    for name in options.only:
        path = options.out / f"{name}.json"
        path.write_text(dump(makers[name]()) + "\n")
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
