"""Expectations of the first look: files, the training, what it prints, how it ends."""

from __future__ import annotations

import json
import random
import re

from case_more import HEADERS
from cells import ROOT
from expected import Seen, Stranger, expect

QUIET = ("Warning", "transformers", "huggingface", "deprecat")


@expect(1, "the header row is found")
def _(t: Stranger) -> Seen:
    seen = {}
    for text, label in HEADERS[:4]:
        for number, header in enumerate(((text, label), (label, text))):
            rows = [row if not number else row[::-1] for row in t.films(120)]
            found = t.deepen("check", t.table(f"{number}.csv", rows, *header), "--json").record
            seen[f"{','.join(header)}: 120 rows"] = found.get("rows") == 120
    return seen


@expect(3, "a rare class is not lost")
def _(t: Stranger) -> Seen:
    films = t.films(4000)
    good, bad = ([row for row in films if row[1] == label] for label in ("good", "bad"))
    file = t.table("rare.csv", good[:1400] + bad[:100], "text", "label")
    plain = t.train(file, rungs="majority,lexical", run="plain")
    asked = t.train(file, "--decide-by", "macro_f1", rungs="majority,lexical", run="asked")
    weighted = t.train(file, "--class-weights", "balanced", rungs="majority,lexical", run="weighted")
    new = t.table("new.csv", bad[100:300], "text", "label")
    answers = t.answers(new, run="asked")
    recall = sum(answer["output"] == "bad" for answer in answers) / max(len(answers), 1)
    end = plain.out[plain.out.find("chosen:") :] + plain.err[-600:]
    return {
        "the end warns of it and names --decide-by": "bad" in end and "--decide-by macro_f1" in end,
        f"decided by macro_f1, recall of the rare label above 0 (it is {recall:.2f})": recall > 0,
        "--class-weights is taken": weighted.code == 0 and asked.code == 0,
    }


@expect(9, "the device can be chosen")
def _(t: Stranger) -> Seen:
    call, wrong = t.run_of(60, words=("--device", "cpu")), t.deepen("train", "films.csv", "--device", "gpuu")
    gone = t.deepen("train", "films.csv", "--device", "cuda", "--rungs", "frozen", "--model", str(t.tiny))
    return {
        "the first lines name it": "device: cpu" in call.said[:600],
        "a wrong name is answered with the right ones": wrong.code == 2 and "cuda" in wrong.err,
        "no GPU here: said, or used": gone.code == 0 or "cuda" in gone.err.lower(),
        "the README names the option": "--device" in (ROOT / "README.md").read_text(encoding="utf-8"),
    }


@expect(12, "a narrow terminal")
def _(t: Stranger) -> Seen:
    t.run_of(80)
    program = """
import os, pty, subprocess, sys
def shown(words, columns):
    import fcntl, struct, termios
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    done = subprocess.Popen([sys.executable, "-m", "deepen", *words], stdout=there, stderr=there, stdin=there, env=env)
    os.close(there)
    out = b""
    while True:
        try:
            part = os.read(here, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    done.wait()
    return out.decode("utf-8", "replace").replace("\\r", "")
words = ["train", "films.csv", "--rungs", "majority,lexical", "--out", "b"]
facts["narrow"] = shown(words, 80)
"""
    narrow = t.facts(program).get("narrow", "")
    table = [line for line in narrow.splitlines() if "│" in line]
    piped = t.deepen("evaluate", "a", "films.csv")
    return {
        "each rung has one line of at most 80 letters": 2 <= len(table) <= 4 and max(map(len, table)) <= 80,
        "piped, a score has one line": sum("accuracy" in line for line in piped.out.splitlines()) >= 1,
    }


@expect(14, "the first run explains itself")
def _(t: Stranger) -> Seen:
    call = t.run_of(120)
    return {
        "which columns, and why": "'review'" in call.said and "'mood'" in call.said and "by " in call.said,
        "a report": t.text("a/report.html").startswith("<!"),
        "the next command works": t.deepen(*t.printed(call)).code == 0,
    }


@expect(15, "help in plain words")
def _(t: Stranger) -> Seen:
    commands = (
        "train evaluate predict check diagnose export compress serve watch update runs cache compare report models"
    )
    pages = {name: t.deepen(name, "-h") for name in commands.split()}
    train = " ".join(pages["train"].out.split())
    return {
        "-h everywhere, at most 80 letters wide": all(
            page.code == 0 and max(map(len, page.out.splitlines())) <= 200 for page in pages.values()
        ),
        "each command shows one to copy": all(
            f"deepen {name} " in page.out
            for name, page in pages.items()
            if name not in ("runs", "cache", "models", "report")
        ),
        "values are named": all(word in train for word in ("adalora", "lexical", "tagging", "mlflow", "cuda")),
    }


