"""The faults that an attack on version 0.1.0 found, F1 to F20, each rebuilt with inputs of its own."""

from __future__ import annotations

import json
import os
import random
import shutil

from trial import Trial, Verdict, case, judge, worst

SIGNS = {"good": "fine great lovely happy".split(), "bad": "poor awful broken sorry".split()}
THINGS = "film room phone desk lamp hotel soup train seat music".split()


def rows(num: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Texts that a few words tell apart."""
    chance = random.Random(seed)
    made = []
    for number in range(num):
        label = ("good", "bad")[number % 2]
        said = [chance.choice(THINGS) for _ in range(4)]
        made.append((f"the {' '.join(said)} no {number} was {chance.choice(SIGNS[label])}", label))
    return made


def table(t: Trial, name: str = "train.csv", num: int = 120) -> str:
    """A file to train on."""
    return t.file(name, "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows(num)))


def a_run(t: Trial, rungs: str = "majority,lexical") -> None:
    """A finished run in `a`."""
    t.train(table(t), rungs=rungs)


def texts(t: Trial, *words: str) -> list[str]:
    """What `predict` takes for the texts."""
    return [answer["inputs"]["text"] for answer in t.answers(*words)]


# --- F1: --overwrite ------------------------------------------------------------------------------------------------


def overwritten(t: Trial, *words: str) -> Verdict:
    """Whether a person's folder outlives --overwrite."""
    kept = {"notes.txt": "my notes\n", "src/code.py": "x = 1\n", "recipe.yaml": ""}
    t.file("reviews.csv", (t.folder / table(t)).read_text())
    for name, content in kept.items():
        if content:
            t.file(name, content)
    call = t.deepen(*words)
    there = all((t.folder / name).is_file() for name in (*kept, "reviews.csv", "train.csv"))
    if not there:
        return "WRONG", "files of a person are gone"
    return judge(call, True, remedy="--out|run")


@case("F1a", "--overwrite onto the working folder, which holds a recipe.yaml", "nothing of a person's goes")
def _(t: Trial) -> Verdict:
    t.file("recipe.yaml", "data: {path: reviews.csv}\nladder: {rungs: [majority]}\n")
    return overwritten(t, "train", "--recipe", "recipe.yaml", "--out", ".", "--overwrite")


@case("F1b", "--overwrite onto a folder with a ladder.json that is not ours", "nothing of a person's goes")
def _(t: Trial) -> Verdict:
    t.file("recipe.yaml", "steps: 3\n")
    t.file("ladder.json", '{"rungs": 5}\n')
    return overwritten(t, "train", "reviews.csv", "--rungs", "majority", "--out", ".", "--overwrite")


@case("F1c", "--overwrite of a run into which a person has put files", "they stay, or it is refused")
def _(t: Trial) -> Verdict:
    a_run(t, "majority")
    t.file("a/notes.txt", "mine\n")
    t.file("a/model/mine.txt", "mine\n")
    call = t.train("train.csv", "--overwrite")
    if not ((t.folder / "a/notes.txt").is_file() and (t.folder / "a/model/mine.txt").is_file()):
        return "WRONG", "files of a person are gone"
    return judge(call, True, remedy="notes.txt|mine.txt")


@case("F1d", "--overwrite where the training data lie inside the run folder", "refused, or they stay")
def _(t: Trial) -> Verdict:
    a_run(t, "majority")
    shutil.move(t.folder / "train.csv", t.folder / "a" / "train.csv")
    call = t.deepen("train", "a/train.csv", "--rungs", "majority", "--out", "a", "--overwrite")
    there = (t.folder / "a" / "train.csv").is_file()
    return judge(call, True, remedy="train.csv|inside") if there else ("WRONG", "the training data are gone")


# --- F2, F3: predict reads a file otherwise than training did --------------------------------------------------------


def prose(t: Trial, lines: list[str], name: str = "new.txt") -> Verdict:
    """Every line of a .txt is one text."""
    a_run(t)
    read = texts(t, t.file(name, "\n".join(lines) + "\n"))
    return judge(t.calls[-1], read == lines)


@case("F2a", "predict: a .txt of one line with one comma", "the whole line")
def _(t: Trial) -> Verdict:
    return prose(t, ["a lovely room, later awful broken and poor"])


@case("F2b", "predict: a .txt in which every line has one comma", "whole lines")
def _(t: Trial) -> Verdict:
    return prose(t, [f"{text}, and the {THINGS[n % 10]} too" for n, (text, _) in enumerate(rows(40))])


@case("F2c", "predict: a .txt in which lines have semicolons, bars or tabs", "whole lines")
def _(t: Trial) -> Verdict:
    each = []
    for sign in ("; ", ";", "|", " | "):
        each.append(prose(t, [f"the room{sign}was fine", f"a soup{sign}was awful"], f"new{len(each)}.txt"))
    return worst(*each)


@case("F3a", "predict: lines with few different first words", "whole lines")
def _(t: Trial) -> Verdict:
    lines = ["I broke it on day one", "The room was poor and awful", "The film was not fine", "I was happy"]
    return worst(prose(t, lines), prose(t, [lines[n % 2] + f" {n}" for n in range(40)], "more.txt"))


@case("F3b", "predict: 400 lines with five different first words", "whole lines")
def _(t: Trial) -> Verdict:
    first = ("it", "they", "we", "you", "she")
    return prose(t, [f"{first[n % 5]} said number {n} was fine" for n in range(400)])


@case("F3c", "predict: lines that start with numbers or with __label__", "whole lines, or told")
def _(t: Trial) -> Verdict:
    return prose(t, [f"{n % 3} stars for the room {n}" for n in range(30)])


@case("F2d", "evaluate and --validation read a .txt as training did", "the same rows")
def _(t: Trial) -> Verdict:
    lines = [f"{text}, really\t{label}" for text, label in rows(120)]
    t.train(t.file("train.txt", "\n".join(lines) + "\n"), rungs="majority,lexical")
    t.file("test.txt", "\n".join(f"{text}, really\t{label}" for text, label in rows(30, seed=5)) + "\n")
    call = t.deepen("evaluate", "a", "test.txt", "--json")
    return judge(call, call.record.get("num_examples") == 30)


# --- F4: JSON after its first list ----------------------------------------------------------------------------------


@case("F4a", "two JSON lists in one file", "both, or an error")
def _(t: Trial) -> Verdict:
    a_run(t)
    t.file("two.json", '[{"text":"fine film","label":"x"}]\n[{"text":"poor film","label":"y"}]\n')
    return judge(t.deepen("predict", "a", "two.json"), len(texts(t, "two.json")) == 2, remedy="after|list|ends|more")


@case("F4b", '{"train": [...], "test": [...]}', "both named, or an error")
def _(t: Trial) -> Verdict:
    half = [[{"text": text, "label": label} for text, label in rows(60, seed=n)] for n in (1, 2)]
    call = t.train(t.file("both.json", json.dumps({"train": half[0], "test": half[1]})))
    return judge(call, t.rows() == 120, warned="'?test'?", remedy="train.*test")


@case("F4c", "a JSON list and garbage behind it", "an error")
def _(t: Trial) -> Verdict:
    half = json.dumps([{"text": text, "label": label} for text, label in rows(60)])
    return judge(t.train(t.file("bad.json", half + " garbage")), False, remedy="after|ends|garbage|JSON")


@case("F4d", '{"meta": [{...}], "data": [{...}]}: which list is meant?', "the rows, or said")
def _(t: Trial) -> Verdict:
    both = {"authors": [{"name": "Mara", "role": "x"}], "data": [{"text": a, "label": b} for a, b in rows(60)]}
    call = t.train(t.file("meta.json", json.dumps(both)))
    return judge(call, t.rows() == 60, warned="'(authors|data)'", remedy="authors|'data'")


# --- F5: quotes that swallow rows -----------------------------------------------------------------------------------


def swallowed(t: Trial, name: str, sign: str) -> Verdict:
    """An opening quote in one row, a closing one 50 rows later."""
    some = [f"{text}{sign}{label}" for text, label in rows(150)]
    some[50] = f'"poor film 1{sign}bad'
    some[101] = f'the end"{sign}good'
    call = t.train(t.file(name, f"text{sign}label\n" + "\n".join(some) + "\n"))
    check = t.deepen("check", name)
    named = r"quote(?!d cells)"
    return worst(
        judge(call, t.rows() == 150, warned=named, remedy=named),
        judge(check, t.rows() == 150 or "quote" in check.said.replace("quoted cells", ""), remedy=named),
    )


@case("F5a", "CSV: an opening quote swallows 51 rows", "a warning that names the quote")
def _(t: Trial) -> Verdict:
    return swallowed(t, "train.csv", ",")


@case("F5b", "TSV: the same", "a warning that names the quote, or no rows lost")
def _(t: Trial) -> Verdict:
    return swallowed(t, "train.tsv", "\t")


# --- F6: memory -----------------------------------------------------------------------------------------------------


@case("F6a", "JSON Lines whose objects have 200 keys of their own", "bounded")
def _(t: Trial) -> Verdict:
    lines = [
        json.dumps({"text": f"{text}", "label": label} | {f"k{n}_{k}": 1 for k in range(200)})
        for n, (text, label) in enumerate(rows(1000))
    ]
    return judge(t.deepen("check", t.file("k.jsonl", "\n".join(lines)), limit=40), True, remedy="keys", quick=True)


@case("F6b", "CSV with 200,000 columns in the header", "bounded")
def _(t: Trial) -> Verdict:
    wide = "text,label," + ",".join(f"c{n}" for n in range(200_000)) + "\n" + "fine film,x," + "," * 199_999 + "\n"
    return judge(t.deepen("check", t.file("w.csv", wide), limit=40), True, remedy="column", quick=True)


@case("F6c", "a list of objects, nested and with keys of their own", "bounded")
def _(t: Trial) -> Verdict:
    made = [
        {"text": text, "label": label, "more": {f"k{n}_{k}": [k] for k in range(120)}}
        for n, (text, label) in enumerate(rows(1000))
    ]
    return judge(t.deepen("check", t.file("k.json", json.dumps(made)), limit=40), True, remedy="keys", quick=True)


# --- F7: --json and errors ------------------------------------------------------------------------------------------


@case("F7", "nine failing calls with --json", "one error object each, exit 2")
def _(t: Trial) -> Verdict:
    a_run(t)
    calls = (
        ("train", "nope.csv"),
        ("train", "train.csv", "--set", "nope=1"),
        ("evaluate", "a", "nope.csv"),
        ("predict", "nope", "--text", "x"),
        ("predict", "a", "nope.csv"),
        ("diagnose", "nope"),
        ("check", "nope.csv"),
        ("models", "--nope"),
        ("train", "train.csv", "--rungs", "nope"),
    )
    each = []
    for words in calls:
        call = t.deepen(*words, "--json")
        right = call.code == 2 and set(call.record.get("error", {})) >= {"kind", "message"}
        each.append(
            ("RIGHT", "")
            if right
            else ("WRONG", f"{' '.join(words)}: {len(call.out)} bytes on stdout, exit {call.code}")
        )
    return worst(*each)


# --- F8: caches -----------------------------------------------------------------------------------------------------

CHANGED = """
import pathlib, sys
import deepen.data.load as load
import deepen.core.files as files
path = pathlib.Path("grows.csv")
def write(word):
    path.write_text("text,label\\n" + "".join(f"{word} film number {n},{'xy'[n % 2]}\\n" for n in range(20)))
from deepen.data.load import DataSettings, Need, load_table
needs = [Need("text", "text"), Need("label", "category")]
def first(word=None):
    table, _ = load_table("grows.csv", needs, DataSettings())
    return next(table.all_rows().values("text"))
write("AAA")
real = load.files_key
def late(layout, name):
    key = real(layout, name)
    write("BBB")
    return key
load.files_key = late
try:
    first()
except Exception as error:
    print("refused", error)
load.files_key = real
write("AAA")
print(first())
"""


@case("F8a", "a file that changes while it is read", "its rows are never another content's")
def _(t: Trial) -> Verdict:
    call = t.python(CHANGED)
    return judge(call, call.out.strip().splitlines()[-1:] == ["AAA film number 0"])


@case("F8b", "one word of a cached table changed for one of equal length", "not served")
def _(t: Trial) -> Verdict:
    a_run(t)
    before = t.deepen("predict", "a", "train.csv", "--json")
    cache = t.version.work.parent / "cache" / "tables"
    text = rows(1)[0][0].encode()
    for path in cache.glob("*/rows.arrow"):
        content = path.read_bytes()
        if text in content:
            path.chmod(0o644)
            path.write_bytes(content.replace(text, text[::-1]))
    call = t.deepen("predict", "a", "train.csv", "--json")
    return judge(call, text.decode() in call.out and text.decode()[::-1] not in call.out and before.code == 0)


# --- F9, F10: what labels may do ------------------------------------------------------------------------------------


@case("F9", "terminal escapes and turned-round text in labels", "never printed raw")
def _(t: Trial) -> Verdict:
    made = [{"text": a, "label": {"good": "\x1b]0;pwn\x07\x1b[31mred", "bad": "a\u202eb"}[b]} for a, b in rows(120)]
    t.train(t.file("esc.jsonl", "\n".join(map(json.dumps, made))), rungs="majority,lexical")
    calls = [t.calls[-1], t.deepen("predict", "a", "--text", "was fine", "--text", "was awful")]
    calls += [
        t.deepen("evaluate", "a", "esc.jsonl"),
        t.deepen("check", "esc.jsonl"),
        t.deepen("predict", "a", "esc.jsonl"),
    ]
    raw = [
        call.words[0] for call in calls if any(sign in call.said for sign in ("\x1b]", "\x1b[31mred", "\x07", "\u202e"))
    ]
    return ("WRONG", f"raw in {', '.join(raw)}") if raw else worst(*(judge(call, True) for call in calls))


@case("F10", "cells that begin with = + - @ in predict --out", "guarded")
def _(t: Trial) -> Verdict:
    a_run(t)
    t.file("bad.csv", 'text\n"=HYPERLINK(""http://evil"",""x"")"\n+1+2\n-3 is poor\n@cmd is fine\n')
    call = t.deepen("predict", "a", "bad.csv", "--out", "p.csv")
    raw = [
        line for line in t.lines("p.csv") for cell in line.split(",") if cell.lstrip('"')[:1] in ("=", "+", "-", "@")
    ]
    return judge(call, not raw and len(t.lines("p.csv")) >= 5)


# --- F11: what a model folder may name -------------------------------------------------------------------------------


def folder_with(t: Trial, file: str, **keys: object) -> str:
    """A copy of the tiny model with other settings."""
    name = f"model{len(list(t.folder.iterdir()))}"
    shutil.copytree(t.tiny, t.folder / name)
    path = t.folder / name / file
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    return name


@case("F11", "attn_implementation or quantization_config in config.json", "not followed, or told")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    for number, keys in enumerate(
        (
            {"attn_implementation": "attacker/evil"},
            {"_attn_implementation": "attacker/evil"},
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            {"auto_map": {"AutoModel": "evil.Model"}},
        )
    ):
        name = folder_with(t, "config.json", **keys)
        call = t.train("train.csv", "--model", name, rungs="majority,frozen", run=f"r{number}")
        each.append(judge(call, True, remedy="|".join(keys)))
    return worst(*each)


# --- F12: bombs -----------------------------------------------------------------------------------------------------


@case("F12a", "a recipe with nine levels of YAML aliases", "an error, quickly")
def _(t: Trial) -> Verdict:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    table(t)
    each = []
    for number, key in enumerate(("task: *a8", "data: {path: *a8}", "nope: *a8", "ladder: {rungs: *a8}")):
        name = t.file(f"bomb{number}.yaml", "\n".join(levels) + f"\n{key}\n")
        each.append(
            judge(t.deepen("train", "--recipe", name, limit=30), False, remedy="yaml|alias|recipe|key", quick=True)
        )
    return worst(*each)


@case("F12b", "a recipe that never ends: a pipe, /dev/zero", "an error, quickly")
def _(t: Trial) -> Verdict:
    os.mkfifo(t.folder / "pipe")
    calls = [t.deepen("train", "--recipe", name, limit=15) for name in ("pipe", "/dev/zero")]
    return worst(*(judge(call, False, remedy="file|pipe|device", quick=True) for call in calls))


@case("F12c", "ids to drop, fix, add, and labels, from a pipe and from /dev/zero", "an error, quickly")
def _(t: Trial) -> Verdict:
    table(t)
    os.mkfifo(t.folder / "pipe")
    each = []
    for option in ("--drop", "--fix", "--labels", "--add", "--unlabelled", "--test"):
        for name in ("pipe", "/dev/zero"):
            call = t.deepen("train", "train.csv", "--rungs", "majority,lexical", option, name, "--out", "r", limit=15)
            each.append(judge(call, False, remedy="file|pipe|device|binary", quick=True))
    return worst(*each)


@case("F12d", "one cell of 160,000 combining marks", "bounded")
def _(t: Trial) -> Verdict:
    marks = "a" + "\u0301\u0316" * 80_000
    t.file("marks.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows(30)) + f"{marks},good\n")
    return judge(t.deepen("check", "marks.csv", limit=40), True, remedy="marks", quick=True)


@case("F12e", "config.json that asks for a billion labels, or ten million layers", "an error, quickly")
def _(t: Trial) -> Verdict:
    a_run(t, "majority")
    each = []
    for number, keys in enumerate(
        ({"num_labels": 10**9}, {"num_hidden_layers": 10**7}, {"vocab_size": 10**9}, {"hidden_size": 10**6})
    ):
        name = folder_with(t, "config.json", **keys)
        call = t.train("train.csv", "--model", name, rungs="frozen", run=f"r{number}", limit=40)
        each.append(judge(call, number == 0, remedy="|".join(keys) + "|weights|config"))
    t.train("train.csv", "--model", str(t.tiny), rungs="frozen", run="f")
    for number, keys in enumerate(({"num_labels": 10**9}, {"num_hidden_layers": 10**7})):
        shutil.copytree(t.folder / "f", t.folder / f"g{number}")
        for path in (t.folder / f"g{number}").rglob("config.json"):
            path.unlink() if path.is_symlink() else None
            path.write_text(json.dumps(json.loads((t.tiny / "config.json").read_text()) | keys))
        call = t.deepen("predict", f"g{number}", "--text", "fine", limit=40)
        each.append(judge(call, True, remedy="|".join(keys) + "|weights|config|changed|sha"))
    return worst(*each)


# --- F14 to F20 -----------------------------------------------------------------------------------------------------


@case("F14a", "state.json that names a file outside its folder", "refused")
def _(t: Trial) -> Verdict:
    t.file("secret.txt", "secret words of a person\n" * 20)
    t.file("saved/state.json", json.dumps({"_data_files": [{"filename": "../secret.txt"}]}))
    t.file("saved/dataset_info.json", "{}")
    a_run(t)
    call = t.deepen("predict", "a", "saved")
    return ("WRONG", "read outside") if "secret words" in call.said else judge(call, True, remedy="state.json|outside")


@case("F14b", "a link in a data folder to a file outside", "refused")
def _(t: Trial) -> Verdict:
    t.file("secret.txt", "secret words of a person\n" * 20)
    (t.folder / "data").mkdir()
    (t.folder / "data" / "a.txt").symlink_to("../secret.txt")
    a_run(t)
    call = t.deepen("predict", "a", "data")
    return (
        ("WRONG", "read outside") if "secret words" in call.said else judge(call, True, remedy="link|outside|no file")
    )


@case("F15a", "rows without a header whose first row looks like one", "all rows answered, or said")
def _(t: Trial) -> Verdict:
    a_run(t)
    each = []
    for number, first in enumerate(("question,yes", "date,what_day", "great film,N/A")):
        name = t.file(f"h{number}.csv", first + "\n" + "".join(f"{a},{b}\n" for a, b in rows(20)))
        call = t.deepen("predict", "a", name)
        told = "header"
        each.append(judge(call, len(call.out.splitlines()) == 21, warned=told, remedy="--columns|header"))
    return worst(*each)


@case("F15b", "a .txt whose first line is the word title", "every line answered, or said")
def _(t: Trial) -> Verdict:
    a_run(t)
    call = t.deepen("predict", "a", t.file("h.txt", "title\nthe film was fine\nthe soup was awful\n"))
    return judge(call, len(call.out.splitlines()) == 3, warned="header")


@case("F15c", "blank lines between the texts to answer", "answers carry their line, or the gaps are said")
def _(t: Trial) -> Verdict:
    a_run(t)
    name = t.file("blank.txt", "the film was fine\n\nthe soup was awful\n\nthe seat was poor\n")
    call = t.deepen("predict", "a", name, "--json")
    lines = [(answer.get("row") or {}).get("line") for answer in call.record.get("predictions", [])]
    return judge(call, lines in ([1, 3, 5], [1, 2, 3, 4, 5]))


@case("F16", "labels that look alike: zero width, NFC and NFD, broken characters", "joined, or said")
def _(t: Trial) -> Verdict:
    each = []
    for number, (one, two) in enumerate((("pos", "pos\u200b"), ("p\u00f3s", "po\u0301s"), ("x\ud83d", "x?"))):
        made = []
        for at, (text, label) in enumerate(rows(120)):
            made.append({"text": text, "label": "bad" if label == "bad" else (one, two)[at % 4 // 2]})
        name = t.file(f"l{number}.jsonl", "\n".join(map(json.dumps, made)))
        call = t.train(name, run=f"r{number}")
        check = t.deepen("check", name)
        joined = len(t.labels(f"r{number}")) == 2
        if number == 2:
            told = len(t.labels("r2")) == 3 or "broken" in call.said or "surrogate" in call.said
            each.append(judge(call, told, remedy="character"))
        else:
            each.append(judge(check, joined or "label_variants" in check.said, remedy="label"))
    return worst(*each)


@case("F17", "a label that is a Markdown link, in the model card", "not a link")
def _(t: Trial) -> Verdict:
    made = [{"text": a, "label": {"good": "[link](javascript:alert(1))", "bad": "bad"}[b]} for a, b in rows(120)]
    t.train(t.file("md.jsonl", "\n".join(map(json.dumps, made))), rungs="majority,lexical")
    card = "\n".join(t.lines("a/model/README.md"))
    return (
        ("WRONG", "a link")
        if "[link](javascript" in card.replace("`[link](javascript:alert(1))`", "")
        else judge(t.calls[-1], bool(card))
    )


@case("F18a", "--resume of a run that never began", "says what to do")
def _(t: Trial) -> Verdict:
    call = t.deepen("train", "--resume", "--out", "nowhere")
    return judge(call, False, remedy="nowhere.*(no run|nothing|not there|DATA)|no run")


@case("F18b", 'a table by columns: {"text": [...], "label": [...]}', "read, or named")
def _(t: Trial) -> Verdict:
    made = rows(60)
    call = t.train(t.file("c.json", json.dumps({"text": [a for a, _ in made], "label": [b for _, b in made]})))
    return judge(call, t.rows() == 60 and t.labels() == {"good", "bad"}, remedy="by columns|a list for each|orient")


@case("F18c", "predict --out ~/FILE that is the data", "refused")
def _(t: Trial) -> Verdict:
    a_run(t)
    before = (t.folder / "train.csv").read_bytes()
    call = t.deepen("predict", "a", "~/train.csv", "--out", "train.csv", environment={"HOME": str(t.folder)})
    if (t.folder / "train.csv").read_bytes() != before:
        return "WRONG", "the data are overwritten"
    return judge(call, False, remedy="rows themselves|other name|another name")


@case("F19", "environment.json and a person's home", "no home folder, no secrets typed")
def _(t: Trial) -> Verdict:
    home = t.folder / "home-of-mara"
    home.mkdir()
    shutil.copy(t.folder / table(t), home / "train.csv")
    call = t.deepen(
        "train",
        str(home / "train.csv"),
        "--rungs",
        "majority",
        "--out",
        "a",
        environment={"HOME": str(home), "USER": "mara-user"},
    )
    said = "\n".join(t.lines("a/environment.json"))
    return judge(
        call, "mara-user" not in said and (home / "train.csv").as_posix() not in "\n".join(t.lines("a/model/README.md"))
    )


@case("F20", "import deepen, deepen.reporting.page; deepen.report(run)", "the verb still works")
def _(t: Trial) -> Verdict:
    a_run(t)
    program = "import sys\nfor name in [name for name in sys.modules if name.split('.')[0] == 'deepen']:\n"
    program += "    del sys.modules[name]\n"
    program += "import deepen, deepen.reporting.page\nprint(deepen.report('a'))\n"
    return judge(t.python(program), True)
