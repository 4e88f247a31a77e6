"""The table of a run, as Markdown and as JSON."""

import json
import shutil

TITLES = {
    "layer": "One LSTM layer, tanh, forward for training and backward with all gradients, against oneDNN",
    "step": "Training step of an autoencoder, tanh, against the fastest of the others",
    "fit": "The whole fit of 91 windows of 4 integers, relu",
    "window": "One window reconstructed, against ONNX Runtime",
    "stream": "One step of a stream, sizes known when compiled",
    "threads": "Two threads of this library against one",
    "linear": "Linear cost",
    "memory": "Peak resident memory of training, minus that of the process before, against PyTorch",
    "compile": "A program that fits and scores: g++ -O2",
}


def number(value):
    """Three digits, without an exponent."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".")


def verdict(row):
    """Whether the bar holds."""
    return {True: "holds", False: "**below**", None: "not measured"}[row["holds"]]


def bar(row):
    """What is to be reached."""
    if "limit" in row:
        return f"at most {number(row['limit'])} {row['unit']}".strip()
    return f"≥ {row['bar']:g} ×"


def reached(row):
    """What was reached, in the same terms."""
    if row["ratio"] is None:
        return "–"
    if "limit" in row:
        return f"{number(row['medians']['reprise'])} {row['unit']}".strip()
    return f"{row['ratio']:.2f} ×"


def line(row):
    """A row for the terminal."""
    medians = ", ".join(f"{e} {number(v)}" for e, v in row["medians"].items())
    state = {True: "holds", False: "BELOW", None: "not measured"}[row["holds"]]
    return f"  {row['name']}, threads {row['threads']}: {medians} {row['unit']}: {reached(row)}, {bar(row)}: {state}"


def table(rows):
    """The Markdown table of one group: a column for each engine."""
    seen = lambda row: {**row["medians"], **row.get("seen", {})}  # noqa: E731
    engines = list(dict.fromkeys(engine for row in rows for engine in seen(row)))
    lines = [
        "| | threads | " + " | ".join(engines) + (" | " if engines else "") + "reached | bar | |",
        "|" + "---|" * (len(engines) + 5),
    ]
    for row in rows:
        cells = []
        for engine in engines:
            cell = number(seen(row).get(engine))
            if engine in row.get("gflops", {}):
                cell += f" ({row['gflops'][engine]:.0f})"
            cells.append(cell)
        cells += [reached(row), bar(row), verdict(row)]
        lines.append(f"| {row['name']} | {row['threads']} | " + " | ".join(cells) + " |")
    return lines


def markdown(result):
    """The whole table."""
    machine = result["machine"]
    lines = [
        "# This library and its peers, side by side",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['vectors']}; one core: multiply-add peak "
        f"{machine.get('peak_gflops', 0):.0f} GFLOP/s, {machine.get('l2_gb_per_s', 0):.0f} GB/s from the L2 cache. "
        f"{machine['system']}; {machine['compiler']}, `{machine['flags']}`; Python {machine['python']}; commit "
        f"{machine['commit']}. Load before the run: {machine['load']:.1f}.",
        "",
        "Versions: " + "; ".join(result["versions"].values()) + ".",
        "",
        f"Medians over {result['rounds']} rounds in which the engines take turns; a ratio is the median of the rounds' "
        "ratios. Above 1 this library needs less.",
    ]
    if result["quick"]:
        lines += ["", "**A quick run: it shows that everything works, and its numbers mean nothing.**"]
    for engine, why in result["missing"].items():
        lines += ["", f"**Not there: {engine}** ({why})."]
    for failure in result["failed"]:
        lines += ["", f"**Failed:** {failure}."]
    for group, title in TITLES.items():
        rows = [row for row in result["rows"] if row["group"] == group]
        if not rows:
            continue
        unit = rows[0]["unit"] if group not in ("linear", "compile") else ""
        note = {"layer": " (GFLOP/s)"}.get(group, "")
        lines += ["", f"## {title}" + (f": {unit}{note}" if unit else ""), "", *table(rows)]
    checks = [f"{key[9:].split()[0]} {value:.1g}" for key, value in machine.items() if key.startswith("check of ")]
    if checks:
        lines += ["", "oneDNN's and this library's layer differ by at most, relative: " + ", ".join(checks) + "."]
    judged = [row for row in result["rows"] if row["holds"] is not None]
    held = sum(row["holds"] for row in judged)
    state = "complete" if result["complete"] else "**incomplete**"
    lines += ["", f"{held} of {len(result['rows'])} bars hold; the run is {state} ({result['minutes']:.0f} minutes).", ""]
    return "\n".join(lines)


def write(result, output):
    """peers.md and peers.json."""
    (output / "peers.md").write_text(markdown(result), encoding="utf-8")
    (output / "peers.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


def write_docs(result, output, docs):
    """The table between the markers of docs/performance.md, and the pictures beside it."""
    for picture in ("ratios", "linear"):
        shutil.copyfile(output / f"{picture}.png", docs / "images" / f"performance_{picture}.png")
    page = docs / "performance.md"
    before, rest = page.read_text(encoding="utf-8").split("<!-- tables -->\n")
    after = rest.split("<!-- end of tables -->\n")[1]
    body = markdown(result).split("\n", 2)[2].replace("\n## ", "\n### ")
    page.write_text(
        before + "<!-- tables -->\n" + body.rstrip("\n") + "\n\n<!-- end of tables -->\n" + after, encoding="utf-8"
    )
