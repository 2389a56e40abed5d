"""Expectations of answers: of each task, in each form, explained, in two languages."""

from __future__ import annotations

import json
import re

from expected import Seen, Stranger, expect


@expect(4, "questions about a text are answered from a new file")
def _(t: Stranger) -> Seen:
    squad = json.loads((t.data / "xquad/xquad.en.json").read_text(encoding="utf-8"))
    parts = {name: json.dumps({"data": squad["data"][at : at + 2]}) for name, at in (("squad", 0), ("new", 5))}
    for name, content in parts.items():
        t.file(f"{name}.json", content)
    call = t.train("squad.json", rungs="majority,lexical")
    new = t.deepen("predict", "a", "new.json", "--out", "answers.csv")
    return {
        "trained": call.code == 0,
        "the printed command works": t.deepen(*t.printed(call)).code == 0,
        "a new file is answered": new.code == 0 and len(t.lines("answers.csv")) > 10,
    }


@expect(5, "answers join back to my rows")
def _(t: Stranger) -> Seen:
    t.train(t.table("hotels.csv", t.hotels(120), "review", "mood"), rungs="majority,lexical")
    rows = [(f"id-{n}", f"  {text[:40]}\t", n * 1.5) for n, (text, _) in enumerate(t.hotels(20))]
    rows[7] = ("id-7", "", 10.5)
    t.table("new.csv", rows, "my id", "review", "price")
    seen = {}
    for form in ("csv", "jsonl"):
        call = t.deepen("predict", "a", "new.csv", "--out", f"out.{form}")
        if form == "csv":
            out = t.read("out.csv")
            seen["columns, order and raw text stay"] = [
                (row["my id"], row["review"], float(row["price"])) for row in out
            ] == rows
            seen["output and p_好, p_差 are added"] = {"output", "p_好", "p_差"} <= set(out[0])
            seen["a row that cannot be read stays as a gap"] = out[7]["output"] == "" != out[8]["output"]
        else:
            records = [json.loads(line) for line in t.lines("out.jsonl")]
            seen["JSONL: a record a row, the gap with its reason"] = len(records) == 20 and "skipped" in records[7]
            seen["the number of gaps is said"] = "1" in call.said
    return seen


@expect(6, "a row of several parts can be typed")
def _(t: Stranger) -> Seen:
    lines = (t.data / "sick/SICK_train.txt").read_text(encoding="utf-8").splitlines()[:61]
    rows = [(a, b, e) for _, a, b, _, e in (line.split("\t") for line in lines[1:])]
    call = t.train(t.table("pairs.csv", rows, "sentence1", "sentence2", "label"), rungs="majority,lexical")
    typed = t.deepen("predict", "a", "--input", "sentence1=It rains.", "--input", "sentence2=It pours.")
    wrong = t.deepen("predict", "a", "--text", "It rains.")
    return {
        "the printed command works": t.deepen(*t.printed(call)).code == 0,
        "--input name=text": typed.code == 0,
        "--text alone is answered with --input": wrong.code == 2 and "--input" in wrong.err,
    }


@expect(26, "a report")
def _(t: Stranger) -> Seen:
    t.train(t.table("hotels.csv", t.hotels(120), "review", "mood"), rungs="majority,lexical")
    page = t.text("a/report.html")
    return {
        "one small file that loads nothing": 0 < len(page) < 1_000_000 and not re.search(r"src=.http", page),
        "dark where the screen is": "prefers-color-scheme" in page,
        "in the language of the data": 'lang="zh' in page,
        "calibration and mistakes": "校准" in page and "错" in page,
    }


@expect(27, "confusions and slices")
def _(t: Stranger) -> Seen:
    rows = [(text, label, "north" if n % 3 else "south") for n, (text, label) in enumerate(t.films(400))]
    t.train(
        t.table("films.csv", rows, "review", "mood", "region"),
        "--columns",
        "text=review,label=mood",
        rungs="majority,lexical",
    )
    page = t.text("a/report.html")
    return {
        "which label is taken for which": "confus" in page.lower() or "taken for" in page.lower(),
        "slices by length": "length" in page.lower(),
        "slices by a column of mine": "region" in page and "south" in page,
    }


