"""A process that measures: it stays alive and answers lines (protocol.py, protocol.hpp)."""

import json
import os
import subprocess
import threading

import environment as env


class Worker:
    """A running worker, pinned to as many cores as it has threads; `ready` names its versions, None if it has none."""

    def __init__(self, command, own_environment, threads, cores, log):
        prefix, environment = env.thread_environment(threads, cores)
        with open(log, "a", encoding="utf-8") as file:
            self.process = subprocess.Popen(
                [*prefix, *command, "--threads", str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                env={**os.environ, **environment, **own_environment},
            )
        self.ready = self._answer(180).get("ready")

    def ask(self, words, timeout=900):
        """The answer to a line, a dictionary; {"error": ...} also when the process has died."""
        try:
            print(*words, file=self.process.stdin, flush=True)
        except OSError:
            return {"error": "the worker has ended"}
        return self._answer(timeout)

    def _answer(self, timeout):
        timer = threading.Timer(timeout, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        return json.loads(line) if line else {"error": "the worker has ended; see its log"}

    def stop(self):
        """Ends the process."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
