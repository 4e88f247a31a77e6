#!/usr/bin/env python3
"""Holds save_pytorch against PyTorch: what it writes is what load_state_dict(strict=True) takes. Run by hand, from anywhere:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.15.0 safetensors==0.8.0 numpy
    /tmp/venv/bin/python tests/foreign/check_with_pytorch.py

It needs a C++ compiler ($CXX, or c++), Eigen and nlohmann_json in their usual places. It compiles pytorch_check.cpp, which saves
models in PyTorch's names with an input and its output; then the modules of make_pytorch.py take the tensors, give the same
output, train on, and what they then save is loaded again by load_pytorch, with the same output as theirs.
"""
import json
import os
import subprocess
import tempfile
from pathlib import Path

import torch
from make_pytorch import Autoencoder, BothWays
from safetensors.torch import load_file, save_file
from torch import nn

HERE = Path(__file__).resolve().parent
MODULES = {
    "lstm": lambda: Autoencoder(2, nn.LSTM(2, 3, num_layers=2, batch_first=True), nn.LSTM(3, 4, batch_first=True)),
    "gru": lambda: Autoencoder(2, nn.GRU(2, 3, batch_first=True), nn.GRU(3, 4, num_layers=2, batch_first=True)),
    "no_bias": lambda: Autoencoder(2, nn.LSTM(2, 3, bias=False, batch_first=True), nn.GRU(3, 4, bias=False, batch_first=True)),
    "both_ways": lambda: BothWays(nn.GRU),
}


def main():
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        program = directory / "check"
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++20", "-O1", "-I", HERE.parents[1] / "include", "-isystem",
                        "/usr/include/eigen3", HERE / "pytorch_check.cpp", "-pthread", "-o", program], check=True)

        def run(what, name):
            result = json.loads(subprocess.run([program, what, name, directory / name], check=True, capture_output=True).stdout)
            return [torch.tensor(result[part], dtype=torch.float64) for part in ("x", "y")]

        for name, make in MODULES.items():
            module = make().double()
            x, expected = run("write", name)
            module.load_state_dict(load_file(directory / name), strict=True)
            with torch.no_grad():
                error = ((module(x) - expected).abs().max() / expected.abs().max()).item()
            assert error < 1e-12, error

            optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
            target = torch.zeros_like(expected)
            losses = []
            for _ in range(20):
                optimizer.zero_grad()
                loss = ((module(x) - target) ** 2).mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            assert losses[-1] < losses[0], losses
            save_file(module.state_dict(), directory / name)
            x, back = run("read", name)
            with torch.no_grad():
                back_error = ((module(x) - back).abs().max() / back.abs().max()).item()
            assert back_error < 1e-12, back_error
            print(f"{name:10} written: differs by {error:.1e}; trained on from {losses[0]:.3g} to {losses[-1]:.3g}; read again: {back_error:.1e}")


if __name__ == "__main__":
    main()
