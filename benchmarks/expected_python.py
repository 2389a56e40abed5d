"""Expectations of Python, of other tools, of the disk and of the project itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from cells import ROOT
from expected import Seen, Stranger, expect


@expect(2, "the model folder opens elsewhere, or says that it does not")
def _(t: Stranger) -> Seen:
    t.run_of(100, rungs="frozen")
    found = t.facts("""
import deepen, numpy
from sentence_transformers import SentenceTransformer
texts = ["a fine film", "a poor and bad room"]
model = deepen.load("a")
labels = json.load(open("a/ladder.json"))["labels"]
logits = SentenceTransformer("a/model").encode(texts)
facts["same"] = [labels[at] for at in logits.argmax(1)] == [one.output for one in model.predict(texts)]
config = json.load(open("a/model/config.json"))
facts["named"] = "id2label" in config
""")
    card = t.text("a/model/README.md")
    return {
        "sentence-transformers gives the run's own answers": bool(found.get("same")),
        "no random head under the right names": not found.get("named", True) and "pipeline_tag" not in card,
    }


@expect(7, "a notebook shows something")
def _(t: Stranger) -> Seen:
    t.table("films.csv", t.films(100), "review", "mood")
    found = t.facts("""
import logging, deepen
class Kept(logging.Handler):
    lines = []
    def emit(self, record):
        self.lines.append(record.getMessage())
logging.getLogger("deepen").addHandler(Kept())
logging.getLogger("deepen").setLevel("INFO")
run = deepen.train("films.csv", rungs=["majority", "lexical"], out="a")
model = deepen.load("a")
one = model.predict("a fine film")[0]
facts["lines"] = len(Kept.lines)
facts["short"] = max(len(repr(each)) for each in (run, model, one))
facts["html"] = all("<" in each._repr_html_() for each in (run, model, one))
""")
    return {
        "notes go through logging": found.get("lines", 0) >= 4,
        f"short reprs ({found.get('short')} letters)": 0 < found.get("short", 0) < 400,
        "a run, a model and an answer show themselves": bool(found.get("html")),
    }


@expect(8, "predict takes what I have")
def _(t: Stranger) -> Seen:
    t.run_of(100)
    found = t.facts("""
import deepen, pandas, numpy
model, text = deepen.load("a"), "a fine film"
given = {"text": text, "list": [text], "Series": pandas.Series([text], index=[7]), "array": numpy.array([text]),
    "DataFrame": pandas.DataFrame({"review": [text]}, index=[7]), "row": {"review": text}}
for name, rows in given.items():
    facts[name] = [one.output for one in model.predict(rows)] == [model.predict([text])[0].output]
facts["[]"] = list(model.predict([])) == []
facts["a DataFrame under my index"] = list(model.predict(given["Series"], as_pandas=True).index) == [7]
facts["predict_proba"] = numpy.asarray(model.predict_proba([text])).shape == (1, 2)
try:
    model.predict(None)
except deepen.DeepenError as error:
    facts["None: an error about arguments"] = "--" not in str(error)