@expect(28, "curves, trackers")
def _(t: Stranger) -> Seen:
    call = t.run_of(80, rungs="majority,full", words=("--thorough", "--tracker", "tensorboard"))
    names = {json.loads(line)["name"] for line in t.lines("a/metrics.jsonl")}
    unknown = t.deepen("train", "films.csv", "--tracker", "tensorbord")
    told = call.code == 0 or "pip install" in call.err
    return {
        "loss and score by step": "validation" in names and '"loss"' in t.text("a/metrics.jsonl"),
        "drawn on the page": "<svg" in t.text("a/report.html"),
        "a tracker is told, or named with its install command": told,
        "a wrong tracker is answered with the right ones": unknown.code == 2 and "tensorboard" in unknown.err,
    }


@expect(29, "why this answer")
def _(t: Stranger) -> Seen:
    t.run_of(200, rungs="majority,lexical,frozen")
    said = t.deepen("predict", "a", "--text", "a wonderful and moving film", "--explain").out
    return {
        "words that carried it": "wonderful" in said.replace("a wonderful and moving film", "", 1),
        "the depth": "depth" in said or "frozen" in said or "lexical" in said,
        "similar training rows": "similar" in said or "analogies" in said,
    }


@expect(30, "what is wrong with model and data")
def _(t: Stranger) -> Seen:
    t.run_of(300, rungs="majority,lexical,frozen")
    found = t.deepen("diagnose", "a", "--json", "--questions", "depth,surface_cues").record.get("findings", [])
    t.table("test.csv", t.films(20) + t.films(60, skip=2000), "review", "mood")
    check = t.deepen("check", "films.csv", "--test", "test.csv")
    return {
        "verdicts": {each["verdict"] for each in found} <= {"shallow", "deep", "unclear", "not_applicable"} != set(),
        "with intervals": any(each["effect"] and "low" in each["effect"] for each in found),
        "leaks, with their lines": "test.csv" in check.said and "20" in check.said and "line" in check.said,
    }


@expect(31, "a model card")
def _(t: Stranger) -> Seen:
    t.run_of(120, words=("--set", "card.license=apache-2.0"))
    card = t.text("a/model/README.md")
    return {
        "language and licence": "language: en" in card.replace("\n- ", " ") and "license: apache-2.0" in card,
        "the score with its interval": bool(re.search(r"0\.\d+.{1,12}\[?0\.\d+", card)),
        "settings of the chosen rung alone": "\n  full:" not in card and len(card.splitlines()) < 250,
    }


@expect(32, "probabilities")
def _(t: Stranger) -> Seen:
    t.run_of(120)
    [one] = t.answers("--text", "a fine film")
    (
        t.deepen("predict", "a", "films.csv", "--out", "all.csv"),
        t.deepen("predict", "a", "films.csv", "--out", "top.csv", "--top"),
    )
    rows = [(text, "short|" + label if len(text) < 60 else label) for text, label in t.films(120)]
    t.train(t.table("many.csv", rows, "text", "labels"), "--task", "multilabel", rungs="majority,lexical", run="m")
    said = t.deepen("predict", "m", "--text", "a fine film").out
    return {
        "they add up to 1": abs(sum(one["probabilities"].values()) - 1) < 1e-3,
        "a column a label": {"p_good", "p_bad"} <= set(t.read("all.csv")[0]),
        "--top: one": "p_good" not in t.read("top.csv")[0],
        "several labels: each printed with its own": bool(re.search(r"0\.\d+", said)),
    }


@expect(33, "a threshold for a wanted recall or precision")
def _(t: Stranger) -> Seen:
    words = ("--set", "ladder.recall=0.9", "--set", "ladder.positive=bad")
    call = t.run_of(400, words=words)
    wrong = t.deepen("train", "films.csv", "--set", "ladder.recall=0.9", "--rungs", "majority")
    return {
        "what came of it is said": call.code == 0 and "recall" in call.said and "precision" in call.said,
        "without the label: asked for": wrong.code == 2 and "ladder.positive" in wrong.err,
    }


