#!/usr/bin/env python3
"""Writes recurrent.json: GRU, Bidirectional, and recurrent layers over sequences of different lengths, by Keras in float64. Tensors
and versions as in make_golden.py, beside which it stands.

A layer's case holds its parameters (a GRU's two biases as `bias` and `recurrent_bias`, a Bidirectional's with `forward.` and
`backward.` before them), its states as lists (LSTM h, c; GRU h; Bidirectional forward's, then backward's), and the gradients of
sum(upstream * output) + sum(upstream * final states). With `lengths` Keras was given a mask: sample b has lengths[b] valid steps, which
stand first. A layer with go_backwards then reads the padding before the valid steps, so that its output has the padding in front.
"""
import argparse
from pathlib import Path

from make_golden import ACTIVATIONS, UNBOUNDED, Kinks, dump, made_by, must_agree, native, short, tensor, waves

import jax
import keras
import numpy as np

HERE = Path(__file__).resolve().parent
GATES = {"lstm": 4, "gru": 3}


# ------------------------------------------------------------------------------------------------------------ in NumPy

def lstm_step(config, p, x, h, c, kinks):
    i, f, g, o = np.split(x @ p["kernel"] + h @ p["recurrent_kernel"] + p.get("bias", 0.0), 4, axis=1)
    i, f, o = (kinks.activate(config["recurrent_activation"], z) for z in (i, f, o))
    c = f * c + i * kinks.activate(config["activation"], g)
    return o * kinks.activate(config["activation"], c), c


def gru_step(config, p, x, h, kinks):
    units = config["units"]
    recurrent, recurrent_bias = p["recurrent_kernel"], p.get("recurrent_bias", np.zeros(3 * units))
    xz, xr, xh = np.split(x @ p["kernel"] + p.get("bias", 0.0), 3, axis=1)
    z, r = (kinks.activate(config["recurrent_activation"], xg + h @ recurrent[:, at:at + units] + recurrent_bias[at:at + units])
            for xg, at in ((xz, 0), (xr, units)))
    if config["reset_after"]:
        past = r * (h @ recurrent[:, 2 * units:] + recurrent_bias[2 * units:])
    else:
        past = (r * h) @ recurrent[:, 2 * units:]
    return (z * h + (1 - z) * kinks.activate(config["activation"], xh + past),)


def numpy_recurrent(layer, config, p, x, initial, kinks, mask):
    """Keras's meaning of a mask: at a masked step, state and output stay as they are."""
    states, outputs = list(initial), []
    step = {"lstm": lstm_step, "gru": gru_step}[layer]
    for t in reversed(range(x.shape[1])) if config["go_backwards"] else range(x.shape[1]):
        seen = mask[:, t, None]
        moved = step(config, p, x[:, t], *states, Kinks() if not seen.all() else kinks)
        states = [np.where(seen, new, old) for new, old in zip(moved, states)]
        outputs.append(states[0])
    return np.stack(outputs, axis=1) if config["return_sequences"] else outputs[-1], states


def numpy_bidirectional(layer, config, merge_mode, p, x, initial, kinks, mask):
    half = len(initial) // 2
    sides = []
    for side, start, backwards in (("forward.", initial[:half], False), ("backward.", initial[half:], True)):
        own = {name.removeprefix(side): value for name, value in p.items() if name.startswith(side)}
        sides.append(numpy_recurrent(layer, config | {"go_backwards": backwards}, own, x, start, kinks, mask))
    (a, a_states), (b, b_states) = sides
    if config["return_sequences"]:
        b = b[:, ::-1]
        a, b = (np.where(mask[:, :, None], y, 0) for y in (a, b))
    merged = {"concat": lambda: np.concatenate([a, b], axis=-1), "sum": lambda: a + b, "ave": lambda: (a + b) / 2,
              "mul": lambda: a * b}[merge_mode]()
    return merged, a_states + b_states


# ------------------------------------------------------------------------------------------------------------- in Keras

def keras_layer(layer, config, seed=None):
    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[layer]
    return kind(return_state=True, seed=seed, **config)


