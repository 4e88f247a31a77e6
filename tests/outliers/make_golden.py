#!/usr/bin/env python3
"""Writes outliers.json: what scikit-learn, SciPy and NumPy say of outlier scores. See README.md."""
import json
import math
import sys
from collections import deque
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy import optimize, stats
from sklearn import metrics as sk

HERE = Path(__file__).resolve().parent


def rounded(values, digits=6):
    return [round(float(v), digits) for v in np.asarray(values).ravel()]


# ---------------------------------------------------------------------------------------------------------------- metrics

def metric_case(name, scores, labels, threshold):
    scores, labels = np.asarray(scores, float), np.asarray(labels, int)
    flagged = (scores > threshold).astype(int)
    tn, fp, fn, tp = sk.confusion_matrix(labels, flagged, labels=[0, 1]).ravel().tolist()
    precision, recall, _ = sk.precision_recall_curve(labels, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    return {
        "name": name, "scores": scores.tolist(), "labels": labels.tolist(), "threshold": threshold,
        "roc_auc": sk.roc_auc_score(labels, scores), "average_precision": sk.average_precision_score(labels, scores),
        "confusion": [tn, fp, fn, tp],
        "precision": sk.precision_score(labels, flagged, zero_division=0), "recall": sk.recall_score(labels, flagged),
        "f_half": sk.fbeta_score(labels, flagged, beta=0.5), "f1": sk.f1_score(labels, flagged),
        "f2": sk.fbeta_score(labels, flagged, beta=2), "best_f1": float(f1.max()),
    }


def metrics(rng):
    cases = []
    labels = rng.random(200) < 0.15
    cases.append(metric_case("continuous", rounded(rng.exponential(size=200) + 1.5 * labels), labels, 1.7))
    cases.append(metric_case("ties", rng.integers(0, 6, 300) + 2 * (rng.random(300) < 0.3), rng.random(300) < 0.4, 3))
    cases.append(metric_case("worse than chance", rounded(rng.random(50) - 0.5 * (np.arange(50) % 5 == 0) + 0.5),
                             np.arange(50) % 5 == 0, 0.8))
    cases.append(metric_case("all equal", [1.0] * 7, [0, 1, 0, 0, 1, 0, 0], 1.0))
    cases.append(metric_case("perfect", [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 1, 1], 4.5))
    cases.append(metric_case("one outlier, last", [5, 4, 3, 2, 1], [0, 0, 0, 0, 1], 0.5))
    return cases


# ------------------------------------------------------------------------------------------------------------- thresholds

def best_f_beta(scores, labels, beta):
    """The largest of the scores, or of a number below them all, with the largest F_beta above it."""
    candidates = [np.nextafter(min(scores), -np.inf)] + sorted(set(scores))
    best = max((sk.fbeta_score(labels, np.asarray(scores) > t, beta=beta, zero_division=0), t) for t in candidates)
    return {"beta": beta, "f": best[0], "threshold": best[1]}


def thresholds(rng):
    scores = rounded(rng.gamma(2.0, size=101))
    labels = (rng.random(101) < 0.3).astype(int)
    ties = rng.integers(0, 5, 60).tolist()
    tie_labels = (rng.random(60) < 0.2 + 0.1 * np.asarray(ties)).astype(int)
    low, high = np.quantile(scores, [0.25, 0.75])
    return {
        "scores": scores, "labels": labels.tolist(), "ties": ties, "tie_labels": tie_labels.tolist(),
        "iqr": {"k": 1.5, "value": high + 1.5 * (high - low)},
        "factor": {"factor": 2.5, "max": 2.5 * max(scores), "mean": 2.5 * np.mean(scores), "median": 2.5 * np.median(scores)},
        "f_beta": [best_f_beta(scores, labels, b) for b in (0.5, 1.0, 2.0)],
        "f_beta_ties": [best_f_beta(ties, tie_labels, b) for b in (0.5, 1.0, 2.0)],
    }


# ---------------------------------------------------------------------------------------------------- generalised Pareto

def fit_pareto(excesses, points=200_000):
    """Stationary points of the profile likelihood over x = shape / scale, on a fine grid; the best of them and of shape 0.

    The profile likelihood is -n (log(shape / x) + shape + 1) with shape = mean log(1 + x y); it is stationary where
    d/dx [log(shape(x) / x) + shape(x)] = shape' / shape - 1 / x + shape' is 0.
    """
    y = np.asarray(excesses, float)
    top, mean, low = y.max(), y.mean(), y.min()

    def slope(x):
        shape = np.log1p(x * y).mean()
        derivative = (y / (1 + x * y)).mean()
        return derivative / shape - 1 / x + derivative

    near = 1e-4 / top
    half = np.geomspace(near, 0.5 / top, points // 100)
    grids = [-np.concatenate([half, ((1 - np.geomspace(0.5, 1e-10, points // 100)) / top)[1:]])]
    end = 2 * (mean - low) / low**2
    if end > near:
        grids.append(np.geomspace(near, end, points // 50))
    best = (stats.genpareto.logpdf(y, 0, scale=mean).sum(), 0.0, mean)
    for grid in grids:
        slopes = np.array([slope(x) for x in grid])
        for i in np.flatnonzero(np.sign(slopes[1:]) != np.sign(slopes[:-1])):
            x = optimize.brentq(slope, grid[i], grid[i + 1], xtol=1e-300, rtol=1e-14)
            shape = np.log1p(x * y).mean()
            best = max(best, (stats.genpareto.logpdf(y, shape, scale=shape / x).sum(), shape, shape / x))
    return {"log_likelihood": best[0], "shape": best[1], "scale": best[2]}


def pareto(rng):
    cases = []
    for name, draws in [
        ("heavy", stats.genpareto.rvs(0.5, scale=2, size=300, random_state=rng)),
        ("very heavy", stats.genpareto.rvs(2.5, scale=0.1, size=300, random_state=rng)),
        ("light", stats.genpareto.rvs(-0.3, scale=1, size=300, random_state=rng)),
        ("exponential", rng.exponential(3, size=300)),
        ("few", rng.exponential(1, size=10)),
        ("with a nearly tied smallest", np.concatenate([[1e-6], stats.genpareto.rvs(1.2, size=80, random_state=rng)])),
    ]:
        excesses = [float(f"{v:.6g}") for v in draws]
        cases.append({"name": name, "excesses": excesses, **fit_pareto(excesses)})
    return cases


def z_at(t, n, excesses, fit, risk):
    return t + stats.genpareto.isf(risk * n / len_all(excesses), fit["shape"], scale=fit["scale"])


def len_all(excesses):
    return excesses if isinstance(excesses, int) else len(excesses)


def pot(rng):
    cases = []
    for name, draws, level, risk in [
        ("gamma", rng.gamma(2, size=1000), 0.98, 1e-4),
        ("lognormal", rng.lognormal(size=800), 0.95, 1e-3),
        ("beta", rng.beta(2, 3, size=600), 0.9, 1e-3),
    ]:
        scores = rounded(draws)
        t = np.quantile(scores, level)
        excesses = [s - t for s in scores if s > t]
        fit = fit_pareto(excesses)
        beyond = [t + 0.5 * (max(scores) - t), max(scores), 1.05 * max(scores), 2 * max(scores)]
        share = len(excesses) / len(scores)
        cases.append({
            "name": name, "scores": scores, "level": level, "risk": risk, "quantile": t, "excesses": len(excesses),
            "shape": fit["shape"], "scale": fit["scale"], "threshold": z_at(t, len(scores), excesses, fit, risk),
            "at": beyond,
            "tail": [share * float(stats.genpareto.sf(x - t, fit["shape"], scale=fit["scale"])) for x in beyond],
        })
    return cases


class Spot:
    """Algorithms 1 and 2 of Siffer et al. (2017); only the last `memory` excesses are fitted."""

    def __init__(self, calibration, level, risk, memory):
        self.risk, self.memory = risk, memory
        self.t = np.quantile(calibration, level)
        self.kept = [x - self.t for x in calibration if x > self.t]
        self.count, self.n = len(self.kept), len(calibration)
        self.refit()

    def refit(self):
        self.kept = self.kept[-self.memory:]
        self.fit = fit_pareto(self.kept, 20_000)
        self.z = z_at(self.t, self.n, self.count, self.fit, self.risk)

    def step(self, x):
        z = self.z
        if x > z:
            return "alarm", z
        self.n += 1
        if x <= self.t:
            return "normal", z
        self.count += 1
        self.kept.append(x - self.t)
        self.refit()
        return "excess", z


def spot(rng):
    calibration = rounded(rng.gamma(2, size=400), 4)
    stream = rounded(rng.gamma(2, size=600), 4)
    for i in (100, 333, 334, 599):
        stream[i] += 15
    rule = Spot(calibration, 0.95, 1e-3, 30)
    steps = [rule.step(x) for x in stream]
    return {"calibration": calibration, "stream": stream, "level": 0.95, "risk": 1e-3, "max_excess": 30,
            "status": [s for s, _ in steps], "threshold": [z for _, z in steps], "last_threshold": rule.z}


def dspot(rng):
    """Algorithm 3: SPOT on what exceeds the mean of the last d normal values."""
    depth = 12
    wave = 3 * np.sin(np.arange(900) / 60) + 0.004 * np.arange(900) - 1
    values = wave + rng.normal(size=900)
    for i in (450, 700, 701):
        values[i] += 9
    values = rounded(values, 4)
    calibration, stream = values[:400], values[400:]
    last = deque(calibration[:depth], maxlen=depth)
    differences = []
    for x in calibration[depth:]:
        differences.append(x - np.mean(last))
        last.append(x)
    rule = Spot(differences, 0.95, 1e-3, 1000)
    steps = []
    for x in stream:
        mean = np.mean(last)
        status, z = rule.step(x - mean)
        steps.append((status, mean + z))
        if status != "alarm":
            last.append(x)
    return {"calibration": calibration, "stream": stream, "depth": depth, "level": 0.95, "risk": 1e-3,
            "status": [s for s, _ in steps], "threshold": [z for _, z in steps]}


# -------------------------------------------------------------------------------------------------------------- telemanom

def runs_of(indices):
    runs = []
    for i in sorted(indices):
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def telemanom_window(errors, pruning):
    e = np.asarray(errors)
    mu, sigma = e.mean(), e.std()
    best = None
    for z in np.arange(2.5, 12.0, 0.5):
        epsilon = mu + z * sigma
        below = e[e < epsilon]
        above = np.flatnonzero(e > epsilon)
        runs = runs_of(above)
        if len(above) == 0 or len(runs) > 5 or 2 * len(above) >= len(e):
            continue
        value = ((mu - below.mean()) / mu + (sigma - below.std()) / sigma) / (len(runs) ** 2 + len(above))
        if best is None or value >= best[0] * (1 - 1e-12):
            best = (value, epsilon)
    epsilon = mu + 12 * sigma if best is None else best[1]
    runs = runs_of(np.flatnonzero(e > epsilon))
    runs.sort(key=lambda run: -e[run].max())
    unflagged = e[e <= epsilon].max()
    maxima = [e[run].max() for run in runs] + [unflagged]
    kept = 0
    for i in range(len(runs)):
        if (maxima[i] - maxima[i + 1]) / maxima[i] >= pruning:
            kept = i + 1
    flagged = sorted(i for run in runs[:kept] for i in run)
    return epsilon, flagged, len(runs)


def ewma(values, span):
    result, alpha = [values[0]], 2 / (span + 1)
    for v in values[1:]:
        result.append(alpha * v + (1 - alpha) * result[-1])
    return result


def telemanom(rng):
    windows = []
    for case in range(8):
        e = rng.gamma(3, size=200) * 0.1
        for k in range(case):
            start = rng.integers(0, 190)
            e[start:start + rng.integers(1, 8)] += rng.uniform(0.6, 2.5)
        e = rounded(e)
        epsilon, flagged, runs = telemanom_window(e, 0.13)
        windows.append({"errors": e, "pruning": 0.13, "threshold": epsilon, "flagged": flagged, "runs": runs})
    scores = rng.gamma(3, size=500) * 0.1
    scores[260:270] += 2
    scores[400] += 6
    scores = rounded(scores)
    smooth = ewma(scores, 5)
    steps = []
    for i in range(150, len(scores)):
        epsilon, flagged, _ = telemanom_window(smooth[i - 149:i + 1], 0.13)
        steps.append((epsilon, 149 in flagged))
    return {"windows": windows,
            "stream": {"scores": scores, "span": 5, "window": 150, "pruning": 0.13,
                       "threshold": [t for t, _ in steps], "alarm": [a for _, a in steps]}}


# -------------------------------------------------------------------------------------------------------------- conformal

def conformal(rng):
    calibration = rounded(rng.integers(0, 40, 99) / 8, 3)
    scores = rounded(rng.integers(0, 48, 40) / 8, 3)
    u = rounded(1 - rng.random(40), 6)
    plain = [(1 + sum(c >= s for c in calibration)) / 100 for s in scores]
    smoothed = [(sum(c > s for c in calibration) + v * (1 + sum(c == s for c in calibration))) / 100
                for s, v in zip(scores, u)]
    many = rounded(np.concatenate([rng.random(60), rng.random(15) * 0.02]))
    adjusted = stats.false_discovery_control(many, method="bh")
    log_m, total = [], 0.0
    for p in smoothed:
        total += math.log(0.9 * p ** (0.9 - 1))
        log_m.append(total)
    # The smallest score that has p <= alpha lies just above the threshold.
    fine = sorted(set(calibration))
    thresholds = {}
    for alpha in (0.01, 0.05, 0.29, 0.5):
        p_above = {t: (1 + sum(c > t for c in calibration)) / 100 for t in fine}
        thresholds[str(alpha)] = min(t for t in fine if p_above[t] <= alpha)
    return {"calibration": calibration, "scores": scores, "u": u, "plain": plain, "smoothed": smoothed,
            "thresholds": thresholds, "many": many, "bh": {str(a): (adjusted <= a).tolist() for a in (0.05, 0.1, 0.2)},
            "epsilon": 0.9, "log_martingale": log_m}


# ------------------------------------------------------------------------------------------------------------ mahalanobis

def mahalanobis(rng):
    mixing = rng.normal(size=(4, 4))
    fit = np.array(rounded(rng.normal(size=(60, 4)) @ mixing + [0, 1, -2, 0.5], 5)).reshape(60, 4)
    new = np.array(rounded(rng.normal(size=(10, 4)) * 2, 5)).reshape(10, 4)
    cases = []
    for ridge, shrinkage in [(0, 0), (0.3, 0), (0, 0.2), (0.1, 0.5)]:
        covariance = np.cov(fit.T, ddof=0)
        covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / 4 * np.eye(4) + ridge * np.eye(4)
        d = new - fit.mean(axis=0)
        shares = d * (d @ np.linalg.inv(covariance))
        cases.append({"ridge": ridge, "shrinkage": shrinkage, "scores": shares.sum(axis=1).tolist(),
                      "shares": shares.tolist()})
    return {"fit": fit.tolist(), "new": new.tolist(), "cases": cases}


# ------------------------------------------------------------------------------------------------------------- chi-square

def chi_square(rng):
    x = [1e-9, 0.01, 0.5, 1.0, 2.5, 7.0, 20.0, 55.0, 140.0, 400.0, 1300.0]
    return [{"m": m, "x": x, "tail": stats.chi2.sf(x, m).tolist()} for m in (1, 2, 3, 4, 7, 20, 55, 500, 1501)]


# -------------------------------------------------------------------------------------------------------------- baselines

def windows_of(series, length, stride):
    starts = range(0, len(series) - length + 1, stride)
    return np.array([series[i:i + length].ravel() for i in starts])


def pca(rng):
    """Reconstruction errors of windows by the singular vectors of the centred training windows."""
    t = np.arange(150)
    series = np.stack([3 + np.sin(0.3 * t) + 0.1 * rng.normal(size=150), -2 + np.cos(0.21 * t) * np.sin(0.3 * t)], 1)
    series = np.array(rounded(series, 5)).reshape(150, 2)
    cases = []
    for length, stride, components in [(6, 1, 1), (6, 1, 3), (9, 2, 5), (20, 7, 4)]:
        train = windows_of(series[:100], length, stride)
        test = windows_of(series[100:], length, stride)
        mean = train.mean(axis=0)
        _, singular, v = np.linalg.svd(train - mean, full_matrices=False)
        v = v[:components]
        left = (test - mean) - (test - mean) @ v.T @ v
        nearest = ((test[:, None, :] - train[None]) ** 2).mean(axis=2)
        cases.append({"length": length, "stride": stride, "components": components,
                      "explained": (singular[:components] ** 2).sum() / (singular ** 2).sum(),
                      "errors": (left ** 2).mean(axis=1).tolist(), "nearest": nearest.min(axis=1).tolist(),
                      "third": np.sort(nearest, axis=1)[:, 2].tolist()})
    return {"series": series.tolist(), "training_steps": 100, "cases": cases}


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value


def main():
    result = {"made_by": {"command": "python tests/outliers/make_golden.py", "python": sys.version.split()[0],
                          "numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}}
    for number, part in enumerate([metrics, thresholds, pareto, pot, spot, dspot, telemanom, conformal, mahalanobis,
                                   chi_square, pca]):
        result[part.__name__] = part(np.random.default_rng(20260 + number))
    lines = []
    for key, value in plain(result).items():
        if isinstance(value, list):
            inner = ",\n".join(" " + json.dumps(v, separators=(",", ":"), allow_nan=False) for v in value)
            lines.append(f"{json.dumps(key)}: [\n{inner}\n]")
        else:
            lines.append(f"{json.dumps(key)}: " + json.dumps(value, separators=(",", ":"), allow_nan=False))
    (HERE / "outliers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