@expect(34, "several labels in a cell")
def _(t: Stranger) -> Seen:
    rows = [(text, "long|" + label if len(text) > 60 else label) for text, label in t.films(200)]
    rows = [(text, label if n % 3 else "long") for n, (text, label) in enumerate(rows)]
    call = t.train(t.table("many.csv", rows, "text", "labels"), rungs="majority,lexical")
    return {"taken for several, or said": t.task() == "multilabel" or "--task multilabel" in call.said}


@expect(35, "tasks from thirty rows")
def _(t: Stranger) -> Seen:
    sick = (t.data / "sick/SICK_train.txt").read_text(encoding="utf-8").splitlines()[1:31]
    pairs = [(a, b, label) for _, a, b, _, label in (line.split("\t") for line in sick)]
    posts = (t.data / "weibo_ner/weiboNER_2nd_conll.train").read_text(encoding="utf-8").split("\n\n")[:30]
    t.table("pairs.csv", pairs, "premise", "hypothesis", "label")
    t.table("faq.csv", [(a, b) for a, b, _ in pairs], "query", "document")
    t.file("names.conll", "\n\n".join(re.sub(r"\d\t", "\t", post) for post in posts) + "\n")
    seen = {}
    for name, task in (("pairs.csv", "matching"), ("faq.csv", "ranking"), ("names.conll", "tagging")):
        call = t.train(name, rungs="majority,lexical" if task != "ranking" else "lexical", run=task)
        seen[f"{task}: found, trained"] = call.code == 0 and t.task(task) == task
        seen[f"{task}: the printed command works"] = call.code == 0 and t.deepen(*t.printed(call)).code == 0
    return seen


@expect(37, "numbers as the target")
def _(t: Stranger) -> Seen:
    lines = (t.data / "sick/SICK_train.txt").read_text(encoding="utf-8").splitlines()[1:121]
    rows = [(line.split("\t")[1], line.split("\t")[3]) for line in lines]
    call = t.train(t.table("scores.csv", rows, "text", "score"), rungs="majority,lexical")
    names = {score["name"] for row in t.ladder()["rungs"] for score in [row["score"]] if score}
    named = re.search(r"--set (\S*(?:target|score|regress)\S*)|--task (\w+)", call.said)
    return {
        "learned as numbers, or the option that does so is named": bool(names & {"pearson", "mae", "spearman"} or named)
    }


@expect(38, "Chinese from end to end")
def _(t: Stranger) -> Seen:
    chinese = {"environment": {"DEEPEN_LANG": "zh"}}
    t.table("hotels.csv", t.hotels(200), "评论", "情感")
    call = t.train("hotels.csv", rungs="majority,lexical", **chinese)
    t.deepen("predict", "a", "hotels.csv", "--out", "out.csv", "--bom")
    wrong = t.deepen("train", "没有.csv", **chinese)
    lines = [line for line in call.said.splitlines() if line.strip()]
    english = [
        line
        for line in lines
        if not re.search(r"[\u4e00-\u9fff]", line) and len(re.findall(r"[a-z]{3,} [a-z]{3,}", line))
    ]
    return {
        f"no line of the training is English ({' / '.join(english)[:80]})": not english,
        "an error is Chinese": wrong.code == 2 and bool("不存在" in wrong.err),
        "--bom": (t.folder / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf"),
        "a multilingual model is named where the default reads English": "e5"
        in t.train("hotels.csv", run="b", rungs="majority,frozen", limit=200).said,
    }


@expect(41, "forms in and out")
def _(t: Stranger) -> Seen:
    t.run_of(100)
    films = [{"review": text} for text, _ in t.films(5)]
    t.file("new.jsonl", "\n".join(map(json.dumps, films)))
    t.file("new.txt", "\n".join(film["review"] for film in films))
    t.file("new.tsv", "review\n" + "\n".join(film["review"] for film in films))
    t.python(f"import pandas; pandas.DataFrame({films!r}).to_parquet('new.parquet')")
    seen = {end: len(t.answers(f"new.{end}")) == 5 for end in ("jsonl", "txt", "tsv", "parquet")}
    piped = t.facts(
        "import subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'deepen', 'predict', 'a', '-', '--json'],"
        " input=open('new.txt').read(), capture_output=True, text=True)\n"
        "facts['rows'] = len(json.loads(done.stdout)['predictions'])"
    )
    return seen | {"standard input": piped.get("rows") == 5}
