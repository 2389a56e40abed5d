"""Mutated inputs: every one must be read, or refused in one line; nothing may raise, hang or read rows otherwise.

In process: files of every format through the readers, settings words, label files, id lists, recipes. Through the
command line: mutated files with odd options. Folders: models and runs with tampered settings, tokenizers, weights'
headers and recipes. Formats: the same rows written in every format give the same table. Inputs come from a seed and
their number, so a stopped run goes on; what fails is kept in WORK/failing.

    python benchmarks/fuzz.py                                       # 30,000 in process, 500 calls, 300 folders
    python benchmarks/fuzz.py --deepen OLD/src --count 3000 --only readers --work /tmp/fuzz
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import re
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cells
from calls import Version
from fuzz_inputs import SEEDS, WORDS, mutated, nasty, same_rows_in_every_format, tampered
from trial import TINY

SECONDS = 5.0
TASKS = ("classification", "tagging", "matching", "multilabel", "span_qa", "ranking", "relation")
SHARES = {"readers": 0.80, "words": 0.08, "labels": 0.05, "ids": 0.03, "recipes": 0.04}
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]|\n(?!  )")


class Slow(BaseException):
    """An input took too long."""


def alarm(*_: Any) -> None:
    """What the clock does."""
    raise Slow


class Fuzz:
    """Targets in this process, and counts of what became of their inputs."""

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self.seed = work, seed
        self.failing = work / "failing"
        self.failing.mkdir(parents=True, exist_ok=True)
        self.counts: dict[str, Counter[str]] = {}
        self.kinds: Counter[str] = Counter()

    def ended(self, target: str, number: int, how: str, what: str, content: bytes, name: str) -> None:
        """Counts an input, and keeps it where it failed in a way that is new or still rare."""
        self.counts.setdefault(target, Counter())[how] += 1
        if how in ("ok", "DeepenError"):
            return
        self.kinds[f"{target}: {how}: {what}"] += 1
        if self.kinds[f"{target}: {how}: {what}"] <= 3:
            (self.failing / f"{target}-{number}-{name}").write_bytes(content)
            print(f"  {target} {number}: {how}: {what[:150]}", flush=True)

    def one(self, target: str, number: int, tried: Callable[[random.Random], tuple[Any, bytes, str]]) -> None:
        """One input: made from its number, given to its target under a clock."""
        from deepen.core.errors import DeepenError

        chance = random.Random(f"{self.seed} {target} {number}")
        call, content, name = tried(chance)
        began = time.process_time()
        how, what = "ok", ""
        signal.setitimer(signal.ITIMER_REAL, 12 * SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call()
        except DeepenError as error:
            how = "DeepenError"
            if CONTROL.search(str(error)) or len(str(error)) > 2_000:
                how, what = "bad message", ascii(str(error))[:120]
        except Slow:
            how, what = "hang", f"stopped after {12 * SECONDS:.0f} s"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a panic of a foreign library is none of Exception
            at = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in at if "/deepen/" in frame.filename][-1:] or at[-1:]
            where = f"{Path(own[0].filename).name}:{own[0].lineno}" if own else "?"
            how, what = "traceback", f"{type(error).__name__} at {where}: {str(error)[:60]}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if how != "hang" and time.process_time() - began > SECONDS:
            how, what = "hang", f"{time.process_time() - began:.1f} CPU seconds"
        self.ended(target, number, how, what, content, name)


def targets(work: Path) -> dict[str, Callable[[random.Random], tuple[Any, bytes, str]]]:
    """For each target a function that makes an input and the call that takes it."""
    from deepen.api import check
    from deepen.core.recipe_file import read_recipe
    from deepen.core.settings import override
    from deepen.data.label_names import read_label_names
    from deepen.data.load import DataSettings, load_table
    from deepen.preparation.recipe import make_recipe
    from deepen.preparation.training_rows import amend

    needs = {task: importlib.import_module(f"deepen.tasks.{task}").NEEDS for task in TASKS}
    folder = work / "input"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def written(name: str, content: bytes) -> str:
        path = folder / name
        path.write_bytes(content)
        return str(path)

    def readers(chance: random.Random) -> tuple[Any, bytes, str]:
        name, content = mutated(chance, chance.choice(sorted(SEEDS)))
        path, task = written(name, content), chance.choice(TASKS)
        settings: dict[str, Any] = {}
        if chance.random() < 0.3:
            settings["bad_rows"] = chance.choice(("drop", "error"))
        if chance.random() < 0.1:
            settings["encoding"] = chance.choice(("utf-16", "gb18030", "cp1252", "utf-7", "latin-1", "shift_jis"))
        if chance.random() < 0.1:
            settings["delimiter"] = chance.choice((",", "tab", "|", "||", " "))
        if chance.random() < 0.1:
            settings["quoting"] = chance.random() < 0.5
        if chance.random() < 0.04:
            return (lambda: check(path, settings=[f"data.{k}={v}" for k, v in settings.items()])), content, name
        target = chance.random() < 0.7
        return (lambda: load_table(path, needs[task], DataSettings(**settings), need_target=target)), content, name

    def words(chance: random.Random) -> tuple[Any, bytes, str]:
        word = chance.choice(WORDS) + "=" + nasty(chance)
        return (lambda: make_recipe(override({}, [word]))), word.encode("utf-8", "surrogatepass"), "word.txt"

    def labels(chance: random.Random) -> tuple[Any, bytes, str]:
        name, content = mutated(chance, chance.choice(("labels.json", "labels.tsv", "labels.csv")))
        path = written(name, content)
        return (lambda: read_label_names(path)), content, name

    rows = [{"text": f"a {sign} film number {n}", "label": sign} for n in range(30) for sign in ("fine", "poor")]
    held: list[Any] = []

    def ids(chance: random.Random) -> tuple[Any, bytes, str]:
        if not held:
            held.append(load_table(rows, needs["classification"], DataSettings())[0].all_rows())
        known = next(iter(held[0].values("id")))
        name, content = mutated(chance, chance.choice(("ids.csv", "ids.jsonl")))
        path = written(name, content.replace(b"KNOWN", known.encode()))
        which = chance.choice(("drop", "fix"))
        return (lambda: amend(held[0], held[0], ("fine", "poor"), **{which: path})), content, name

    def recipes(chance: random.Random) -> tuple[Any, bytes, str]:
        name, content = mutated(chance, "recipe.yaml")
        path = Path(written(name, content))
        return (lambda: make_recipe(read_recipe(path))), content, name

    return {"readers": readers, "words": words, "labels": labels, "ids": ids, "recipes": recipes}


def in_process(fuzz: Fuzz, asked: argparse.Namespace, done: dict[str, int], save: Callable[[], None]) -> None:
    """All targets of this process, each with its share of the count."""
    signal.signal(signal.SIGALRM, alarm)
    tables = fuzz.work / "cache" / "tables"
    for target, tried in targets(fuzz.work).items():
        if asked.only and target not in asked.only:
            continue
        for number in range(done.get(target, 0), round(asked.count * SHARES[target])):
            fuzz.one(target, number, tried)
            if number % 200 == 199:
                shutil.rmtree(tables, ignore_errors=True)
                done[target] = number + 1
                save()
        done[target] = round(asked.count * SHARES[target])
        save()


def differential(fuzz: Fuzz, count: int, done: dict[str, int]) -> None:
    """The same rows in every format: the same table."""
    from deepen.core.errors import DeepenError
    from deepen.data.load import DataSettings, load_table

    needs = importlib.import_module("deepen.tasks.classification").NEEDS
    folder = fuzz.work / "formats"
    for number in range(done.get("formats", 0), count):
        chance = random.Random(f"{fuzz.seed} formats {number}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        first: Any = None
        for name, source, settings in same_rows_in_every_format(chance, folder):
            try:
                table, _ = load_table(source, needs, DataSettings(**settings))
                part = table.all_rows()
                found: Any = [(e.inputs["text"], e.target) for e in part.examples()], table.fingerprint
            except DeepenError as error:
                found = f"DeepenError: {error}"
            except Exception as error:
                found = f"traceback: {type(error).__name__}: {error}"
            if first is None:
                first = found
            how = "ok" if found == first else "another table"
            content = Path(source).read_bytes() if isinstance(source, str) else b""
            fuzz.ended("formats", number, how, f"{name}: {str(found)[:80]}" if how != "ok" else "", content, name)
        done["formats"] = number + 1
        if number % 50 == 49:
            shutil.rmtree(fuzz.work / "cache" / "tables", ignore_errors=True)


def judged(fuzz: Fuzz, target: str, number: int, call: Any, content: bytes, name: str) -> None:
    """Counts a call of the command line."""
    how, what = "ok" if call.code == 0 else "DeepenError", ""
    if call.stopped or (call.cpu > 6 * SECONDS):
        how, what = (
            "hang",
            f"{call.stopped} {call.cpu:.1f} CPU s, {call.peak / 1e9:.1f} GB: {' '.join(call.words)[:90]}",
        )
    elif call.crashed or call.code not in (0, 2):
        how, what = "traceback", re.sub(r"\S*/", "", call.last)[:130]
    elif "--json" in call.words and not call.record:
        how, what = "no object", f"exit {call.code}: {call.words[0]}"
    elif call.code == 0 and re.search(r"\bNaN\b|\bInfinity\b", call.out):
        how, what = "bad message", f"NaN in an answer of {call.words[0]}"
    elif re.search("[\x00-\x08\x0e-\x1f\x7f-\x9f]", re.sub("\x1b\\[[0-9;]*m", "", call.said)):
        how, what = "bad message", ascii(call.last)[:120]
    fuzz.ended(target, number, how, what, content, name)


def command_line(fuzz: Fuzz, version: Version, count: int, done: dict[str, int], save: Callable[[], None]) -> None:
    """Mutated files and odd options, through the command."""
    folder = fuzz.work / "calls-input"
    folder.mkdir(exist_ok=True)
    for number in range(done.get("calls", 0), count):
        chance = random.Random(f"{fuzz.seed} calls {number}")
        name, content = mutated(chance, chance.choice(sorted(SEEDS)))
        (folder / name).write_bytes(content)
        (folder / "good.csv").write_bytes(SEEDS["table.csv"])
        runs = ("classification", "tagging", "matching")
        words = chance.choice(
            (
                ["check", name],
                ["check", "good.csv", "--test", name],
                ["train", name, "--rungs", "majority", "--out", "out", "--overwrite"],
                ["train", name, "--rungs", "majority", "--task", chance.choice(TASKS), "--out", "out", "--overwrite"],
                ["train", "good.csv", "--labels", name, "--rungs", "majority", "--out", "out", "--overwrite"],
                ["train", "good.csv", "--add", name, "--rungs", "majority", "--out", "out", "--overwrite"],
                ["train", "good.csv", chance.choice(("--drop", "--fix")), name, "--rungs", "majority", "--out", "out"],
                ["train", "--recipe", name, "--rungs", "majority", "--out", "out", "--overwrite"],
                ["train", "good.csv", "--set", f"{chance.choice(WORDS)}={nasty(chance)}", "--rungs", "majority"],
                ["train", "good.csv", "--columns", nasty(chance), "--rungs", "majority", "--out", "out"],
                ["predict", f"../runs/{chance.choice(runs)}", name],
                ["predict", f"../runs/{chance.choice(runs)}", name, "--out", chance.choice(("p.csv", "p.jsonl"))],
                ["predict", f"../runs/{chance.choice(runs)}", "--text", nasty(chance)],
                ["evaluate", f"../runs/{chance.choice(runs)}", name],
                ["diagnose", f"../runs/{chance.choice(runs)}", name],
            )
        )
        words = [word.replace("\x00", "0").encode("utf-8", "replace").decode() for word in words]
        more = ["--json"] if chance.random() < 0.4 else []
        judged(fuzz, "calls", number, version.call([*words, *more], folder=folder, limit=60), content, name)
        done["calls"] = number + 1
        if number % 20 == 19:
            save()


def folders(fuzz: Fuzz, version: Version, count: int, done: dict[str, int], save: Callable[[], None]) -> None:
    """Tampered model and run folders, through the command."""
    folder = fuzz.work / "folders"
    folder.mkdir(exist_ok=True)
    (folder / "good.csv").write_bytes(SEEDS["table.csv"])
    for number in range(done.get("folders", 0), count):
        chance = random.Random(f"{fuzz.seed} folders {number}")
        run = chance.choice(("model", "classification", "frozen", "tagging", "matching"))
        source = fuzz.work / ("tiny-model" if run == "model" else f"runs/{run}")
        target = folder / "it"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        name, content = tampered(chance, target)
        if run == "model":
            words = ["train", "good.csv", "--model", "it", "--rungs", "majority,frozen", "--out", "out", "--overwrite"]
        else:
            words = chance.choice(
                (
                    ["predict", "it", "--text", "a fine film"],
                    ["predict", "it", "good.csv"],
                    ["evaluate", "it", "good.csv"],
                    ["report", "it"],
                    ["diagnose", "it", "--questions", "depth"],
                    [
                        "train",
                        "good.csv",
                        "--recipe",
                        "it/recipe.yaml",
                        "--rungs",
                        "majority",
                        "--out",
                        "out",
                        "--overwrite",
                    ],
                    ["train", "good.csv", "--out", "it", "--resume", "--rungs", "majority,lexical"],
                    [
                        "train",
                        "good.csv",
                        "--model",
                        "it/model",
                        "--rungs",
                        "majority,frozen",
                        "--out",
                        "out",
                        "--overwrite",
                    ],
                )
            )
        more = ["--json"] if chance.random() < 0.3 and words[0] != "report" else []
        judged(
            fuzz, "folders", number, version.call([*words, *more], folder=folder, limit=60), content, f"{run}-{name}"
        )
        done["folders"] = number + 1
        if number % 20 == 19:
            save()


def finished_runs(version: Version, work: Path) -> None:
    """A tiny model, and a run of each kind that folders and calls are tried with."""
    (work / "runs").mkdir(exist_ok=True)
    tiny = str((work / "tiny-model").resolve())
    version.python(TINY.replace("FOLDER", repr(tiny)).replace("sys.argv[1] if len(sys.argv) > 1 else ", ""))
    kinds = {
        "classification": ("table.csv", "majority,lexical"),
        "frozen": ("table.csv", "majority,frozen"),
        "tagging": ("tags.conll", "majority,lexical"),
        "matching": ("pairs.tsv", "majority,lexical"),
    }
    for number, (run, (seed, rungs)) in enumerate(kinds.items()):
        path = work / "runs" / seed
        path.write_bytes(SEEDS[seed])
        words = ["train", str(path.resolve()), "--rungs", rungs, "--thorough", "--model", tiny]
        words += ["--out", str((work / "runs" / run).resolve()), "--overwrite"]
        if number == 1:
            version.warm(words)
        elif (call := version.call(words)).code:
            raise SystemExit(f"the run {run} could not be made: {call.last}")


def options() -> argparse.Namespace:
    """The words of the command."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--deepen", type=Path, default=cells.ROOT / "src", help="src of the version to try")
    made.add_argument(
        "--work", type=Path, default=Path("/tmp/deepen-bench/fuzz"), help="a folder for inputs and caches"
    )
    made.add_argument("--count", type=int, default=30_000, help="inputs in process")
    made.add_argument("--calls", type=int, default=500, help="calls of the command line")
    made.add_argument("--folders", type=int, default=300, help="tampered folders")
    made.add_argument("--formats", type=int, default=300, help="draws of rows that are written in every format")
    made.add_argument("--only", help="of readers,words,labels,ids,recipes,formats,calls,folders")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--again", action="store_true", help="begin anew")
    made.add_argument("--name", default="fuzz", help="the cell's name")
    return made.parse_args()


