"""Goals and tables of a run, as Markdown. What others reached is quoted, and marked as such."""

import math
import statistics

# Bytes of memory that a further row of a series may take; windows of 192 doubles would take 1,536 if they were copied.
BYTES_A_ROW = 400

# VUS-PR of NAB mean, 001 and UCR135, and seconds a series, that were measured elsewhere with the same protocol.
ELSEWHERE = (
    ("random", ".12", ".08", ".01", "0"),
    ("absolute z with a rolling maximum", ".39", ".83", ".08", "0"),
    ("Keras LSTM autoencoder 32-16-16-32, T = 48, maximum over windows", ".543", ".78", ".35", "29"),
    ("the same, mean of the point's own errors", ".388", ".14", ".19", "29"),
    ("the same, error at the window's end", ".344", ".14", ".04", "29"),
    ("LSTM autoencoder on patches, PyTorch, one seed, T = 48", ".53", ".77", ".32", "5-10"),
    ("the same, T = 96", ".74", ".73", ".05", "5-10"),
    ("the same, T = 192", ".85", ".39", ".03", "5-10"),
    ("the same, T = 288", ".80", ".22", ".08", "5-10"),
    ("the four lengths together", ".86", ".51", "–", "5-10"),
    ("TSB-AD's AutoEncoder", ".33", ".32", "≤ .08", "1-30"),
    ("TSB-AD's USAD", ".26", ".12", "≤ .08", "1-30"),
    ("TSB-AD's OmniAnomaly", ".19", ".09", "≤ .08", "1-30"),
    ("TSB-AD's Donut", ".13", "–", "≤ .08", "1-30"),
    ("isolation forest on windows", ".69", ".15", "≤ .08", "≤ 1"),
    ("matrix profile", ".52", ".09", "≤ .08", "≤ 1"),
    ("KMeansAD", ".55", ".13", "≤ .08", "≤ 1"),
    ("PCA of windows, 4 components, T = 48", ".39", ".79", ".42", "0.02"),
    ("PCA of windows, 4 components, T = period", ".65", ".23", ".15", "0.02"),
    ("distance to the nearest training window, T = 48", ".61", ".77", ".32", "0.1"),
    ("distance to the nearest training window, T = period", ".80", ".27", ".03", "0.1"),
)
ECG5000_ELSEWHERE = (
    ("5 nearest neighbours", ".9946", "", ""),
    ("PCA, 2 components", ".991", "", ""),
    ("Keras LSTM autoencoder, three seeds", ".988 / .981 / .969", "", "70 to 215"),
)
# ROC-AUCs of MBA_ECG805 in TSB-UAD's published result tables (Paparrizos et al., VLDB 2022).
ECG805_ELSEWHERE = (("NormA", ".974"), ("isolation forest", ".930"), ("AE", ".857"), ("LSTM", ".512"))


def score(value, digits=3):
    """.853, or – where there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def spread(values, digits=3):
    """The mean and, of several, the smallest and the largest."""
    values = [v for v in values if v is not None and not math.isnan(v)]
    if not values:
        return "–"
    mean = score(statistics.mean(values), digits)
    low, high = score(min(values), digits), score(max(values), digits)
    return mean if low == high else f"{mean} ({low} to {high})"


def table(header, rows):
    """Lines of a Markdown table."""
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *("| " + " | ".join(r) + " |" for r in rows)]


# ---- What the results hold ----


def metric_of(group):
    """What the series of a group are judged by."""
    return "roc_auc" if group == "mba" else "VUS-PR"


def by_seed(results, method, group):
    """{seed: mean over the series of the group}; empty unless every series has a value for every seed."""
    names = [one["name"] for one in results["series"] if one["group"] == group]
    found = {}
    for row in results["rows"]:
        if row["method"] == method and row["group"] == group and metric_of(group) in row:
            found.setdefault(row["seed"], {})[row["series"]] = row[metric_of(group)]
    return {seed: statistics.mean(v.values()) for seed, v in sorted(found.items()) if names and len(v) == len(names)}


def methods(results, start=""):
    """The methods whose name begins so, in the order of the runs."""
    names = dict.fromkeys(row["method"] for row in results["runs"])
    return [name for name in names if name.startswith(start)]


def runs_of(results, method, series=None):
    """What the program reported of a method."""
    return [r for r in results["runs"] if r["method"] == method and series in (None, r["series"])]


def seconds(run):
    """Training and scoring."""
    return run["fit_seconds"] + run["score_seconds"]


def length_of(method):
    """The T of "network T=48", or None."""
    text = method.split("T=")[1] if "T=" in method else ""
    return int(text) if text.isdigit() else None


def ecg(results, method):
    """The rows of a method on ECG5000, by seed."""
    return [row for row in results["ecg5000"] if row["method"] == method]


def default_threshold(results):
    """The rows of the library's default rule, by seed."""
    return [row for row in results["thresholds"] if row.get("default")]


