#!/usr/bin/env python3
"""Writes decoders.json: autoencoders whose decoder starts from the encoder's state, makes the last step first, or sees its previous
value, built with Keras's functional API in float64. Tensors and versions as in make_golden.py, beside which it stands.

`output` and `evaluation` are of reconstruction, where the decoder sees its own previous value, in the order of the window; `loss` and
`gradient` are of training, where it sees the true one.
"""
import argparse
from pathlib import Path

from make_golden import Kinks, dump, lstm_layer, made_by, must_agree, native, numpy_lstm, short, tensor, waves

import jax
import keras
import numpy as np

HERE = Path(__file__).resolve().parent


def layer(units, activation="tanh", **more):
    return {"units": units, "activation": activation, "recurrent_activation": "sigmoid", "use_bias": True, "unit_forget_bias": True,
            "go_backwards": False, **more}


def configs():
    two = {"encoder": [layer(4), layer(3)], "decoder": [layer(3), layer(4)]}
    for reverse in (False, True):
        yield {**two, "decoder_input": "repeated_code", "decoder_state": "zeros", "reverse_decoder": reverse}
        for decoder_input in ("repeated_code", "zeros", "previous_value"):
            yield {**two, "decoder_input": decoder_input, "decoder_state": "encoder", "reverse_decoder": reverse}
    mixed = {"encoder": [layer(4, "softsign", go_backwards=True)], "decoder": [layer(4, "elu", use_bias=False)]}
    for decoder_input in ("repeated_code", "previous_value"):
        yield {**mixed, "decoder_input": decoder_input, "decoder_state": "encoder", "reverse_decoder": True}


class Networks:
    """One set of layers, and two models over it: of one pass over a decoder input that is known, and step by step."""

    def __init__(self, config):
        self.config, steps, features = config, config["steps"], config["features"]
        self.encoder = [lstm_layer(c, return_sequences=True, return_state=True) for c in config["encoder"]]
        self.decoder = [lstm_layer(c, return_sequences=True, return_state=True) for c in config["decoder"]]
        self.output = keras.layers.TimeDistributed(keras.layers.Dense(features, activation=config["output_activation"]))
        x = keras.layers.Input((steps, features))
        read = keras.layers.Input((steps, 1 if config["decoder_input"] == "zeros" else features))
        code, states = self.encode(x)
        decoder_input = keras.layers.RepeatVector(steps)(code) if config["decoder_input"] == "repeated_code" else read
        self.one_pass = keras.Model([x, read], self.decode(decoder_input, states)[0])
        own = []
        previous = keras.layers.Lambda(lambda v: v[:, :1, :] * 0.0)(x)
        for _ in range(steps):
            previous, states = self.decode(previous, states)
            own.append(previous)
        self.by_step = keras.Model(x, keras.layers.Concatenate(axis=1)(own)) if self.sees_itself else None

    @property
    def sees_itself(self):
        return self.config["decoder_input"] == "previous_value"

    def encode(self, x):
        states = []
        for lstm in self.encoder:
            x, *state = lstm(x)
            states.append(state)
        return states[-1][0], states[::-1] if self.config["decoder_state"] == "encoder" else [None] * len(states)

    def decode(self, y, states):
        after = []
        for lstm, state in zip(self.decoder, states):
            y, *state = lstm(y, initial_state=state)
            after.append(state)
        return self.output(y), after

    def variables(self):
        named = {}
        for side, lstms in (("encoder", self.encoder), ("decoder", self.decoder)):
            for k, lstm in enumerate(lstms):
                named |= {f"{side}.{k}.{v.name}": v for v in lstm.trainable_variables}
        return named | {f"output.{v.name}": v for v in self.output.trainable_variables}


def numpy_pass(config, parameters, x, read):
    """The pass over a known decoder input, by the formulas."""
    states, y = [], x
    for k, c in enumerate(config["encoder"]):
        y, h, cell = numpy_lstm(c, parameters, f"encoder.{k}.", y, Kinks())
        states.append((h, cell))
    y = np.repeat(states[-1][0][:, None], config["steps"], axis=1) if config["decoder_input"] == "repeated_code" else read
    for k, c in enumerate(config["decoder"]):
        start = states[-1 - k] if config["decoder_state"] == "encoder" else (None, None)
        y, _, _ = numpy_lstm(c, parameters, f"decoder.{k}.", y, Kinks(), *start)
    return y @ parameters["output.kernel"] + parameters["output.bias"]


def case(seed, config):
    rng = np.random.default_rng([300, seed])
    batch, config = 3, {"steps": 5, "features": 2, "output_activation": "linear", **config}
    x = waves(rng, batch, config["steps"], config["features"])
    networks = Networks(config)
    variables = networks.variables()
    parameters = {name: short(rng.normal(0, 0.7, v.shape)) for name, v in variables.items()}
    for name, variable in variables.items():
        variable.assign(native(parameters[name]))

    order = slice(None, None, -1) if config["reverse_decoder"] else slice(None)
    target = x[:, order]  # in the order of decoding
    read = np.concatenate([np.zeros_like(target[:, :1]), target[:, :-1]], axis=1)
    if config["decoder_input"] == "zeros":
        read = np.zeros((batch, config["steps"], 1))

    model = networks.one_pass
    assert {id(v) for v in model.trainable_variables} == {id(v) for v in variables.values()}
    names = {id(v): name for name, v in variables.items()}

    def loss_of(values):
        output, _ = model.stateless_call(values, [v.value for v in model.non_trainable_variables], [native(x), native(read)])
        return keras.losses.MeanSquaredError()(native(target), output), output

    (loss, taught), gradient = jax.value_and_grad(loss_of, has_aux=True)([v.value for v in model.trainable_variables])
    gradient = {names[id(v)]: g for v, g in zip(model.trainable_variables, gradient)}
    must_agree(f"decoder {seed}", taught, numpy_pass(config, parameters, x, read), 1e-12)
    if networks.sees_itself:
        output = np.asarray(networks.by_step(native(x)))
        fed = np.concatenate([np.zeros_like(output[:, :1]), output[:, :-1]], axis=1)
        must_agree(f"decoder {seed}, step by step", output, numpy_pass(config, parameters, x, fed), 1e-12)
        assert np.abs(output - np.asarray(taught)).max() > 1e-2
    else:
        output = np.asarray(taught)
    for name, g in gradient.items():
        assert np.abs(g).max() > 1e-4 or (config["decoder_input"] == "zeros" and name == "decoder.0.kernel"), name
    return {"config": config, "parameters": {n: tensor(v) for n, v in parameters.items()}, "x": tensor(x),
            "output": tensor(output[:, order]), "evaluation": float(np.mean((output - target) ** 2)), "loss": float(loss),
            "gradient": {n: tensor(gradient[n]) for n in parameters}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to")
    options = parser.parse_args()
    keras.config.set_floatx("float64")
    path = options.out / "decoders.json"
    cases = [case(k, config) for k, config in enumerate(configs())]
    path.write_text(dump({"made_by": made_by(command="python tests/golden/make_golden_decoders.py"), "cases": cases}) + "\n")
    print(f"{path}: {len(cases)} cases, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