def main() -> None:
    """Goes on where it stopped; prints the counts and writes the cell."""
    asked = options()
    if asked.again:
        shutil.rmtree(asked.work, ignore_errors=True)
    work = asked.work.resolve()
    os.environ.update(DEEPEN_CACHE=str(work / "cache"), HF_HUB_OFFLINE="1", HF_HOME=str(work / "hub"))
    sys.path.insert(0, str(asked.deepen.resolve()))
    fuzz = Fuzz(work, asked.seed)
    state = work / "state.json"
    done: dict[str, int] = {}
    if state.is_file():
        kept = json.loads(state.read_text())
        done = kept["done"]
        fuzz.counts = {name: Counter(counts) for name, counts in kept["counts"].items()}
        fuzz.kinds = Counter(kept["kinds"])
    began = time.monotonic()

    def save() -> None:
        state.write_text(json.dumps({"done": done, "counts": fuzz.counts, "kinds": fuzz.kinds}))

    def wanted(name: str) -> bool:
        return not asked.only or name in asked.only.split(",")

    if wanted("formats"):
        differential(fuzz, asked.formats, done)
        save()
    if not asked.only or set(asked.only.split(",")) & set(SHARES):
        in_process(fuzz, asked, done, save)
    if wanted("calls") or wanted("folders"):
        version = Version(asked.deepen, work / "version", work / "cache")
        finished_runs(version, work)
        if wanted("calls"):
            command_line(fuzz, version, asked.calls, done, save)
        if wanted("folders"):
            folders(fuzz, version, asked.folders, done, save)
        version.close()
        save()
    report(fuzz, asked, time.monotonic() - began)


def report(fuzz: Fuzz, asked: argparse.Namespace, seconds: float) -> None:
    """The table, and the cell."""
    hows = ("ok", "DeepenError", "bad message", "no object", "another table", "hang", "traceback")
    print(f"{'target':<10}" + "".join(f"{how:>15}" for how in hows))
    for target, counts in fuzz.counts.items():
        print(f"{target:<10}" + "".join(f"{counts[how]:>15,}" for how in hows))
    for kind, num in fuzz.kinds.most_common(40):
        print(f"{num:>6}  {kind}")
    failed = sum(num for counts in fuzz.counts.values() for how, num in counts.items() if how not in hows[:2])
    if not asked.only:
        cells.write(
            asked.name,
            command=f"python benchmarks/fuzz.py --count {asked.count}",
            seed=asked.seed,
            value=failed,
            n=sum(sum(counts.values()) for counts in fuzz.counts.values()),
            unit="inputs that raise, hang, say nothing or give another table",
            counts={target: dict(counts) for target, counts in fuzz.counts.items()},
            kinds=len(fuzz.kinds),
            seconds=round(seconds, 1),
        )


if __name__ == "__main__":
    main()