@expect(16, "typos are answered with the right name")
def _(t: Stranger) -> Seen:
    t.run_of(60)
    typos = {
        ("train", "films.csv", "--rungs", "lexcal"): "lexical",
        ("train", "films.csv", "--set", "ladder.wrth=1"): "worth",
        ("train", "films.csv", "--columns", "text=revew,label=mood"): "review",
        ("train", "films.csv", "--task", "clasification"): "classification",
        ("train", "films.csv", "--tunning", "lora"): "--tuning",
        ("train", "filmz.csv"): "films.csv",
        ("predict", "a", "--rung", "lexcal", "--text", "x"): "lexical",
        ("trian", "films.csv"): "train",
    }
    called = {words: t.deepen(*words) for words in typos}
    return {
        f"{' '.join(words)}: {right}": called[words].code == 2 and right in called[words].err
        for words, right in typos.items()
    }


@expect(17, "a label that is not in the texts")
def _(t: Stranger) -> Seen:
    draw = random.Random(0)
    rows = [(text, f"c{draw.randrange(6)}") for text, _ in t.films(200)]
    call = t.train(t.table("noise.csv", rows, "text", "label"), rungs="majority,lexical")
    return {
        "the end says that nothing beats majority": bool(
            re.search("nothing (beats|is shown to beat) majority", call.said)
        )
    }


@expect(18, "progress and the time that is left")
def _(t: Stranger) -> Seen:
    call = t.run_of(120, rungs="majority,lexical,frozen,full", words=("--thorough",))
    rows = {row["rung"]: row for row in t.ladder()["rungs"]}
    return {
        "a line when a rung is done, with its seconds": bool(re.search(r"lexical .*\d s", call.said)),
        "a forecast for what is trained": bool(rows["full"]["forecast_seconds"]),
    }


@expect(19, "a budget is kept")
def _(t: Stranger) -> Seen:
    t.run_of(400, rungs="majority,lexical,frozen,full", words=("--budget", "1s", "--thorough"))
    rows = {row["rung"]: row for row in t.ladder()["rungs"]}
    return {
        "what does not fit is skipped, with the reason": rows["full"]["status"] in ("skipped", "stopped")
        and bool(rows["full"]["reason"]),
        "there is an answer all the same": bool(t.ladder()["chosen"]),
    }


INTERRUPT = """
import os, signal, sys, threading, time
def stop():
    while not os.path.exists("b/rungs/lexical"):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=stop, daemon=True).start()
from deepen.cli.main import main
sys.argv = ["deepen", "train", "films.csv", "--rungs", "majority,lexical,frozen", "--model", MODEL, "--out", "b"]
try:
    main()
except SystemExit as end:
    facts["code"] = end.code
"""


@expect(20, "an interrupted training goes on")
def _(t: Stranger) -> Seen:
    t.run_of(300, rungs="majority,lexical,frozen")
    stopped = t.facts(INTERRUPT.replace("MODEL", repr(str(t.tiny))))
    call = t.calls[-1]
    early = t.deepen("predict", "b", "--text", "a film")
    again = t.deepen("train", "--resume", "--out", "b")
    scores = [[(row["rung"], row["score"]["value"]) for row in t.ladder(run)["rungs"]] for run in "ab"]
    t.file("early.txt", early.said)
    return {
        "exit code 130": stopped.get("code") == 130,
        "the command that goes on is named": "--resume" in call.said,
        "resumed, the same scores as never stopped": again.code == 0 and scores[0] == scores[1],
        "seconds count both parts": t.ladder("b")["seconds"] >= sum(row["seconds"] for row in t.ladder("b")["rungs"]),
    }


@expect(21, "an unfinished run is marked")
def _(t: Stranger) -> Seen:
    t.run_of(60)
    t.facts(INTERRUPT.replace("MODEL", repr(str(t.tiny))))
    asked = {
        "predict": t.deepen("predict", "b", "--text", "a film"),
        "evaluate": t.deepen("evaluate", "b", "films.csv"),
        "report": t.deepen("report", "b"),
        "runs": t.deepen("runs", "."),
    }
    return {name: "finished" in call.said for name, call in asked.items()}