def to_ours(layer, config, values):
    """Keras's variables of one recurrent layer by our names: the rows of a GRU's bias of shape (2, 3H) are two biases."""
    named = dict(zip(("kernel", "recurrent_kernel", "bias"), values))
    if layer == "gru" and config["reset_after"] and "bias" in named:
        named["bias"], named["recurrent_bias"] = named["bias"][0], named["bias"][1]
    return named


def to_keras(layer, config, p):
    values = [p["kernel"], p["recurrent_kernel"]]
    if "recurrent_bias" in p:
        return values + [np.stack([p["bias"], p["recurrent_bias"]])]
    return values + ([p["bias"]] if "bias" in p else [])


def sides_of(merge_mode):
    return ("",) if merge_mode is None else ("forward.", "backward.")


def all_to_keras(layer, config, merge_mode, p):
    values = []
    for side in sides_of(merge_mode):
        values += to_keras(layer, config, {n.removeprefix(side): v for n, v in p.items() if n.startswith(side)})
    return [native(v) for v in values]


def all_to_ours(layer, config, merge_mode, values):
    sides = sides_of(merge_mode)
    count = len(values) // len(sides)
    return {side + name: value for k, side in enumerate(sides)
            for name, value in to_ours(layer, config, values[k * count:(k + 1) * count]).items()}


# ------------------------------------------------------------------------------------------------------------ one layer

def draw_parameters(rng, layer, config, inputs):
    units, gates = config["units"], GATES[layer]
    scale = 0.5 if config["recurrent_activation"] in UNBOUNDED else 0.9
    p = {"kernel": short(rng.normal(0, scale / np.sqrt(inputs), (inputs, gates * units))),
         "recurrent_kernel": short(rng.normal(0, scale / np.sqrt(units), (units, gates * units)))}
    if config["use_bias"]:
        p["bias"] = short(rng.normal(0, 0.3, gates * units))
        if layer == "gru" and config["reset_after"]:
            p["recurrent_bias"] = short(rng.normal(0, 0.3, gates * units))
    return p


def draw_masks(cell, batch, features, rate):
    while True:  # until something is dropped and something kept
        drawn = cell._create_dropout_mask(native(np.ones((batch, features))), rate)
        values = np.stack(drawn) if isinstance(drawn, list) else np.asarray(drawn)[None]
        if 0 < np.mean(values == 0) < 1:
            return drawn, tensor(values)


