"""Calls of the command line in dozens, cheaply: one process imports a version of deepen, and forks once a call.

A call is what a person would type, from its own folder; its exit code, streams, CPU seconds and peak memory come back.
A call that takes too much CPU, four times as long on the clock, or too much memory is stopped, and says so. For
cases.py, errors_json.py and fuzz.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GIB = 1 << 30

# Runs in the version's own process. The first call happens twice: what it imports is imported before the next fork.
SERVER = """
import importlib, json, os, signal, sys, time, traceback

def modules(path):
    with open(path, "w") as out:
        json.dump(sorted(sys.modules), out)

def child(asked):
    os.setsid()
    os.chdir(asked["folder"])
    os.environ.update(asked["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    code = 0
    try:
        if "program" in asked:
            exec(compile(asked["program"], "<program>", "exec"), {"__name__": "__program__"})
        else:
            from deepen.cli.main import main
            sys.argv = ["deepen", *asked["words"]]
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        pass
    if "modules" in asked:
        modules(asked["modules"])
    os._exit(code)

def memory(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0

def seconds(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0

def serve(asked):
    pid = os.fork()
    if not pid:
        child(asked)
    began, stopped, most, pause = time.monotonic(), "", 0, 0.005
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            break
        most = max(most, memory(pid))
        if not stopped and most > asked["memory"]:
            stopped = "memory"
        if not stopped and (seconds(pid) > asked["limit"] or time.monotonic() - began > 4 * asked["limit"]):
            stopped = "time"
        if stopped:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                os.kill(pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(0.1, pause * 1.2)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began, "stopped": stopped,
            "cpu": usage.ru_utime + usage.ru_stime, "peak": max(most, usage.ru_maxrss * 1024)}

for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("import"):
        for name in json.load(open(asked["import"])):
            if name not in sys.modules and not name.startswith("__"):
                try:
                    importlib.import_module(name)
                except BaseException:
                    pass
        answer = {}
    else:
        answer = serve(asked)
    print(json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Call:
    """What became of one call."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    peak: int
    stopped: str

    @property
    def said(self) -> str:
        """Both streams."""
        return f"{self.out}\n{self.err}"

    @property
    def crashed(self) -> bool:
        """Whether it ended as a bug does: a traceback, exit 1, or a signal that nobody sent."""
        return not self.stopped and ("Traceback (most recent" in self.said or self.code == 1 or self.code < 0)

    @property
    def last(self) -> str:
        """The last line of what went wrong, for a table."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    @property
    def record(self) -> dict[str, Any]:
        """The one object on stdout; empty if that is not what is there."""
        try:
            found = json.loads(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Version:
    """A source tree of deepen, ready to be called."""

    def __init__(self, source: Path, work: Path, cache: Path) -> None:
        self.work = work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONPATH": str(source.resolve()), "DEEPEN_CACHE": str(cache.resolve())}
        environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment |= {"COLUMNS": "200", "HF_HOME": str(self.work / "hub")}
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def warm(self, words: list[str]) -> None:
        """Makes one call, and imports what it imported before all further ones."""
        found = self.work / "modules.json"
        self._ask(self._asked(words, self.work, {}, 300, 16 * GIB) | {"modules": str(found)})
        self._ask({"import": str(found)})

    def call(
        self,
        words: list[str],
        *,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
        limit: float = 120,
        memory: int = 2 * GIB,
    ) -> Call:
        """One call of the command `deepen`."""
        asked = self._asked(words, folder or self.work, environment or {}, limit, memory)
        return self._called(words, asked)

    def python(self, program: str, *, folder: Path | None = None, limit: float = 120) -> Call:
        """A program in the same process, for what only Python can ask."""
        asked = self._asked([], folder or self.work, {}, limit, 2 * GIB) | {"program": program}
        return self._called(["python", program], asked)

    def close(self) -> None:
        """Ends the process."""
        if self._server.stdin is not None:
            self._server.stdin.close()
        self._server.wait()

    def _asked(
        self, words: list[str], folder: Path, environment: dict[str, str], limit: float, memory: int
    ) -> dict[str, Any]:
        streams = {name: str(self.work / f"std{name}") for name in ("out", "err")}
        given: dict[str, Any] = {"words": words, "folder": str(folder.resolve()), "environment": environment}
        return given | streams | {"limit": limit, "memory": memory}

    def _called(self, words: list[str], asked: dict[str, Any]) -> Call:
        done = self._ask(asked)
        out, err = (
            (self.work / f"std{name}").read_bytes()[:4_000_000].decode("utf-8", "replace") for name in ("out", "err")
        )
        return Call(tuple(words), done["code"], out, err, done["seconds"], done["cpu"], done["peak"], done["stopped"])

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        server = self._server
        if server.stdin is None or server.stdout is None:
            return {}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        answer: dict[str, Any] = json.loads(server.stdout.readline())
        return answer