def bytes_a_row(results):
    """How much more memory the longest series took than the shortest, by the rows that it has more."""
    rows = {one["name"]: one["rows"] for one in results["series"]}
    known = sorted((rows[name], kb) for name, kb in results["memory"].items() if name in rows)
    if len(known) < 2 or known[-1][0] <= known[0][0]:
        return None
    return 1024.0 * (known[-1][1] - known[0][1]) / (known[-1][0] - known[0][0])


# ---- Goals ----


def goal(what, value, bound, at_least=True, digits=3):
    """A number and the bound that it has to keep."""
    holds = None
    if value is not None:
        holds = value >= bound if at_least else value <= bound
    return {"what": what, "value": value, "bound": bound, "at_least": at_least, "digits": digits, "holds": holds}


def largest(values):
    """None of none."""
    return max(values, default=None)


def goals(results):
    """Every goal with what was reached; None where it was not measured."""
    mean = lambda method, group: (lambda s: statistics.mean(s.values()) if s else None)(  # noqa: E731
        by_seed(results, method, group)
    )
    found = [
        goal("NAB mean VUS-PR, network alone", mean("network", "nab"), 0.85),
        goal("NAB mean VUS-PR, recommended default", mean("reprise", "nab"), 0.88),
        goal("001 VUS-PR, recommended default", mean("reprise", "001"), 0.60),
        goal("UCR135 VUS-PR, recommended default", mean("reprise", "ucr135"), 0.30),
    ]
    for method, name in (("network", "network alone"), ("reprise", "recommended default")):
        seeds = by_seed(results, method, "nab").values()
        value = max(seeds) - min(seeds) if len(seeds) > 1 else None
        found.append(goal(f"largest minus smallest NAB mean over the seeds, {name}", value, 0.03, False))
    slowest = largest([seconds(r) for m in ("network", "reprise") for r in runs_of(results, m)])
    found.append(goal("seconds a series, training and scoring, the slowest", slowest, 10.0, False, 1))
    ours = ecg(results, "reprise")
    aucs = [row["scikit_roc_auc"] for row in ours if row["finite"]]
    at_default = default_threshold(results)
    recall = min((row["recall"] for row in at_default), default=None)
    alarms = largest([row["false_alarm_rate"] for row in at_default])
    training = largest([row["fit_seconds"] for row in ours])
    found += [
        goal("ECG5000 ROC-AUC, mean over the seeds", statistics.mean(aucs) if aucs else None, 0.995, digits=4),
        goal("ECG5000 ROC-AUC, the worst seed", min(aucs, default=None), 0.99, digits=4),
        goal("ECG5000 recall at the default threshold, the worst seed", recall, 0.985),
        goal("ECG5000 false-alarm rate at the default threshold, the worst seed", alarms, 0.04, False),
        goal("ECG5000 seconds of training, the slowest seed", training, 20.0, False, 1),
        goal("MBA_ECG805 ROC-AUC, recommended default", mean("reprise", "mba"), 0.975),
    ]
    files = results["rows"] + results["ecg5000"]
    bad = sum(not (row["finite"] and row.get("complete", True)) for row in files)
    found += [
        goal(f"files of scores with a NaN or a row missing, of {len(files)}", bad if files else None, 0, False, 0),
        goal("programs that failed", len(results["failed"]), 0, False, 0),
        goal("bytes of memory that a further row of a series takes", bytes_a_row(results), BYTES_A_ROW, False, 0),
    ]
    return found


