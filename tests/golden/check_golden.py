#!/usr/bin/env python3
"""Holds the golden files against Keras on TensorFlow, unpatched: another backend, another differentiation.

    python tests/golden/check_golden.py                    float64: rounding only, except leaky_relu and log_cosh
    python tests/golden/check_golden.py --floatx float32   how far single precision may drift from the golden numbers

On TensorFlow leaky_relu takes its slope as float32 and log_cosh its log(2), so both are off by 1e-8 there. So do Adam, AdamW and
SGD with their betas, decay and momentum (keras.ops.cast(0.9, "float64") is 0.8999999762): the first two are given tensors here, SGD
takes none.
"""
import argparse
import json
import os
from collections import defaultdict
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

HERE = Path(__file__).resolve().parent
worst = defaultdict(lambda: (0.0, ""))


def array(t):
    return np.array(t["data"]).reshape(t["shape"])


def native(t):
    return tf.constant(array(t), dtype=keras.config.floatx())


def compare(what, case, actual, expected):
    expected = array(expected) if isinstance(expected, dict) else np.asarray(expected)
    actual = np.asarray(actual)
    assert actual.shape == expected.shape, (what, case, actual.shape, expected.shape)
    difference = np.abs(actual - expected).max()
    relative = difference / max(np.abs(expected).max(), 1e-300) if difference > 0 else 0.0
    worst[what] = max(worst[what], (float(relative), str(case)))


def exact(value):
    return tf.constant(value, dtype=keras.config.floatx())


def adam(rate):
    return keras.optimizers.Adam(learning_rate=rate, beta_1=exact(0.9), beta_2=exact(0.999))


