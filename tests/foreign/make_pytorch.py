#!/usr/bin/env python3
"""Writes pytorch/: state_dicts of small modules of PyTorch with an input and the output that they give.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.15.0 safetensors==0.8.0 numpy
    /tmp/venv/bin/python tests/foreign/make_pytorch.py

io_pytorch_test.cpp reads the files and needs no Python.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).resolve().parent / "pytorch"


class Autoencoder(nn.Module):
    """The last layer's last state, repeated, is what the decoder reads."""

    def __init__(self, features, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.output = nn.Linear(decoder.hidden_size, features)

    def forward(self, x):
        sequence, _ = self.encoder(x)
        code = sequence[:, -1:].expand(-1, x.shape[1], -1)
        return self.output(self.decoder(code)[0])


class Renamed(nn.Module):
    """A module for each layer, none of which has a bias, under names of its own."""

    def __init__(self):
        super().__init__()
        self.first = nn.LSTM(2, 4, batch_first=True, bias=False)
        self.second = nn.LSTM(4, 3, batch_first=True, bias=False)
        self.back = nn.GRU(3, 5, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(5, 2))

    def forward(self, x):
        code = self.second(self.first(x)[0])[0][:, -1:].expand(-1, x.shape[1], -1)
        return self.head(self.back(code)[0])


class BothWays(nn.Module):
    """Two bidirectional layers, of whose last states a prediction is made."""

    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(2, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(6, 2)

    def forward(self, x):
        _, state = self.rnn(x)
        last = state[0] if isinstance(state, tuple) else state
        return self.fc(torch.cat([last[-2], last[-1]], dim=1))[:, None]


class Predictor(nn.Module):
    """Indices in, logits out."""

    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.fc = nn.Embedding(4, 3), nn.GRU(3, 3, batch_first=True), nn.Linear(3, 4)

    def forward(self, x):
        return self.fc(self.rnn(self.embedding(x[:, :, 0].long()))[0])


def main():
    torch.manual_seed(5)
    HERE.mkdir(exist_ok=True)
    modules = {
        "autoencoder": Autoencoder(2, nn.LSTM(2, 3, num_layers=2, batch_first=True), nn.LSTM(3, 4, batch_first=True)),
        "gru_autoencoder": Autoencoder(2, nn.GRU(2, 3, batch_first=True), nn.GRU(3, 4, num_layers=2, batch_first=True)),
        "renamed": Renamed(),
        "both_ways_lstm": BothWays(nn.LSTM),
        "both_ways_gru": BothWays(nn.GRU),
        "symbols": Predictor(),
        "projected": nn.LSTM(2, 3, proj_size=2, batch_first=True),
    }
    results = {"torch": torch.__version__, "command": "python tests/foreign/make_pytorch.py"}
    for name, module in modules.items():
        module = module.double().eval()
        x = torch.round(torch.randn(3, 5, 2, dtype=torch.float64), decimals=3)
        if name == "symbols":
            x = torch.floor(4 * torch.rand(3, 5, 1, dtype=torch.float64))
        with torch.no_grad():
            for values in module.parameters():
                values.copy_(torch.round(values * 1000) / 1000)
            output = module(x)
        save_file(module.state_dict(), HERE / f"{name}.safetensors")
        if name == "projected":
            continue
        results[name] = {part: {"shape": list(t.shape), "data": t.flatten().tolist()} for part, t in [("x", x), ("output", output)]}
    # The same in float32, as most files are.
    single = modules["autoencoder"].float()
    save_file(single.state_dict(), HERE / "autoencoder_float.safetensors")
    # Files of PyTorch's own, which are refused.
    torch.save({"weight": torch.zeros(1)}, HERE / "state.pt")
    torch.save({"weight": torch.zeros(1)}, HERE / "old.pt", _use_new_zipfile_serialization=False)
    (HERE / "outputs.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