""")
    return found or {"predict": False}


@expect(10, "runs are listed, compared, shared")
def _(t: Stranger) -> Seen:
    t.run_of(100), t.train("films.csv", rungs="majority", run="b")
    t.table("test.csv", t.films(60, skip=1000), "review", "mood")
    listed, compared = t.deepen("runs", "."), t.deepen("compare", "a", "b", "test.csv")
    pushed = t.deepen("registry", "push", "a", "--registry", "versions")
    return {
        "a table of runs": all(f"{run} " in listed.out or run in listed.out.split() for run in "ab"),
        "the difference of two, with its interval": bool(re.search(r"[-+]\d\.\d+ to [-+]\d", compared.out)),
        "a version in a registry": pushed.code == 0,
    }


@expect(11, "caches and disk are under control")
def _(t: Stranger) -> Seen:
    mine = {"environment": {"DEEPEN_CACHE": str(t.folder / "cache")}}
    t.table("films.csv", t.films(100), "review", "mood")
    words = ("train", "films.csv", "--model", str(t.tiny), "--rungs", "frozen,full", "--thorough", "--out", "a")
    t.deepen(*words, **mine)
    told = t.deepen("cache", **mine)
    before = sum(path.stat().st_size for path in (t.folder / "cache").rglob("*") if path.is_file())
    t.deepen("cache", "--clear", **mine)
    after = sum(path.stat().st_size for path in (t.folder / "cache").rglob("*") if path.is_file())
    once = [path.stat().st_ino for path in (t.folder / "a").rglob("model.safetensors")]
    return {
        "where and how large": "cache" in told.out and bool(re.search(r"\d [kMG]?B", told.out)),
        "--clear empties it": after < before / 10,
        "a chosen model lies on the disk once": len(set(once)) < len(once),
        "the how-to names the cap": "deepen cache" in (ROOT / "docs/how-to.md").read_text(encoding="utf-8"),
    }


@expect(13, "it installs as a wheel")
def _(t: Stranger) -> Seen:
    about = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "pip", "--disable-pip-version-check", "-q", "wheel", "--no-deps", "--no-build-isolation"]
        copy = Path(folder) / "source"
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", str(copy)], check=True)
        subprocess.run([sys.executable, *words, "-w", folder, str(copy)], check=False)
        wheels = list(Path(folder).glob("deepen-*.whl"))
    return {"a wheel is built": len(wheels) == 1, "the docs say how": "pip install" in about}


@expect(40, "other tools read the model")
def _(t: Stranger) -> Seen:
    t.run_of(80, rungs="majority,full", words=("--tuning", "lora", "--thorough", "--set", "rungs.full.num_epochs=1"))
    found = t.facts("""
from pathlib import Path
from peft import PeftConfig
[adapter] = sorted(Path("a/rungs/full/model").rglob("adapter_config.json"))
facts["peft"] = PeftConfig.from_pretrained(str(adapter.parent)).peft_type.value
""")
    return {"PEFT reads the adapter": found.get("peft") == "LORA"}


@expect(42, "an interface in Python")
def _(t: Stranger) -> Seen:
    t.table("films.csv", t.films(100), "review", "mood")
    found = t.facts("""
import deepen
run = deepen.train("films.csv", rungs=["majority", "lexical"], out="a")
facts["evaluate"] = any(score.label for score in deepen.evaluate("a", "films.csv"))
facts["check"], facts["report"] = bool(deepen.check("films.csv")), bool(deepen.report("a"))
facts["documented"] = all(getattr(deepen, name).__doc__ for name in ("train", "load", "evaluate", "compare"))
try:
    deepen.train("films.csv", rungs=["lexcal"], out="b")
except deepen.SettingError as error:
    facts["an error without --set"] = "lexical" in str(error) and "--set" not in str(error)
""")
    return found | {"typed": (ROOT / "src/deepen/py.typed").is_file()}


LIGHT = """
import sys, time
import deepen
print(deepen.load("a").predict(["a fine film"])[0].output, "torch" in sys.modules, time.process_time())
"""


@expect(46, "a light model answers at once")
def _(t: Stranger) -> Seen:
    t.run_of(120)
    # a process of its own: the one that calls share has imported torch
    words = [sys.executable, "-c", LIGHT]
    said = subprocess.run(
        words,
        cwd=t.folder,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "HOME": str(t.folder)},
    ).stdout.split()
    bytes_ = sum(path.stat().st_size for path in (t.folder / "a").rglob("*") if path.is_file())
    return {
        "without torch": said[1] == "False",
        f"under 1.5 seconds of the processor from start to answer ({float(said[2]):.2f})": float(said[2]) < 1.5,
        f"a lexical run is under 5 MB ({bytes_ / 1e6:.1f})": bytes_ < 5e6,
    }


@expect(47, "docs as a site, notebooks")
def _(t: Stranger) -> Seen:
    menu = re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2])
    made = tuple(f"{name}.md" for name in ("index", "commands", "settings", "python"))  # by make docs
    notebooks = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "examples").glob("*.ipynb")]
    return {
        "a site, every page of its menu there": (ROOT / "mkdocs.yml").is_file()
        and all((ROOT / "docs" / page).is_file() for page in menu if not page.endswith(made)),
        "two notebooks": len(notebooks) >= 2,
        "a tutorial, in Chinese too": all(
            (ROOT / "docs" / name).is_file() for name in ("tutorial.md", "zh/tutorial.md")
        ),
    }


@expect(48, "how to cite it, and what may go away")
def _(t: Stranger) -> Seen:
    cite = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    return {
        "CITATION.cff": "cff-version" in cite and "title" in cite,
        "a deprecation policy": "What goes away" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
