#!/usr/bin/env python3
"""Judges the scores that the C++ programs wrote, by the metrics of TSB-AD; writes results.json, tables and pictures.

Runs in the virtual environment that `run` makes: evaluate.py OUTPUT
"""

import json
import multiprocessing
import os
import sys
import warnings
from pathlib import Path

sys.dont_write_bytecode = True
warnings.filterwarnings("ignore")  # of TSB-AD's metrics: divisions by zero that they then handle

import numpy as np  # noqa: E402
from sklearn.metrics import average_precision_score, roc_auc_score  # noqa: E402
from TSB_AD.evaluation.basic_metrics import generate_curve  # noqa: E402
from TSB_AD.evaluation.metrics import get_metrics  # noqa: E402
from TSB_AD.utils.slidingWindows import find_length_rank  # noqa: E402

import pictures  # noqa: E402
import prepare  # noqa: E402
import tables  # noqa: E402

# The volume under the surface takes minutes on 230,400 rows; the published numbers of this series are ROC-AUCs.
WITHOUT_VUS = ("mba",)
# Those whose other metrics are worth their time.
WITH_ALL = ("reprise", "network")


def read_scores(path):
    """The scores of a file, one a line."""
    return np.loadtxt(path, ndmin=1)


def judge_series(task):
    """The metrics of one file of scores. A score that is not finite is an error, not a number."""
    path, name, group, method, seed = task
    values, labels = SERIES[name]
    scores = read_scores(path)
    row = {"series": name, "group": group, "method": method, "seed": seed, "finite": bool(np.isfinite(scores).all())}
    row["complete"] = scores.shape == labels.shape
    if not row["finite"] or not row["complete"] or not labels.any():
        return row
    row["roc_auc"] = roc_auc_score(labels, scores)
    row["pr_auc"] = average_precision_score(labels, scores)
    if group in WITHOUT_VUS:
        return row
    buffer = int(find_length_rank(values, rank=1))
    row["buffer"] = buffer
    if method in WITH_ALL:
        row.update({key: float(value) for key, value in get_metrics(scores, labels, slidingWindow=buffer).items()})
    else:
        row["VUS-ROC"], row["VUS-PR"] = map(float, generate_curve(labels, scores, buffer, "opt", 250)[-2:])
    return row


SERIES = {}


def load_series(output):
    """Fills SERIES before the processes that share the work are forked."""
    series = json.loads((output / "input" / "series.json").read_text(encoding="utf-8"))
    for one in series:
        values, labels = prepare.read(output / "input" / f"{one['name']}.csv")
        SERIES[one["name"]] = (np.array(values), np.array(labels, dtype=int))
    return series


def series_rows(output):
    """The metrics of every series, method and seed whose scores are there."""
    tasks = []
    for one in load_series(output):
        for directory in sorted((output / "scores" / one["name"]).glob("*")):
            for path in sorted(directory.glob("*.txt")):
                tasks.append((path, one["name"], one["group"], directory.name, int(path.stem)))
    processes = min(len(os.sched_getaffinity(0)), int(os.environ.get("REPRISE_DETECTION_PROCESSES", "64")))
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return pool.map(judge_series, tasks, chunksize=1)


def ecg_rows(output):
    """The methods on ECG5000 with scikit-learn's metrics beside the library's own."""
    rows = []
    for one in lines(output / "ecg5000.jsonl"):
        directory = output / "scores" / "ecg5000" / one["method"]
        parts = {
            part: read_scores(directory / f"{one['seed']}.{part}.txt") for part in ("calibration", "normal", "abnormal")
        }
        scores = np.concatenate([parts["normal"], parts["abnormal"]])
        labels = np.repeat([0, 1], [len(parts["normal"]), len(parts["abnormal"])])
        row = dict(one)
        row["finite"] = bool(np.isfinite(np.concatenate(list(parts.values()))).all())
        if row["finite"]:
            row["scikit_roc_auc"] = roc_auc_score(labels, scores)
            row["pr_auc"] = average_precision_score(labels, scores)
        rows.append(row)
    return rows


def lines(path):
    """The objects of a file with one JSON text a line; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def main():
    """Reads OUTPUT, writes OUTPUT/results.json, OUTPUT/detection.md and OUTPUT/detection_*.png."""
    output = Path(sys.argv[1]).resolve()
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    results = {
        **run,
        "series": json.loads((output / "input" / "series.json").read_text(encoding="utf-8")),
        "rows": series_rows(output),
        "runs": lines(output / "series.jsonl"),
        "ecg5000": ecg_rows(output),
        "study": lines(output / "ecg5000_study.jsonl"),
        "thresholds": lines(output / "ecg5000_thresholds.jsonl"),
    }
    for row in results["ecg5000"]:
        # The files hold nine digits, so that two scores may have become a tie.
        if row["finite"] and abs(row["roc_auc"] - row["scikit_roc_auc"]) > 1e-6:
            results["failed"].append(f"{row['method']}: the library's ROC-AUC is not scikit-learn's")
    results["goals"] = tables.goals(results)
    (output / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (output / "detection.md").write_text(tables.markdown(results), encoding="utf-8")
    pictures.draw(results, SERIES, output)
    for goal in results["goals"]:
        print(tables.goal_line(goal))
    if results["quick"]:
        print("a quick run: it shows that everything works, and its numbers mean nothing")


if __name__ == "__main__":
    main()