def case(seed, name, layer, config, merge_mode=None, lengths=None, batch=3, steps=5, inputs=2, initial_state=True,
         upstream_on_padding=False):
    units, both = config["units"], merge_mode is not None
    state_count = {"lstm": 2, "gru": 1}[layer] * (2 if both else 1)
    if lengths is not None:
        batch, steps = len(lengths), max(lengths)
    mask = np.arange(steps)[None, :] < np.asarray(lengths if lengths is not None else [steps] * batch)[:, None]
    if both:
        numpy_call = lambda *a: numpy_bidirectional(layer, config, merge_mode, *a)
    else:
        numpy_call = lambda *a: numpy_recurrent(layer, config, *a)
    for attempt in range(1000):
        rng = np.random.default_rng([400 + seed, attempt])
        x = short(rng.normal(0, 0.8, (batch, steps, inputs)))
        p = {side + n: v for side in sides_of(merge_mode) for n, v in draw_parameters(rng, layer, config, inputs).items()}
        initial = [short(rng.normal(0, 0.5, (batch, units))) if initial_state else np.zeros((batch, units))
                   for _ in range(state_count)]
        kinks = Kinks()
        with np.errstate(over="ignore", invalid="ignore"):
            expected, expected_states = numpy_call(p, x, initial, kinks, mask)
        if kinks.distance > 1e-4 and np.abs(expected).max() < 4:
            break
    else:
        raise SystemExit(f"{name}: no parameters found")

    ours = keras_layer(layer, config, seed)
    if both:
        ours = keras.layers.Bidirectional(ours, merge_mode=merge_mode)
    ours.build((batch, steps, inputs))
    training = config["dropout"] > 0 or config["recurrent_dropout"] > 0
    given, x_masks, h_masks = {}, None, None
    if config["dropout"] > 0:  # Keras's own masks: one for each gate with recurrent dropout, else one
        x_masks, given["x_mask"] = draw_masks(ours.cell, batch, inputs, config["dropout"])
    if config["recurrent_dropout"] > 0:
        h_masks, given["h_mask"] = draw_masks(ours.cell, batch, units, config["recurrent_dropout"])
    others = [variable.value for variable in ours.non_trainable_variables]

    def call(values, x, initial):
        if not both:
            ours.cell._dropout_mask, ours.cell._recurrent_dropout_mask = x_masks, h_masks  # drawn only where None
        more = {"initial_state": initial} if initial_state else {}
        if lengths is not None:
            more["mask"] = jax.numpy.asarray(mask)
        (output, *states), _ = ours.stateless_call(values, others, x, training=training, **more)
        return output, states

    arguments = all_to_keras(layer, config, merge_mode, p), native(x), [native(v) for v in initial]
    output, states = jax.jit(call)(*arguments)
    if not training:
        must_agree(name, output, expected)
        for one, other in zip(states, expected_states):
            must_agree(f"{name}, state", one, other)
    r_output = short(rng.normal(0, 1, output.shape), 3)
    if lengths is not None and config["return_sequences"] and not upstream_on_padding:
        r_output *= (mask[:, ::-1] if config["go_backwards"] else mask)[:, :, None]
    r_states = [short(rng.normal(0, 1, s.shape), 3) for s in states]

    def objective(*arguments):
        output, states = call(*arguments)
        return (r_output * output).sum() + sum((r * s).sum() for r, s in zip(r_states, states))

    d_values, d_x, d_initial = jax.jit(jax.grad(objective, argnums=(0, 1, 2)))(*arguments)
    gradient = all_to_ours(layer, config, merge_mode, d_values)
    assert list(gradient) == list(p)
    smallest = min(float(np.abs(g).max()) for g in [*gradient.values(), d_x])
    print(f"{name}: attempt {attempt}, kink {kinks.distance:.1e}, |output| {np.abs(output).max():.2f}, "
          f"smallest gradient tensor {smallest:.1e}", flush=True)
    assert smallest > 1e-3
    assert np.all(np.asarray(d_x)[~mask] == 0)
    result = {"name": name, "layer": layer, **({"merge_mode": merge_mode} if both else {}), "config": config,
              "parameters": {n: tensor(v) for n, v in p.items()}, "x": tensor(x)}
    if lengths is not None:
        result["lengths"] = lengths
    if initial_state:
        result["initial"] = [tensor(v) for v in initial]
    result |= given | {"output": tensor(output), "final": [tensor(s) for s in states],
                       "upstream": {"output": tensor(r_output), "final": [tensor(r) for r in r_states]},
                       "gradient": {**{n: tensor(v) for n, v in gradient.items()}, "x": tensor(d_x)}}
    if initial_state:
        result["initial_gradient"] = [tensor(v) for v in d_initial]
    return result


# ------------------------------------------------------------------------------------------------------------- the cases

PLAIN = {"units": 3, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "return_sequences": True,
         "go_backwards": False, "dropout": 0.0, "recurrent_dropout": 0.0}
LSTM = PLAIN | {"unit_forget_bias": False}  # where a bias starts does not matter: all parameters are given
GRU = PLAIN | {"reset_after": True}
LAST, BACKWARDS, BEFORE = {"return_sequences": False}, {"go_backwards": True}, {"reset_after": False}


def gru_cases():
    for reset in ({}, BEFORE):
        name = "GRU, reset before" if reset else "GRU, reset after"
        for what, flags in [("sequences", {}), ("last", LAST), ("sequences backwards", BACKWARDS),
                            ("last backwards", LAST | BACKWARDS), ("no bias", {"use_bias": False}), ("dropout", {"dropout": 0.3}),
                            ("recurrent dropout", {"recurrent_dropout": 0.4}),
                            ("both dropouts", {"dropout": 0.25, "recurrent_dropout": 0.4}),
                            ("both dropouts, last backwards", {"dropout": 0.25, "recurrent_dropout": 0.4} | LAST | BACKWARDS)]:
            yield dict(name=f"{name}, {what}", layer="gru", config=GRU | reset | flags)
        yield dict(name=f"{name}, relu", layer="gru", config=GRU | reset | {"activation": "relu"})
        yield dict(name=f"{name}, no initial state", layer="gru", config=GRU | reset | {"units": 5}, batch=4, steps=6, inputs=3,
                   initial_state=False)
    # Every activation in both places, each way of the reset gate by turns.
    for k, activation in enumerate(ACTIVATIONS):
        recurrent = ACTIVATIONS[(k + 3) % len(ACTIVATIONS)]
        yield dict(name=f"GRU, {activation}, gates {recurrent}", layer="gru",
                   config=GRU | {"activation": activation, "recurrent_activation": recurrent, "reset_after": k % 2 == 0,
                                 "return_sequences": k % 3 != 2, "use_bias": k % 5 != 4})
    yield dict(name="GRU, one step, one sample", layer="gru", config=dict(GRU), batch=1, steps=1, inputs=1)


