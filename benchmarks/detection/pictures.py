"""Draws what was found: detection_series.png, detection_lengths.png and detection_ecg5000.png."""

import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

import tables  # noqa: E402

OURS, OTHER, LABEL, GREY = "#2a78b5", "#d9822b", "#f3c6c6", "#888888"
# Methods of one fixed length.
FIXED = (
    ("network T=", OURS, "networks"),
    ("pca T=", GREY, "PCA"),
    ("nearest T=", OTHER, "nearest window"),
)


def bare(axes):
    """No frame but the axes."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=7)


def thinned(values, most=3000):
    """x and y with no more points than can be seen; of each bin the largest."""
    step = max(1, len(values) // most)
    usable = len(values) // step * step
    bins = values[:usable].reshape(-1, step)
    return np.arange(0, usable, step), bins.max(axis=1)


def series_picture(results, series, output, path):
    """Each series with its labels, and the scores of the recommended default below."""
    found = []
    for one in results["series"]:
        scores = output / "scores" / one["name"] / "reprise" / "1.txt"
        # One family is enough to look at.
        if scores.exists() and one["group"] not in tables.FAMILIES[1:]:
            found.append((one, np.loadtxt(scores, ndmin=1)))
    if not found:
        return
    columns = 2 if len(found) > 1 else 1
    rows = -(-len(found) // columns)
    figure = plt.figure(figsize=(6.4 * columns, 2.1 * rows), layout="constrained")
    grid = figure.add_gridspec(2 * rows, columns, height_ratios=[2, 1] * rows)
    for place, (one, scores) in enumerate(found):
        values, labels = series[one["name"]]
        row, column = divmod(place, columns)
        top = figure.add_subplot(grid[2 * row, column])
        bottom = figure.add_subplot(grid[2 * row + 1, column], sharex=top)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
        for axes in (top, bottom):
            for start, end in zip(edges[::2], edges[1::2]):
                axes.axvspan(start, end, color=LABEL, linewidth=0)
            axes.axvline(one["train_rows"], color=GREY, linewidth=0.8, linestyle="--")
            bare(axes)
        step = max(1, len(values) // 6000)
        top.plot(np.arange(0, len(values), step), values[::step], color=GREY, linewidth=0.5)
        bottom.plot(*thinned(scores), color=OURS, linewidth=0.8)
        reached = tables.spread(tables.seeds_of(results, one["name"], "reprise"))
        metric = "ROC-AUC" if one["group"] == "mba" else "VUS-PR"
        top.set_title(f"{one['name']}: {metric} {reached}", fontsize=8, loc="left")
        top.tick_params(labelbottom=False)
        bottom.set_yticks([])
    figure.suptitle(
        "Values (grey), labelled outliers (red), scores of the first seed (blue); left of the dashes: trained on",
        fontsize=9,
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def lengths_picture(results, path):
    """The metric against the fixed length, beside what the rule reached."""
    if not any(tables.length_of(method) for method in tables.methods(results)):
        return
    groups = [(g, t) for g, t in (("nab", "NAB mean"), ("001", "001"), ("ucr135", "UCR135"), ("mba", "MBA_ECG805"))]
    figure, all_axes = plt.subplots(1, len(groups), figsize=(3.2 * len(groups), 3.0), layout="constrained")
    for axes, (group, title) in zip(all_axes, groups):
        for start, color, name in FIXED:
            points = []
            for method in tables.methods(results, start):
                length, found = tables.length_of(method), tables.by_seed(results, method, group)
                if length and found:
                    points.append((length, statistics.mean(found.values())))
            points.sort()
            axes.plot([p[0] for p in points], [p[1] for p in points], "o-", color=color, markersize=3, label=name)
        for method, style, name in (("reprise", "-", "recommended"), ("network", ":", "networks by the rule")):
            found = tables.by_seed(results, method, group)
            if found:
                axes.axhline(statistics.mean(found.values()), color="#222222", linestyle=style, label=name)
        axes.set_title(f"{title}, {'ROC-AUC' if group == 'mba' else 'VUS-PR'}", fontsize=9)
        axes.set_xlabel("fixed window length", fontsize=8)
        axes.set_ylim(0, 1)
        bare(axes)
    all_axes[0].legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def ecg_picture(results, output, path):
    """The scores of normal and abnormal beats with the default threshold, and every rule's false alarms."""
    directory = output / "scores" / "ecg5000" / "reprise"
    if not (directory / "1.normal.txt").exists():
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
    scores = {part: np.loadtxt(directory / f"1.{part}.txt") for part in ("calibration", "normal", "abnormal")}
    everything = np.concatenate(list(scores.values()))
    bins = np.geomspace(everything.min(), everything.max(), 70)
    for part, color in (("normal", OURS), ("abnormal", OTHER)):
        left.hist(scores[part], bins=bins, color=color, alpha=0.7, label=f"{part} beats to judge")
    left.hist(scores["calibration"], bins=bins, color="#222222", histtype="step", label="held-out normal beats")
    left.set_xscale("log")
    left.set_xlabel("score", fontsize=8)
    left.set_ylabel("beats", fontsize=8)
    for row in tables.default_threshold(results):
        if row["seed"] == 1:
            left.axvline(row["threshold"], color="#222222", linewidth=1, label=f"default: {row['rule']}")
    left.legend(frameon=False, fontsize=8)
    rows = [row for row in results["thresholds"] if "refusal" not in row]
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    mean = lambda rule, key: statistics.mean(row[key] for row in rows if row["rule"] == rule)  # noqa: E731
    rules.sort(key=lambda rule: mean(rule, "false_alarm_rate"))
    for place, rule in enumerate(rules):
        found = [row for row in rows if row["rule"] == rule]
        color = OTHER if found[0].get("default") else OURS
        right.plot([row["false_alarm_rate"] for row in found], [place] * len(found), "o", color=color, markersize=4)
        if found[0]["promised"] is not None:
            right.plot([found[0]["promised"]] * 2, [place - 0.4, place + 0.4], color="#222222", linewidth=2)
        right.text(0.101, place, f"{mean(rule, 'recall'):.3f}", fontsize=7, va="center")
    right.set_yticks(range(len(rules)), rules)
    right.set_xlim(-0.001, 0.1)
    right.set_xlabel("false-alarm rate of each seed (dots), promised (bars); numbers: mean recall", fontsize=8)
    right.grid(axis="x", color="#dddddd", linewidth=0.6)
    right.set_axisbelow(True)
    for axes in (left, right):
        bare(axes)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw(results, series, output):
    """All pictures; `series` has the values and labels of each series by its name."""
    series_picture(results, series, output, output / "detection_series.png")
    lengths_picture(results, output / "detection_lengths.png")
    ecg_picture(results, output, output / "detection_ecg5000.png")
