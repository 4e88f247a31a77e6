"""The Python workers' side of the conversation with `run`: a line of words comes in, a line of JSON goes out.

protocol.hpp does the same for the workers in C++.
"""

import argparse
import json
import os
import statistics
import sys
import time
import traceback


def threads():
    """The number of threads that the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args().threads


def measure(work, seconds, first_time):
    """Median milliseconds per iteration over pieces of at least a millisecond, for about so many seconds.

    At least two iterations, after a warm-up. `work` returns when its result is there.
    """

    def once(iterations):
        start = time.perf_counter()
        for _ in range(iterations):
            work()
        return time.perf_counter() - start

    if first_time:
        once(1)
    start = time.perf_counter()
    each = 1
    last = once(each)
    while last < 1e-3:
        each *= 2
        last = once(each)
    # What is short has not been warm yet; what is long should not be done in vain.
    pieces = [last] if last > 0.05 else []
    while len(pieces) < 2 or time.perf_counter() - start < seconds:
        pieces.append(once(each) / each)
    return {"ms": 1e3 * statistics.median(pieces), "iterations": each * len(pieces)}


def fastest(candidates):
    """The name and the work of the one that takes the least time, after a first call each; {name: work}."""
    times = {}
    for name, work in candidates.items():
        work()
        start = time.perf_counter()
        for calls in range(1, 21):
            work()
            if time.perf_counter() - start > 0.1:
                break
        times[name] = (time.perf_counter() - start) / calls
    name = min(times, key=times.get)
    return name, candidates[name]


def reset_peak_memory():
    """Lets the peak of the resident memory start anew from what is resident now; returns that, in kB."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass  # then the peak is that of the imports at least
    return status_kb("VmRSS")


def status_kb(name):
    """A value of /proc/self/status in kB."""
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise RuntimeError("no " + name)


def serve(versions, make, direct=None):
    """Answers lines until there are no more.

    `make(kind, numbers)` turns a line into work, or a pair of a note and work, that is kept for the next time the
    same line comes, or None where there is no such thing. `direct`: {kind: function(numbers) -> answer} for what
    is not measured so. What libraries print goes to the log.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer_line(answer):
        print(json.dumps(answer), file=answers, flush=True)

    answer_line({"ready": versions})
    kept = {}
    for line in sys.stdin:
        words = line.split()
        seconds = 0.5
        if "seconds" in words:
            at = words.index("seconds")
            seconds = float(words[at + 1])
            words = words[:at]
        try:
            numbers = [int(word) for word in words[1:]]
            if direct and words[0] in direct:
                answer_line(direct[words[0]](numbers))
                continue
            key = tuple(words)
            first_time = key not in kept
            if first_time:
                made = make(words[0], numbers)
                kept[key] = made if isinstance(made, tuple) else (None, made)
            note, work = kept[key]
            if work is None:
                answer_line({"skip": "not there"})
                continue
            answer = measure(work, seconds, first_time and note is None)  # `fastest` has made it warm
            if note:
                answer["note"] = note
            answer_line(answer)
        except Exception as error:  # whatever a library may throw: the driver must hear of it
            traceback.print_exc()
            answer_line({"error": f"{type(error).__name__}: {error}"[:300]})
