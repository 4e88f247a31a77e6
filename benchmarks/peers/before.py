"""This library against itself at an earlier commit: did a change cost speed?

Three builds take turns in every round: the earlier one, today's, and the earlier one again. The two earlier ones
are the same program, so that what they differ by is noise. Each turn is a process of its own, since where a process
finds its memory alone can make a few per cent.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time

import environment as env
from worker import Worker

TOLERANCE = 0.03  # A fall by less counts as none, however quiet the machine is.
TURNS = ("before", "after", "again")


def give_up(why):
    """Ends the run as one that could not measure."""
    print(f"--before: {why}", file=sys.stderr)
    sys.exit(2)


def build(settings, commit):
    """Builds the worker of a commit from its own sources; returns the full name of the commit and the command."""
    name = subprocess.run(
        ["git", "-C", str(env.REPOSITORY), "rev-parse", "--verify", "--quiet", commit + "^{commit}"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    if not name:
        give_up(f"there is no commit {commit} here")
    root = settings.output / "before" / name
    log = settings.logs / "build-before.log"
    if not (root / "complete").exists():
        shutil.rmtree(root, ignore_errors=True)
        (root / "source").mkdir(parents=True)
        archive = str(root / "source.tar")
        if not (
            env.run(["git", "-C", str(env.REPOSITORY), "archive", "--output", archive, name], log)
            and env.run(["tar", "-x", "-f", archive, "-C", str(root / "source")], log)
            and env.build_worker(root / "source" / "benchmarks" / "peers", root / "cpp", log)
        ):
            give_up(f"the worker of {commit} does not compile; see {log}")
        (root / "source.tar").unlink()
        (root / "complete").touch()
    return name, [str(root / "cpp" / "reprise_worker")]


def times_of_a_case(settings, commands, threads, words):
    """{turn: [milliseconds of each round]}; an error instead of the list where a build cannot do it."""
    times = {turn: [] for turn in TURNS}
    start = time.monotonic()
    for done in range(settings.rounds):
        if done >= 3 and time.monotonic() - start > 90:
            break
        # Every other round goes backwards, so that neither build always comes first.
        for turn in TURNS if done % 2 == 0 else TURNS[::-1]:
            worker = Worker(commands[turn], {}, threads, settings.cores, settings.logs / f"before-{turn}.log")
            answer = worker.ask((*words, "seconds", settings.seconds)) if worker.ready else {"error": "no worker"}
            worker.stop()
            if "ms" not in answer:
                return {turn: answer.get("error", "not there")}
            times[turn].append(answer["ms"])
    return times


def judge(times):
    """The row of a case: how much faster than before (below 1: slower), the noise, and whether it fell.

    The ratio is the median over rounds, against the geometric mean of the two earlier turns. The noise is the usual
    distance of a round's ratio of the two earlier turns from 1, as a standard deviation: 1.4826 times their median.
    """
    before, after, again = (times[turn] for turn in TURNS)
    ratios = [(a * b) ** 0.5 / now for a, now, b in zip(before, after, again)]
    same = [a / b for a, b in zip(before, again)]
    noise = 1.4826 * statistics.median(abs(r - 1.0) for r in same)
    ratio = statistics.median(ratios)
    return {
        "ratio": ratio,
        "noise": noise,
        "fell": ratio < 1.0 - max(TOLERANCE, noise),
        "ms": {"before": statistics.median(before + again), "after": statistics.median(after)},
        "ratios": ratios,
        "ratios of before to before": same,
    }


def line(row):
    """A row for the terminal and the table."""
    ms = row["ms"]
    state = "FELL" if row["fell"] else "holds"
    return (
        f"| {row['group']} {row['name']} | {row['threads']} | {ms['before']:.4g} | {ms['after']:.4g} "
        f"| {row['ratio']:.3f} | {100 * row['noise']:.1f} % | {state} |"
    )


def compare(settings, commit, cases):
    """Measures `cases`, [(group, name, threads, words)], and writes before.md and before.json; the exit status."""
    name, earlier = build(settings, commit)
    if not env.build_worker(env.HERE, settings.build, settings.logs / "build.log"):
        give_up(f"the worker of this library does not compile; see {settings.logs / 'build.log'}")
    today = [str(settings.build / "reprise_worker")]
    facts = env.machine()
    head = [
        f"Before: commit {name[:12]}; after: {facts['commit']}. {facts['processor']}, {facts['cores']} cores; "
        f"{facts['compiler']}, `{facts['flags']}`. Load before the run: {facts['load']:.1f}.",
        "",
        "| | threads | ms before | ms after | before / after | noise | |",
        "|---|---|---|---|---|---|---|",
    ]
    print(*head, sep="\n", flush=True)
    rows, failed = [], []
    for group, case, threads, words in cases:
        times = times_of_a_case(
            settings, {"before": earlier, "after": today, "again": earlier}, threads, words
        )
        if set(times) != set(TURNS):
            turn, why = next(iter(times.items()))
            failed.append(f"{group} {case}, threads {threads}, {turn}: {why}")
            print(f"failed: {failed[-1]}", flush=True)
            continue
        rows.append({"group": group, "name": case, "threads": threads, **judge(times)})
        print(line(rows[-1]), flush=True)
    fell = [row for row in rows if row["fell"]]
    summary = f"{len(fell)} of {len(rows)} cases fell by more than {100 * TOLERANCE:.0f} % or the noise"
    (settings.output / "before.md").write_text(
        "\n".join([*head, *map(line, rows), "", *(f"Failed: {why}." for why in failed), summary + ".", ""]),
        encoding="utf-8",
    )
    result = {"before": name, "machine": facts, "rounds": settings.rounds, "rows": rows, "failed": failed}
    (settings.output / "before.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    print(f"\n{summary}; table: {settings.output / 'before.md'}, each round: {settings.output / 'before.json'}")
    if failed:
        return 2
    return 1 if fell and not settings.quick else 0