def lstm(config, **more):
    keys = ["units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "go_backwards"]
    return keras.layers.LSTM(**{key: config[key] for key in keys}, **more)


def check_autoencoders(case, label):
    config = case["config"]
    layers = [keras.layers.Input((config["steps"], config["features"]))]
    layers += [lstm(c, return_sequences=c is not config["encoder"][-1]) for c in config["encoder"]]
    layers += [keras.layers.RepeatVector(config["steps"])] + [lstm(c, return_sequences=True) for c in config["decoder"]]
    layers += [keras.layers.TimeDistributed(keras.layers.Dense(config["features"], activation=config["output_activation"]))]
    model = keras.Sequential(layers)
    names = list(case["parameters"])

    def reset(rate):
        model.set_weights([array(case["parameters"][name]) for name in names])
        model.compile(optimizer=adam(rate), loss="mse")

    reset(1e-3)
    x = native(case["x"])
    with tf.GradientTape() as tape:
        output = model(x)
        loss = keras.losses.MeanSquaredError()(x, output)
    gradient = tape.gradient(loss, [v.value for v in model.trainable_variables])
    compare("autoencoder output" + label, config, output, case["output"])
    compare("autoencoder loss" + label, config, loss, case["loss"])
    for name, g in zip(names, gradient):
        compare("autoencoder gradient" + label, name, g, case["gradient"][name])
    reset(case["adam"]["learning_rate"])
    for expected in case["adam"]["losses"]:
        compare("autoencoder Adam losses" + label, config, model.train_on_batch(x, x), expected)
    for name, value in zip(names, model.get_weights()):
        compare("autoencoder Adam parameters" + label, name, value, case["adam"]["parameters"][name])
    fit = case["fit"]
    reset(fit["learning_rate"])
    x = array(fit["x"]).astype(keras.config.floatx())
    history = model.fit(x, x, epochs=fit["epochs"], batch_size=fit["batch_size"], validation_split=fit["validation_split"],
                        shuffle=False, verbose=0).history
    compare("autoencoder fit loss" + label, config, history["loss"], fit["loss"])
    compare("autoencoder fit val_loss" + label, config, history["val_loss"], fit["val_loss"])


def check_lstm_layers(case, label):
    config = case["config"]
    layer = lstm(config, return_sequences=config["return_sequences"], return_state=True, dropout=config["dropout"],
                 recurrent_dropout=config["recurrent_dropout"])
    x = native(case["x"])
    layer.build(tuple(x.shape))
    layer.set_weights([array(t) for t in case["parameters"].values()])
    states = [native(case[name]) for name in ("h0", "c0") if name in case]
    if "x_mask" in case:
        masks = native(case["x_mask"])
        layer.cell._dropout_mask = list(masks) if masks.shape[0] == 4 else masks[0]
    if "h_mask" in case:
        layer.cell._recurrent_dropout_mask = list(native(case["h_mask"]))
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        output, h, c = layer(x, initial_state=states or None, training=True)
        objective = sum(tf.reduce_sum(v * native(case["upstream"][n])) for n, v in (("output", output), ("h", h), ("c", c)))
    names = list(case["parameters"]) + ["x", "h0", "c0"][:1 + len(states)]
    gradient = tape.gradient(objective, [v.value for v in layer.trainable_variables] + [x, *states])
    for name, value in (("output", output), ("h", h), ("c", c)):
        compare(f"LSTM {name}" + label, case["name"], value, case[name])
    for name, g in zip(names, gradient):
        compare("LSTM gradient" + label, case["name"], g, case["gradient"][name])


def check_dense(case, label):
    layer = keras.layers.Dense(**case["config"])
    if case["layer"] == "time_distributed":
        layer = keras.layers.TimeDistributed(layer)
    x = native(case["x"])
    layer.build(tuple(x.shape))
    layer.set_weights([array(t) for t in case["parameters"].values()])
    with tf.GradientTape() as tape:
        tape.watch(x)
        output = layer(x)
        objective = tf.reduce_sum(output * native(case["upstream"]))
    compare("dense output" + label, case["config"], output, case["output"])
    gradient = tape.gradient(objective, [v.value for v in layer.trainable_variables] + [x])
    for name, g in zip([*case["parameters"], "x"], gradient):
        compare("dense gradient" + label, case["config"], g, case["gradient"][name])


def check_losses(case, label):
    kinds = {"mean_squared_error": keras.losses.MeanSquaredError, "mean_absolute_error": keras.losses.MeanAbsoluteError,
             "huber": keras.losses.Huber, "log_cosh": keras.losses.LogCosh}
    loss = kinds[case["loss"]](**({"delta": case["delta"]} if "delta" in case else {}))
    prediction = native(case["prediction"])
    weight = native(case["sample_weight"])[:, None] if "sample_weight" in case else None
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        value = loss(native(case["target"]), prediction, sample_weight=weight)
    compare("loss value" + label, case["loss"], value, case["value"])
    compare("loss gradient" + label, case["loss"], tape.gradient(value, prediction), case["gradient"])


def check_optimizers(case, label, file):
    if case["meaning"] != "keras":
        return
    options = dict(case["options"])
    if "schedule" in options:
        schedule = {k: v for k, v in file["schedules"][options.pop("schedule")].items() if k != "rates"}
        schedules = keras.optimizers.schedules
        kind = {"exponential_decay": schedules.ExponentialDecay, "cosine_decay": schedules.CosineDecay}[schedule.pop("type")]
        options["learning_rate"] = kind(**schedule)
    options |= {key: exact(options[key]) for key in ("beta_1", "beta_2", "weight_decay") if key in options}
    kinds = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
             "rmsprop": keras.optimizers.RMSprop}
    optimizer = kinds[case["optimizer"]](**options)
    variables = [keras.Variable(native(t), dtype=keras.config.floatx()) for t in file["initial"].values()]
    for gradient, after in zip(file["gradients"], case["after"]):
        optimizer.apply([native(g) for g in gradient.values()], variables)
        for variable, expected in zip(variables, after.values()):
            compare("optimizer " + case["optimizer"] + label, (case["optimizer"], case["options"]), variable, expected)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--floatx", choices=["float64", "float32"], default="float64")
    keras.config.set_floatx(parser.parse_args().floatx)
    for name in ("dense", "losses", "optimizers", "lstm_layers", "autoencoders"):
        file = json.loads((HERE / f"{name}.json").read_text())
        for case in file["cases"]:
            inexact = [word for word in ("leaky_relu", "log_cosh") if word in json.dumps({**case, "name": ""})]
            label = "".join(f", {word}" for word in inexact)
            globals()["check_" + name](case, label, *([file] if name == "optimizers" else []))
    for what, (relative, case) in sorted(worst.items()):
        print(f"{relative:.1e}  {what}    {case if relative > 1e-11 else ''}")


if __name__ == "__main__":
    main()
