"""PyTorch's side of benchmarks/peers/run."""

import numpy
import torch

import protocol

THREADS = protocol.threads()
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)


class Autoencoder(torch.nn.Module):
    """LSTM(outer) -> LSTM(inner) -> repeat -> LSTM(inner) -> LSTM(outer) -> Linear, batch first."""

    def __init__(self, features, outer, inner):
        super().__init__()
        sizes = [(features, outer), (outer, inner), (inner, inner), (inner, outer)]
        self.layers = torch.nn.ModuleList(torch.nn.LSTM(i, h, batch_first=True) for i, h in sizes)
        self.output = torch.nn.Linear(outer, features)

    def forward(self, x):
        outputs, _ = self.layers[0](x)
        _, (code, _) = self.layers[1](outputs)
        outputs, _ = self.layers[2](code[0].unsqueeze(1).expand(-1, x.shape[1], -1))
        outputs, _ = self.layers[3](outputs)
        return self.output(outputs)


def step(features, outer, inner, steps, batch):
    """Forward, backward and Adam on one batch; fused, which is the fastest Adam that PyTorch has."""
    model = Autoencoder(features, outer, inner)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    x = torch.from_numpy(numpy.random.default_rng(1).standard_normal((batch, steps, features), "float32"))
    loss_function = torch.nn.MSELoss()

    def work():
        optimizer.zero_grad(set_to_none=True)
        loss_function(model(x), x).backward()
        optimizer.step()

    return work


def window(features, outer, inner, steps):
    """One window through the model."""
    model = Autoencoder(features, outer, inner).eval()
    x = torch.zeros(1, steps, features)

    def work():
        with torch.inference_mode():
            model(x)

    return work


def make(kind, numbers):
    """What `run` asks to measure."""
    if kind == "step":
        return step(*numbers)
    if kind == "window":
        return window(*numbers)
    return None


def memory(numbers):
    """Peak resident memory of three training steps, minus that of the process after its imports."""
    before = protocol.reset_peak_memory()
    work = step(*numbers)
    for _ in range(3):
        work()
    return {"kB": protocol.status_kb("VmHWM") - before}


protocol.serve("PyTorch " + torch.__version__, make, {"memory": memory})