@expect(22, "nothing is overwritten unasked")
def _(t: Stranger) -> Seen:
    t.run_of(60)
    again = t.run_of(60)
    words = ("train", "films.csv", "--rungs", "majority")
    t.deepen(*words), t.deepen(*words)
    return {
        "refused, with both ways on": again.code == 2 and "--overwrite" in again.err and "--resume" in again.err,
        "without --out runs are numbered": {"films-classification-1", "films-classification-2"}
        <= {path.name for path in (t.folder / "runs").glob("*")},
    }


@expect(23, "a table of results")
def _(t: Stranger) -> Seen:
    call = t.run_of(120)
    return {
        "intervals": bool(re.search(r"0\.\d+ \[0\.\d+, 0\.\d+\]", call.out)),
        "the gain": "gain" in call.out,
        "what is chosen": "chosen:" in call.out,
    }


@expect(24, "quiet, verbose, logging")
def _(t: Stranger) -> Seen:
    quiet, loud = t.run_of(60, words=("-q",)), t.deepen("evaluate", "a", "films.csv", "-v")
    return {
        "-q leaves the results": quiet.code == 0 and "train 3" not in quiet.said and "chosen" in quiet.out,
        "-v has the time": bool(re.search(r"\d\.\d", loud.err)),
    }


@expect(25, "libraries are silent")
def _(t: Stranger) -> Seen:
    call = t.run_of(80, rungs="majority,frozen,full", words=("--set", "rungs.full.num_epochs=1", "--thorough"))
    return {f"no {word}": word not in call.said.replace(str(t.tiny), "") for word in QUIET}


@expect(36, "small files are used whole")
def _(t: Stranger) -> Seen:
    plain = t.run_of(300)
    learned = json.loads(t.text("a/environment.json"))["data"]["train"]["rows"]
    t.train("films.csv", "--set", "data.cross_validate_below=1000", rungs="majority,lexical", run="b")
    whole = json.loads(t.text("b/environment.json"))["data"]["train"]["rows"]
    return {
        f"the chosen model learns from at least 80 % of 300 rows as it comes ({learned})": learned >= 240,
        f"cross-validation, asked for: from all ({whole})": whole == 300,
        "what is held out, and how to learn from it too, is said": "--refit" in plain.said,
    }


@expect(39, "another model")
def _(t: Stranger) -> Seen:
    folder = t.run_of(60, rungs="majority,frozen")
    unknown = t.deepen("train", "films.csv", "--model", "nobody/nothing-here", "--rungs", "frozen")
    return {
        "a folder works": folder.code == 0,
        "an unknown name says what is there": unknown.code == 2 and "MiniLM" in unknown.err,
    }


@expect(43, "settings are described, shells complete")
def _(t: Stranger) -> Seen:
    schema = json.loads(t.deepen("schema").out)
    settings = [
        each for part in [schema, *schema.get("$defs", {}).values()] for each in part.get("properties", {}).values()
    ]
    bare = sum("description" not in each and "$ref" not in each and "allOf" not in each for each in settings)
    t.run_of(60)
    return {
        f"every setting has a sentence ({bare} of {len(settings)} have none)": not bare,
        "a recipe names its schema": "yaml-language-server" in t.text("a/recipe.yaml"),
        "completion": "--show-completion" in t.deepen("-h").out,
    }


@expect(44, "the same twice")
def _(t: Stranger) -> Seen:
    t.run_of(80, rungs="majority,full", words=("--thorough", "--set", "rungs.full.num_epochs=1"))
    t.train(
        "films.csv",
        "--model",
        str(t.tiny),
        "--thorough",
        "--set",
        "rungs.full.num_epochs=1",
        rungs="majority,full",
        run="b",
    )
    one, two = ((t.folder / run / "rungs/full/model/model.safetensors").read_bytes() for run in "ab")
    return {"the same weights, byte for byte": one == two}


@expect(45, "epochs and early stopping")
def _(t: Stranger) -> Seen:
    t.run_of(60)
    hint = t.deepen("train", "films.csv", "--epochs", "3")
    named = sorted(set(re.findall(r"[a-z_.]*patience[a-z_]*|[a-z_.]*early[a-z_]*", t.deepen("schema").out)))
    return {
        "--epochs names the setting": hint.code == 2 and "num_epochs" in hint.err,
        f"a setting ends trainings early ({', '.join(named)})": bool(named),
    }