def bidirectional_cases():
    for layer, config in (("lstm", LSTM), ("gru", GRU)):
        for merge_mode in ("concat", "sum", "ave", "mul"):
            for flags in ({}, LAST):
                yield dict(name=f"Bidirectional {layer}, {merge_mode}, {'last' if flags else 'sequences'}", layer=layer,
                           merge_mode=merge_mode, config=config | flags, initial_state=merge_mode != "sum")
    yield dict(name="Bidirectional gru, concat, reset before", layer="gru", merge_mode="concat", config=GRU | BEFORE)


LENGTHS = [6, 4, 4, 1]  # the longest first


def length_cases():
    for layer, config in (("lstm", LSTM), ("gru", GRU), ("gru", GRU | BEFORE)):
        name = f"lengths, {layer}" + (", reset before" if not config.get("reset_after", True) else "")
        for what, flags in [("sequences", {}), ("last", LAST), ("sequences backwards", BACKWARDS), ("last backwards", LAST | BACKWARDS)]:
            yield dict(name=f"{name}, {what}", layer=layer, config=config | flags, lengths=LENGTHS)
        yield dict(name=f"{name}, held output matters", layer=layer, config=dict(config), lengths=LENGTHS, upstream_on_padding=True)
        yield dict(name=f"{name}, dropouts", layer=layer, config=config | {"dropout": 0.25, "recurrent_dropout": 0.4}, lengths=LENGTHS)
        yield dict(name=f"{name}, no initial state", layer=layer, config=dict(config), lengths=LENGTHS, initial_state=False)
    for layer, config in (("lstm", LSTM), ("gru", GRU)):
        for merge_mode in ("concat", "mul"):
            for flags in ({}, LAST):
                yield dict(name=f"lengths, Bidirectional {layer}, {merge_mode}, {'last' if flags else 'sequences'}", layer=layer,
                           merge_mode=merge_mode, config=config | flags, lengths=LENGTHS)


# --------------------------------------------------------------------------------------------------------- a whole fit