def verdict(one):
    """holds, falls short by so much, or not measured."""
    if one["holds"] is None:
        return "not measured"
    if one["holds"]:
        return "holds"
    return f"falls short by {abs(one['value'] - one['bound']):.{one['digits']}f}"


def goal_cells(one):
    """What, reached, bound, verdict."""
    number = lambda v: "–" if v is None else f"{v:.{one['digits']}f}"  # noqa: E731
    bound = ("≥ " if one["at_least"] else "≤ ") + number(one["bound"])
    return [one["what"], number(one["value"]), bound, verdict(one)]


def goal_line(one):
    """For the terminal."""
    what, value, bound, said = goal_cells(one)
    return f"{said}: {what}: {value} ({bound})"


# ---- Tables ----


def goals_table(results):
    """Every goal."""
    rows = [goal_cells(one) for one in results["goals"]]
    for row in rows:
        row[3] = f"**{row[3]}**" if row[3].startswith("falls") else row[3]
    return table(["goal", "reached", "bound", ""], rows)


def summary_table(results):
    """Ours by measurement, others as quoted."""
    names = {
        "reprise": "**reprise, recommended default**",
        "network": "**reprise, networks alone**",
        "detector": "**`Detector`**",
        "detector with networks": "`Detector`, networks .3",
        "detector of networks": "`Detector`, networks alone",
        "random": "random",
        "absolute z": "absolute z",
    }
    shown = [m for m in names if m in methods(results)]
    for start in ("pca", "nearest"):
        shown += [m for m in methods(results, start) if length_of(m) in (48, 192)]
    rows = []
    for method in shown:
        cells = [spread(by_seed(results, method, group).values()) for group in ("nab", "001", "ucr135", "mba")]
        times = [seconds(r) for r in runs_of(results, method)]
        took = f"{min(times):.1f} to {max(times):.1f}" if max(times) >= 0.05 else "< 0.1"
        rows.append([names.get(method, "reprise's " + method.replace("pca", "PCA")), *cells, took])
    rows += [[f"*{name}*", *(f"*{v}*" for v in values), "", f"*{took}*"] for name, *values, took in ELSEWHERE]
    rows += [[f"*{name}, as published*", "", "", "", f"*{auc}*", ""] for name, auc in ECG805_ELSEWHERE]
    return table(["VUS-PR (MBA_ECG805: ROC-AUC)", "NAB mean", "001", "UCR135", "MBA_ECG805", "seconds a series"], rows)


FAMILIES = ("nab", "aws", "traffic", "advertising")


def families_table(results):
    """The mean VUS-PR of each family of the Numenta benchmark; – where a length does not fit into every series."""
    found = methods(results)
    shown = [m for m in ("reprise", "network", "detector", "detector with networks", "detector of networks", "random", "absolute z") if m in found]
    shown += [m for start in ("pca", "nearest") for m in methods(results, start) if length_of(m)]
    rows = [[m, *(spread(by_seed(results, m, family).values()) for family in FAMILIES)] for m in shown]
    counts = [sum(one["group"] == family for one in results["series"]) for family in FAMILIES]
    return table(["VUS-PR", *(f"{family} ({count})" for family, count in zip(FAMILIES, counts))], rows)


def seeds_of(results, series, method, key=None):
    """The metric of a series and method, a value for each seed."""
    return [
        row[key or metric_of(row["group"])]
        for row in results["rows"]
        if row["series"] == series and row["method"] == method and (key or metric_of(row["group"])) in row
    ]


def choices_table(results):
    """What the rule chose for each series, and how good it was."""
    rows = []
    for one in results["series"]:
        name = one["name"]
        runs = runs_of(results, "reprise", name)
        chosen = dict.fromkeys(r.get("choice", "") for r in runs)
        took = max((seconds(r) for r in runs), default=None)
        values = [spread(seeds_of(results, name, method)) for method in ("reprise", "network")]
        time = "–" if took is None else f"{took:.1f}"
        rows.append([name, str(one["rows"]), str(one["train_rows"]), "; ".join(chosen), *values, time])
    return table(["series", "rows", "trained on", "chosen", "recommended", "networks alone", "seconds"], rows)


