"""JAX's side of benchmarks/peers/run: an autoencoder written by hand with lax.scan, compiled."""

import functools

import jax
import jax.numpy as jnp
import numpy

import protocol

THREADS = protocol.threads()  # the driver gives the process as many cores


def lstm(parameters, x, unroll):
    """x: steps x batch x features. The inputs of all steps are projected in one product before the scan."""
    kernel, recurrent, bias = parameters
    units = recurrent.shape[0]
    projected = x @ kernel + bias

    def cell(state, z):
        h, c = state
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((x.shape[1], units), x.dtype)
    _, outputs = jax.lax.scan(cell, (zero, zero), projected, unroll=unroll)
    return outputs


def autoencoder(parameters, x, unroll):
    """x: steps x batch x features, and so is the result."""
    outputs = lstm(parameters[0], x, unroll)
    code = lstm(parameters[1], outputs, unroll)[-1]
    outputs = lstm(parameters[2], jnp.broadcast_to(code, (x.shape[0], *code.shape)), unroll)
    outputs = lstm(parameters[3], outputs, unroll)
    kernel, bias = parameters[4]
    return outputs @ kernel + bias


def initial_parameters(features, outer, inner):
    """Of the four LSTM layers and the dense one."""
    random = numpy.random.default_rng(1)

    def some(*shape):
        return jnp.asarray(random.standard_normal(shape, "float32") / numpy.sqrt(numpy.float32(shape[0])))

    sizes = [(features, outer), (outer, inner), (inner, inner), (inner, outer)]
    layers = [(some(i, 4 * h), some(h, 4 * h), jnp.zeros(4 * h)) for i, h in sizes]
    return [*layers, (some(outer, features), jnp.zeros(features))]


def unrolls(steps):
    """What may be the fastest: a loop, or for few steps none."""
    return [1, steps] if steps <= 8 else [1]


def step(features, outer, inner, steps, batch):
    """Forward, backward and Adam on one batch."""

    def with_unroll(unroll):
        @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
        def update(parameters, first, second, count, x):
            def loss(p):
                return jnp.mean((autoencoder(p, x, unroll) - x) ** 2)

            gradient = jax.grad(loss)(parameters)
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
            rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            parameters = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-7), parameters, first, second
            )
            return parameters, first, second, count + 1

        parameters = initial_parameters(features, outer, inner)
        state = [
            parameters,
            jax.tree.map(jnp.zeros_like, parameters),
            jax.tree.map(jnp.zeros_like, parameters),
            jnp.float32(1),
        ]
        x = jnp.asarray(numpy.random.default_rng(1).standard_normal((steps, batch, features), "float32"))

        def work():
            state[:] = update(*state, x)
            jax.block_until_ready(state)

        return work

    return protocol.fastest({f"unroll {n}": with_unroll(n) for n in unrolls(steps)})


def window(features, outer, inner, steps):
    """One window through the model."""
    parameters = initial_parameters(features, outer, inner)
    x = jnp.zeros((steps, 1, features))

    def with_unroll(unroll):
        forward = jax.jit(functools.partial(autoencoder, unroll=unroll))
        return lambda: forward(parameters, x).block_until_ready()

    return protocol.fastest({f"unroll {n}": with_unroll(n) for n in unrolls(steps)})


def make(kind, numbers):
    """What `run` asks to measure."""
    if kind == "step":
        return step(*numbers)
    if kind == "window":
        return window(*numbers)
    return None


protocol.serve("JAX " + jax.__version__, make)