def masked_fit(layer, config):
    """A recurrent layer with sequences out and a Dense, trained under a mask and sample weights. `epoch_losses` divide by the valid
    steps of the whole epoch; Keras's own History divides by samples, as if each batch had equally many valid steps."""
    rng = np.random.default_rng(500)
    count, steps, features, batch_size, epochs, rate = 7, 6, 2, 4, 3, 0.02
    lengths = np.array([3, 6, 1, 5, 2, 6, 4])
    mask = np.arange(steps)[None, :] < lengths[:, None]
    x = waves(rng, count, steps, features) * mask[:, :, None]
    assert np.all((x != 0).any(axis=-1) == mask)  # Masking takes a step for padding where all features are 0
    y = waves(rng, count, steps, 1)
    weights = short(rng.uniform(0.3, 2, count), 3)

    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[layer]
    inner = kind(return_sequences=True, **{k: v for k, v in config.items() if k in ("units", "activation")})
    model = keras.Sequential([keras.layers.Input((steps, features)), keras.layers.Masking(0.0), inner, keras.layers.Dense(1)])
    p = draw_parameters(rng, layer, config, features)
    dense = {"kernel": short(rng.normal(0, 0.7, (config["units"], 1))), "bias": short(rng.normal(0, 0.2, 1))}

    def ours(values):
        named = {f"recurrent.{n}": v for n, v in to_ours(layer, config, values[:-2]).items()}
        return {n: tensor(v) for n, v in (named | {"output.kernel": values[-2], "output.bias": values[-1]}).items()}

    start = to_keras(layer, config, p) + list(dense.values())  # in NumPy, since fit deletes JAX's arrays once they are stale
    others = [np.asarray(variable) for variable in model.non_trainable_variables]

    def reset():
        for variable, value in zip(model.trainable_variables, start):
            variable.assign(native(value))
        model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss="mse")

    def loss_of(values, at):
        output, _ = model.stateless_call(values, others, native(x[at]))
        return keras.losses.MeanSquaredError()(native(y[at]), output, sample_weight=native(weights[at][:, None]))

    batches = [slice(0, batch_size), slice(batch_size, count)]
    valid = [int(lengths[at].sum()) for at in batches]
    loss, gradient = jax.value_and_grad(loss_of)([native(v) for v in start], batches[0])
    output, _ = model.stateless_call([native(v) for v in start], others, native(x))
    numpy_output = numpy_recurrent(layer, config, p, x, [np.zeros((count, config["units"]))] * (2 if layer == "lstm" else 1), Kinks(),
                                   mask)[0] @ dense["kernel"] + dense["bias"]
    must_agree("masked output", output, numpy_output)
    error = ((numpy_output - y) ** 2)[:, :, 0] * mask * weights[:, None]
    must_agree("masked loss", loss, error[batches[0]].sum() / valid[0])

    reset()
    optimizer, batch_losses, epoch_losses = keras.optimizers.Adam(learning_rate=rate), [], []
    optimizer.build(model.trainable_variables)
    for _ in range(epochs):
        losses = []
        for at in batches:
            values = [v.value for v in model.trainable_variables]
            step_loss, step_gradient = jax.value_and_grad(loss_of)(values, at)
            losses.append(float(step_loss))
            optimizer.apply(step_gradient, model.trainable_variables)
        batch_losses.append(losses)
        epoch_losses.append(float(np.dot(losses, valid) / sum(valid)))
    after = [np.asarray(v) for v in model.trainable_variables]

    reset()
    history = model.fit(x, y, sample_weight=weights[:, None], batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
    keras_losses = history.history["loss"]
    sizes = [at.stop - at.start for at in batches]
    for epoch in range(epochs):
        must_agree("Keras's History", keras_losses[epoch], np.dot(batch_losses[epoch], sizes) / count)
    for one, other in zip([np.asarray(v) for v in model.trainable_variables], after):
        must_agree("parameters after fit", one, other)
    evaluation = float(model.evaluate(x, y, sample_weight=weights[:, None], batch_size=count, verbose=0))
    must_agree("evaluate", evaluation, loss_of([native(v) for v in after], slice(0, count)))
    unweighted = float(model.evaluate(x, y, batch_size=count, verbose=0))
    assert abs(unweighted - evaluation) > 1e-3
    prediction = model.predict(x, verbose=0)
    print(f"masked fit, {layer}: epochs {epoch_losses}, Keras's History {keras_losses}, evaluate {evaluation:.6f}", flush=True)
    return {"layer": layer, "config": {k: config[k] for k in ("units", "activation")}, "lengths": lengths.tolist(), "x": tensor(x),
            "y": tensor(y), "sample_weight": weights.tolist(), "learning_rate": rate, "batch_size": batch_size, "epochs": epochs,
            "parameters": ours(start), "output": tensor(output), "gradient": ours(gradient), "batch_losses": batch_losses,
            "epoch_losses": epoch_losses, "keras_history": keras_losses, "after": ours(after), "evaluation": evaluation,
            "unweighted_evaluation": unweighted, "prediction": tensor(prediction)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    cases = [case(k, **one) for k, one in enumerate([*gru_cases(), *bidirectional_cases(), *length_cases()])]
    fits = [masked_fit("lstm", LSTM), masked_fit("gru", GRU)]
    masks = "x_mask (1, or 3 for a GRU and 4 for an LSTM, B, I), h_mask (3 or 4, B, H), in the order of the gates: GRU z, r, h; LSTM i, f, g, o"
    made = made_by(command="python tests/golden/make_golden_recurrent.py", masks=masks,
                   objective="sum(upstream.output * output) + sum(upstream.final * final)")
    path = options.out / "recurrent.json"
    path.write_text(dump({"made_by": made, "cases": cases, "fits": fits}) + "\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
