"""Draws peers.json: ratios.png, every ratio beside its bar, and linear.png, cost against size."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

OURS, SHORT, MARK = "#2a78b5", "#d9822b", "#222222"
GROUPS = {
    "layer": "LSTM layer / oneDNN",
    "step": "training step / fastest peer",
    "fit": "whole fit / Keras",
    "window": "one window / ONNX Runtime",
    "stream": "streaming step (limit / time)",
    "threads": "2 threads / 1 thread",
    "linear": "linear cost (limit / slope)",
    "memory": "memory / PyTorch",
    "compile": "compile (limit / value)",
}


def ratios(result, path):
    """Horizontal bars in log scale; a tick is what is to be reached."""
    rows = [row for row in result["rows"] if row["ratio"]]
    places, labels, at, last = [], [], 0.0, None
    titles = []
    for row in rows:
        if row["group"] != last:
            at += 1.0
            titles.append((at, GROUPS[row["group"]]))
            at += 1.0
            last = row["group"]
        places.append(at)
        threads = f", {row['threads']} threads" if row["group"] in ("layer", "step") and row["threads"] > 1 else ""
        labels.append(row["name"] + threads)
        at += 1.0
    figure, axes = plt.subplots(figsize=(10, 1.2 + 0.22 * at), layout="constrained")
    axes.set_xscale("log")
    left = min(0.5, *(0.8 * row["ratio"] for row in rows))
    right = 1.6 * max(max(row["ratio"], row["bar"]) for row in rows)
    for place, row in zip(places, rows):
        color = OURS if row["holds"] else SHORT
        axes.barh(place, row["ratio"] - left, left=left, height=0.75, color=color)
        axes.plot([row["bar"]] * 2, [place - 0.45, place + 0.45], color=MARK, linewidth=2)
        beside = max(row["ratio"], row["bar"])
        axes.text(beside * 1.04, place, f"{row['ratio']:.2f}", va="center", fontsize=7, color=MARK)
    for place, title in titles:
        axes.text(left * 1.02, place, title, va="center", fontsize=9, fontweight="bold")
    axes.axvline(1.0, color="#999999", linewidth=0.8, zorder=0)
    axes.set_yticks(places, labels, fontsize=7)
    axes.set_xlim(left, right)
    axes.set_ylim(at, 0)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if left <= t <= right]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("times faster (or smaller) than the other; black mark: the bar; blue holds, orange does not")
    machine = result["machine"]
    quick = " (quick run: numbers mean nothing)" if result["quick"] else ""
    axes.set_title(f"{machine['processor']}, {machine['vectors']}{quick}", fontsize=10)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=130)


def linear(result, path):
    """Milliseconds against steps, batch and epochs, in log-log, beside a line of slope 1."""
    curves = result["curves"]
    if not curves:
        return
    figure, all_axes = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3.6), layout="constrained", squeeze=False)
    for axes, (name, curve) in zip(all_axes[0], curves.items()):
        x, y = curve["x"], curve["ms"]
        axes.loglog(x, [y[0] * value / x[0] for value in x], "--", color="#999999", label="slope 1")
        axes.loglog(x, y, "o-", color=OURS, label=f"measured, slope {curve['slope']:.2f}")
        axes.set_xticks(x, [str(value) for value in x])
        axes.set_yticks(y, [f"{value:.3g}" for value in y])
        axes.minorticks_off()
        axes.set_xlabel(name)
        axes.set_ylabel("ms of the whole fit" if name == "epochs" else "ms of a training step")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)


def main():
    """Reads peers.json in the directory named by the command line and draws beside it."""
    directory = Path(sys.argv[1])
    result = json.loads((directory / "peers.json").read_text(encoding="utf-8"))
    if any(row["ratio"] for row in result["rows"]):
        ratios(result, directory / "ratios.png")
    linear(result, directory / "linear.png")


if __name__ == "__main__":
    main()