def lengths_table(results, start):
    """The mean over seeds of each fixed length, beside the default and the networks."""
    columns = sorted((m for m in methods(results, start) if length_of(m)), key=length_of)
    rows = []
    for one in results["series"]:
        values = [seeds_of(results, one["name"], m) for m in (*columns, "network", "reprise")]
        if not any(values):
            continue
        means = [statistics.mean(v) if v else None for v in values]
        best = max(v for v in means if v is not None)
        cells = [f"**{score(v)}**" if v is not None and score(v) == score(best) else score(v) for v in means]
        rows.append([one["name"], *cells])
    for group, name in (("nab", "*NAB mean*"),):
        means = [by_seed(results, m, group) for m in (*columns, "network", "reprise")]
        rows.append([name, *(score(statistics.mean(m.values()) if m else None) for m in means)])
    return table(["", *(f"T = {length_of(m)}" for m in columns), "networks alone", "recommended"], rows)


def metrics_table(results):
    """More metrics of the recommended default and of the networks; a mean over NAB."""
    keys = ("VUS-PR", "VUS-ROC", "roc_auc", "pr_auc", "Standard-F1", "R-based-F1", "Affiliation-F")
    rows = []
    for method, name in (("reprise", "recommended default"), ("network", "networks alone")):
        for group, title in (("nab", "NAB mean"), ("001", "001"), ("ucr135", "UCR135"), ("mba", "MBA_ECG805")):
            found = [r for r in results["rows"] if r["method"] == method and r["group"] == group and "roc_auc" in r]
            if not found:
                continue
            cells = []
            for key in keys:
                values = [r[key] for r in found if key in r]
                cells.append(score(statistics.mean(values)) if values else "–")
            rows.append([name, title, *cells])
    names = ["VUS-PR", "VUS-ROC", "ROC-AUC", "PR-AUC", "best F1, points", "best F1, ranges", "best F, affiliation"]
    return table(["", "", *names], rows)


def ecg_table(results):
    """Every method on ECG5000."""
    rows = []
    for method in dict.fromkeys(row["method"] for row in results["ecg5000"]):
        if "shrinkage" in method:
            continue  # they have a table of their own
        found = ecg(results, method)
        aucs = [row.get("scikit_roc_auc") for row in found]
        prs = [row.get("pr_auc") for row in found]
        times = [row["fit_seconds"] for row in found if row["fit_seconds"] is not None]
        took = f"{max(times):.1f}" if times and max(times) >= 0.05 else "< 0.1" if times else ""
        name = f"**{method}, three networks**" if method == "reprise" else method
        rows.append([name, spread(aucs, 4), spread(prs, 4), took])
    rows += [[f"*{name}*", f"*{auc}*", pr, f"*{took}*" if took else ""] for name, auc, pr, took in ECG5000_ELSEWHERE]
    return table(["", "ROC-AUC", "PR-AUC", "seconds of training"], rows)


def shrinkage_table(results):
    """How well left-out clusters of normal beats are found with each shrinkage, beside the beats to judge."""
    study = {row["shrinkage"]: row["roc_auc"] for row in results["study"]}
    best = max(study, key=study.get, default=None)
    reached = {}
    for row in results["ecg5000"]:
        if "shrinkage" in row["method"] and row["finite"]:
            reached.setdefault(float(row["method"].split("shrinkage ")[1]), []).append(row["scikit_roc_auc"])
    rows = []
    for value in sorted(set(study) | set(reached)):
        left_out = score(study.get(value), 4)
        rows.append([f"{value:g}", f"**{left_out}**" if value == best else left_out, spread(reached.get(value, []), 4)])
    return table(["shrinkage", "left-out clusters of normal beats, mean ROC-AUC", "beats to judge, ROC-AUC"], rows)


def thresholds_table(results):
    """Every rule: what it finds, what it raises, and what it leads to expect."""
    rows = []
    for rule in dict.fromkeys(row["rule"] for row in results["thresholds"]):
        found = [row for row in results["thresholds"] if row["rule"] == rule]
        if "refusal" in found[0]:
            rows.append([rule, found[0]["refusal"], "", "", "", ""])
            continue
        name = f"**{rule} (default)**" if found[0].get("default") else rule
        values = lambda key: [row[key] for row in found if row[key] is not None]  # noqa: E731
        rows.append(
            [
                name,
                f"{statistics.mean(values('threshold')):.0f}",
                spread(values("recall")),
                spread(values("false_alarm_rate")),
                spread(values("promised"), 4),
                spread(values("expected"), 4),
            ]
        )
    names = ["recall", "false-alarm rate", "promised by the rule", "`compare_thresholds` expects"]
    return table(["rule", "threshold", *names], rows)


def memory_table(results):
    """Peak memory of each program."""
    rows = {one["name"]: one["rows"] for one in results["series"]}
    lines = []
    for name, kb in results["memory"].items():
        count = rows.get(name)
        copies = "–" if count is None else f"{count * 192 * 8 / 2**20:.0f}"
        lines.append([name, "–" if count is None else str(count), f"{kb / 1024:.0f}", copies])
    return table(["series", "rows", "peak memory, MB", "all its windows of 192 doubles, MB"], lines)


def machine_lines(results):
    """Where and how it was measured."""
    machine = results["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['vectors']}; {machine['compiler']}, "
        f"`{machine['flags']}`, threads: {results['threads']}; commit {machine['commit']}. "
        f"{results['seeds']} seeds ({results['ecg_seeds']} on ECG5000). {'; '.join(results['versions'])}."
    ]
    if results["quick"]:
        lines += ["", "**A quick run: it shows that everything works, and its numbers mean nothing.**"]
    lines += ["" for _ in results["failed"][:1]] + [f"**Failed:** {failure}." for failure in results["failed"]]
    lines += ["" for _ in results["missing"][:1]] + [f"**Not there:** {one}." for one in results["missing"]]
    return lines


SECTIONS = {
    "machine": ("Where", machine_lines),
    "goals": ("Goals", goals_table),
    "summary": ("Series: all methods", summary_table),
    "families": ("Families of the Numenta benchmark", families_table),
    "choices": ("Series: what the rule chose", choices_table),
    "network lengths": ("Networks of one fixed length", lambda r: lengths_table(r, "network T=")),
    "pca lengths": ("PCA of windows of one fixed length", lambda r: lengths_table(r, "pca T=")),
    "nearest lengths": ("Nearest training window of one fixed length", lambda r: lengths_table(r, "nearest T=")),
    "metrics": ("More metrics", metrics_table),
    "ecg5000": ("ECG5000", ecg_table),
    "shrinkage": ("ECG5000: how far to shrink the covariance of the errors", shrinkage_table),
    "thresholds": ("Every threshold on ECG5000", thresholds_table),
    "memory": ("Memory", memory_table),
}
NEEDS_SERIES = ("summary", "families", "choices", "network lengths", "pca lengths", "nearest lengths", "metrics")


def sections(results):
    """{name: lines}; of the tables that have something to show."""
    shown = {}
    for name, (_, make) in SECTIONS.items():
        if name in NEEDS_SERIES and not results["runs"]:
            continue
        if name in ("ecg5000", "shrinkage", "thresholds") and not results["ecg5000"]:
            continue
        if name == "shrinkage" and not results["study"]:
            continue
        shown[name] = make(results)
    return shown


def markdown(results):
    """All tables, one after the other."""
    lines = ["# Detection", ""]
    for name, text in sections(results).items():
        lines += [f"## {SECTIONS[name][0]}", "", *text, ""]
    return "\n".join(lines)


def replace_sections(document, results):
    """The document with what stands between `<!-- NAME -->` and `<!-- end of NAME -->` made anew."""
    for name, text in sections(results).items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if start not in document or end not in document:
            continue
        before, rest = document.split(start, 1)
        document = before + "\n".join([start, *text, ""]) + end + rest.split(end, 1)[1]
    return document
