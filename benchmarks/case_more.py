"""More of each kind than the case folders and the attack wrote down: other headers, other exports, other bombs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from dataclasses import replace

from case_faults import THINGS, a_run, rows, texts
from trial import Trial, Verdict, case, judge, worst

REVIEWS = [(f"{text} at {n * 37 % 101} o'clock", label) for n, (text, label) in enumerate(rows(200, seed=3))]


def csv_of(some: list[tuple[object, ...]], sign: str = ",") -> str:
    """Rows as a table."""
    out = io.StringIO()
    csv.writer(out, delimiter=sign, lineterminator="\n").writerows(some)
    return out.getvalue()


# --- headers --------------------------------------------------------------------------------------------------------

HEADERS = (
    ("Consumer complaint narrative", "Product"),
    ("airline_tweet", "airline_sentiment"),
    ("v2", "v1"),
    ("comment_text", "toxic"),
    ("отзыв", "оценка"),
    ("レビュー", "評価"),
    ("reseña", "polaridad"),
    ("Message", "Spam?"),
    ("what they wrote", "what it is"),
    ("Q1", "Q2"),
    ("0", "1"),
    ("REVIEW_TXT", "CLS_CD"),
    ("body", "is_bad"),
    ("Unnamed: 1", "Unnamed: 2"),
    ("text_a", "gold"),
)


@case("G01", "fifteen headers in own words", "the first row is a header")
def _(t: Trial) -> Verdict:
    each = []
    for number, header in enumerate(HEADERS):
        for sign, end in ((",", "csv"), ("\t", "tsv")):
            name = t.file(f"h{number}.{end}", csv_of([header, *REVIEWS], sign))
            call = t.train(name, run=(run := f"r{number}{end}"))
            each.append(judge(call, t.rows(run) == 200 and t.labels(run) == {"good", "bad"}))
    return worst(*each)


@case("G02", "no header, and the first row is odd: a rare label, a short text, capitals", "a row, or said")
def _(t: Trial) -> Verdict:
    each = []
    for number, first in enumerate(
        (("the only one of its kind was seen", "mixed"), ("Fine", "good"), ("OK", "good"), ("GREAT FILM", "good"))
    ):
        call = t.train(t.file(f"n{number}.csv", csv_of([first, *REVIEWS])), run=(run := f"r{number}"))
        each.append(judge(call, t.rows(run) == 201, warned="header"))
    return worst(*each)


@case("G03", "a header with three columns, ids first, dates last", "header, the right two columns")
def _(t: Trial) -> Verdict:
    made = [("Fall-Nr", "Beschwerdetext", "Abteilung", "Eingang")]
    made += [(f"F-{n}", text, label, f"2024-03-{n % 28 + 1:02}") for n, (text, label) in enumerate(REVIEWS)]
    call = t.train(t.file("f.csv", csv_of(made, ";")))
    return judge(call, t.rows() == 200 and t.labels() == {"good", "bad"})


# --- predict reads as training did ------------------------------------------------------------------------------------


@case("G04", "trained on a CSV with a header; new files of seven other forms", "the texts, whole")
def _(t: Trial) -> Verdict:
    a_run(t)
    want = ["one, two and three was fine", "poor; really poor", "I said | it was awful"]
    forms = {
        "a.txt": "\n".join(want) + "\n",
        "crlf.txt": "\r\n".join(want) + "\r\n",
        "bom.txt": "\ufeff" + "\n".join(want) + "\n",
        "no-end.txt": "\n".join(want),
        "a.jsonl": "\n".join(json.dumps({"text": text}) for text in want),
        "a.json": json.dumps([{"text": text} for text in want]),
        "list.json": json.dumps(want),
        "a.csv": csv_of([("text",), *((text,) for text in want)]),
        "ids.csv": csv_of([("id", "text"), *((n, text) for n, text in enumerate(want))]),
        "a.tsv": csv_of([("text", "x"), *((text, 1) for text in want)], "\t"),
    }
    each = []
    for name, content in forms.items():
        read = texts(t, t.file(name, content))
        each.append(judge(t.calls[-1], read == want))
    return worst(*each)


@case("G05", "trained on __label__ lines, on label-first lines, on tabs; new files of plain lines", "the lines, whole")
def _(t: Trial) -> Verdict:
    want = ["good morning said the train", "bad luck, was it", "fine: good and so on", "good food"]
    made = {
        "ft.txt": "".join(f"__label__{label} {text}\n" for text, label in REVIEWS),
        "led.txt": "".join(f"{label} {text}\n" for text, label in REVIEWS),
        "tab.tsv": csv_of(REVIEWS, "\t"),
        "rows.jsonl": "\n".join(json.dumps({"text": text, "label": label}) for text, label in REVIEWS),
        "semi.txt": "".join(f"{text};{label}\n" for text, label in REVIEWS),
    }
    t.file("new.txt", "\n".join(want) + "\n")
    each = []
    for name, content in made.items():
        call = t.train(t.file(name, content), rungs="majority,lexical", run=(run := f"run-{name}"))
        read = [answer["inputs"]["text"] for answer in t.answers("new.txt", run=run)]
        each += [judge(call, t.labels(run) == {"good", "bad"}), judge(t.calls[-1], read == want)]
    return worst(*each)


@case("G06", "a tagger is given plain sentences, one a line", "each line is a sentence")
def _(t: Trial) -> Verdict:
    chance = random.Random(0)
    blocks = []
    for n in range(80):
        words = [("Mara", "B-PER"), ("flew", "O"), ("to", "O"), (("Oslo", "Lyon")[n % 2], "B-LOC")]
        words += [(chance.choice(THINGS), "O") for _ in range(6)]
        blocks.append("\n".join(f"{word} {tag}" for word, tag in words))
    call = t.train(t.file("train.conll", "\n\n".join(blocks) + "\n"), rungs="majority,lexical")
    want = ["Mara flew to Lyon", "the train, Mara said, is late", "no one flew"]
    answers = t.answers(t.file("new.txt", "\n".join(want) + "\n"))
    return worst(judge(call, True), judge(t.calls[-1], [answer["inputs"].get("text") for answer in answers] == want))


@case("G07", "trained in cp1252; new files in UTF-8 and in cp1252", "read, or the encoding named")
def _(t: Trial) -> Verdict:
    made = csv_of([("text", "label"), *((f"{text} café", label) for text, label in REVIEWS)])
    t.train(t.file("train.csv", made.encode("cp1252")), "--set", "data.encoding=cp1252", rungs="majority,lexical")
    each = []
    for encoding in ("cp1252", "utf-8"):
        read = texts(t, t.file(f"{encoding}.txt", "the café was fine\nle thé était bon\n".encode(encoding)))
        each.append(
            judge(
                t.calls[-1],
                read == ["the café was fine", "le thé était bon"],
                remedy="utf-8|encoding",
                warned="utf-8|encoding",
            )
        )
    return worst(*each)


@case("G08", "text columns in another order, renamed, in capitals", "by name, or an error that names the columns")
def _(t: Trial) -> Verdict:
    made = [("title", "body", "topic")] + [(f"title {n}", text, label) for n, (text, label) in enumerate(REVIEWS)]
    t.train(t.file("train.csv", csv_of(made)), "--columns", "text=title+body,label=topic", rungs="majority,lexical")
    each = []
    for number, header in enumerate(
        (("topic", "body", "title"), ("Title", "Body", "Topic"), ("headline", "body", "topic"))
    ):
        new = [
            tuple({"topic": label, "body": text, "title": "title x"}.get(name.lower(), "title x") for name in header)
            for text, label in REVIEWS[:5]
        ]
        read = texts(t, t.file(f"n{number}.csv", csv_of([header, *new])))
        right = bool(read) and all(text.startswith("title x") and " was " in text for text in read)
        each.append(judge(t.calls[-1], right, remedy="title|headline|columns"))
    return worst(*each)


# --- JSON that tools write --------------------------------------------------------------------------------------------


@case("G09", "JSON in ten more wrappings", "the rows, or named")
def _(t: Trial) -> Verdict:
    objects = [{"text": text, "label": label} for text, label in REVIEWS]
    forms = {
        "blank-lines": "\n\n".join(map(json.dumps, objects)),
        "bom": "\ufeff" + json.dumps(objects),
        "pretty": json.dumps(objects, indent=2),
        "glued": "".join(map(json.dumps, objects)),
        "commas": ",\n".join(map(json.dumps, objects)),
        "viewer": json.dumps(
            {
                "rows": [{"row_idx": n, "row": row, "truncated_cells": []} for n, row in enumerate(objects)],
                "features": [],
            }
        ),
        "source": json.dumps({"hits": {"hits": [{"_id": str(n), "_source": row} for n, row in enumerate(objects)]}}),
        "lists": json.dumps([["text", "label"], *([row["text"], row["label"]] for row in objects)]),
        "values": json.dumps({"columns": ["text", "label"], "data": [[row["text"], row["label"]] for row in objects]}),
        "by-label": json.dumps(
            {label: [row["text"] for row in objects if row["label"] == label] for label in ("good", "bad")}
        ),
        "deep": json.dumps({"a": {"b": {"items": objects}}}),
        "concatenated-lists": json.dumps(objects[:100]) + json.dumps(objects[100:]),
    }
    each = []
    for name, content in forms.items():
        call = t.train(t.file(f"{name}.json", content), run=f"run-{name}")
        right = t.rows(f"run-{name}") == 200 and t.labels(f"run-{name}") == {"good", "bad"}
        each.append(
            judge(
                call,
                right,
                warned="data.header",
                remedy=r"one object a line|a list|keys are|'rows'|'hits'|columns are|line \d+|holds",
            )
        )
    return worst(*each)


@case("G10", "NER JSON of six more tools", "tagging, or named")
def _(t: Trial) -> Verdict:
    chance = random.Random(1)
    sentences = []
    for n in range(80):
        where = ("Oslo", "Lyon", "Riga")[n % 3]
        rest = " ".join(chance.choice(THINGS) for _ in range(6))
        sentences.append((f"Mara flew to {where} {rest}", [(0, 4, "PER"), (13, 17, "LOC")]))
    forms = {
        "tecoholic": json.dumps(
            {
                "classes": ["PER", "LOC"],
                "annotations": [[s, {"entities": [list(e) for e in es]}] for s, es in sentences],
            }
        ),
        "ubiai": json.dumps(
            [
                {"document": s, "tokens": [], "annotation": [{"start": a, "end": b, "label": k} for a, b, k in es]}
                for s, es in sentences
            ]
        ),
        "huggingface": "\n".join(
            json.dumps({"tokens": s.split(), "ner_tags": ["B-PER", "O", "O", "B-LOC"] + ["O"] * 6})
            for s, _ in sentences
        ),
        "entities": "\n".join(
            json.dumps({"text": s, "entities": [{"start": a, "end": b, "type": k} for a, b, k in es]})
            for s, es in sentences
        ),
        "spans": "\n".join(
            json.dumps({"text": s, "spans": [{"start": a, "end": b, "label": k} for a, b, k in es]})
            for s, es in sentences
        ),
        "labels": "\n".join(json.dumps({"text": s, "labels": [list(e) for e in es]}) for s, es in sentences),
        "gliner": json.dumps(
            [{"tokenized_text": s.split(), "ner": [[0, 0, "PER"], [3, 3, "LOC"]]} for s, _ in sentences]
        ),
    }
    each = []
    for name, content in forms.items():
        call = t.train(t.file(f"{name}.json", content), run=f"run-{name}")
        right = (
            t.task(f"run-{name}") == "tagging"
            and t.labels(f"run-{name}") == {"PER", "LOC"}
            and t.rows(f"run-{name}") == 80
        )
        each.append(judge(call, right, remedy="columns|keys|span|entities|tokens|a list|annotation"))
    return worst(*each)


@case("G11", "Label Studio: cancelled and several annotations, none", "counted once, none said")
def _(t: Trial) -> Verdict:
    made = []
    for n, (text, label) in enumerate(REVIEWS):
        result = [{"type": "choices", "value": {"choices": [label.title()]}, "from_name": "s", "to_name": "t"}]
        wrong = [{"type": "choices", "value": {"choices": ["Wrong"]}, "from_name": "s", "to_name": "t"}]
        made.append(
            {
                "id": n,
                "data": {"text": text},
                "annotations": [{"was_cancelled": True, "result": wrong}, {"was_cancelled": False, "result": result}],
            }
        )
    call = t.train(t.file("ls.json", json.dumps(made)))
    return judge(call, t.labels() == {"Good", "Bad"} and t.rows() == 200, remedy="cancelled|annotations")


# --- labels -----------------------------------------------------------------------------------------------------------


@case("G12", "labels as 1, ' 1', '1.0', '\uff11', True, true, TRUE, yes, Yes", "joined, or said")
def _(t: Trial) -> Verdict:
    each = []
    for number, spellings in enumerate(
        (
            ("1", " 1", "1.0", "0"),
            ("1", "\uff11", "1", "0"),
            ("True", "true", "TRUE", "False"),
            ("Yes", "yes", "yes ", "no"),
        )
    ):
        made = [("text", "label")] + [
            (text, spellings[3] if label == "bad" else spellings[n // 2 % 3]) for n, (text, label) in enumerate(REVIEWS)
        ]
        call = t.train(t.file(f"l{number}.csv", csv_of(made)), run=f"r{number}")
        each.append(judge(call, len(t.labels(f"r{number}")) == 2, warned="spelling|two ways|variants|one label"))
    return worst(*each)


@case("G13", "the test file spells the labels otherwise: True for true, 1 for 1.0, Good for good", "the same, or told")
def _(t: Trial) -> Verdict:
    each = []
    for number, (one, two) in enumerate((("true", "True"), ("1.0", "1"), ("good", "Good"), ("1", "1.0"), ("1", "01"))):
        other = {"true": "false", "True": "False", "1.0": "0.0", "1": "0", "good": "bad", "Good": "Bad", "01": "00"}
        train = [("text", "label")] + [(text, one if label == "good" else other[one]) for text, label in REVIEWS]
        test = [("text", "label")] + [
            (text, two if label == "good" else {"1.0": "0.0"}.get(two, other[two])) for text, label in rows(60, seed=9)
        ]
        t.file(f"test{number}.csv", csv_of(test))
        call = t.train(
            t.file(f"train{number}.csv", csv_of(train)),
            "--test",
            f"test{number}.csv",
            rungs="majority,lexical",
            run=f"r{number}",
        )
        right = len(t.labels(f"r{number}")) == 2 and t.test_score(run=f"r{number}") > 0.9
        each.append(judge(call, right, remedy="did you mean|--labels"))
    return worst(*each)


@case("G14", "a column that counts 1, 2, 3 as the only label candidate", "warned, or refused")
def _(t: Trial) -> Verdict:
    made = [("nr", "review")] + [(n + 1, text) for n, (text, _) in enumerate(REVIEWS)]
    call = t.train(t.file("n.csv", csv_of(made)))
    return judge(call, False, warned="count|number|1, 2, 3", remedy="count|number|label|column|rows")


@case("G15", "sentence pairs with whole-number scores 0 to 5; ratings -2 to 2; scores as 3,5", "said")
def _(t: Trial) -> Verdict:
    each = []
    for number, values in enumerate((range(6), range(-2, 3), ("0,5", "1,5", "2,25", "3,75"))):
        held = list(values)
        made = [("text", "score")] + [(text, held[n % len(held)]) for n, (text, _) in enumerate(REVIEWS)]
        call = t.train(t.file(f"s{number}.csv", csv_of(made)), run=f"r{number}")
        scored = any(
            row["score"]["name"] == "pearson" for row in t.ladder(f"r{number}").get("rungs", []) if row["score"]
        )
        each.append(
            judge(
                call,
                scored,
                warned="whole numbers|target=score|as scores|as classes|numbers in order|decimal comma",
                remedy="comma|score",
            )
        )
    return worst(*each)


# --- bombs: 3 MB at most, next to nothing to do -----------------------------------------------------------------------


def bounded(t: Trial, name: str, content: str | bytes, *words: str, rows: int = 0) -> Verdict:
    """A check that must end soon and small; each of so many rows may take 25 microseconds more."""
    call = t.deepen("check", t.file(name, content), *words, limit=60, memory=3 << 30)
    call = replace(call, cpu=call.cpu - 25e-6 * rows)
    return judge(
        call, True, remedy="line|large|long|many|rows|column|label|empty|text|damaged|binary|cell|FILE", quick=True
    )


@case("G16", "a gzip file of a few kilobytes that holds a gigabyte", "refused, or bounded")
def _(t: Trial) -> Verdict:
    def zipped(block: bytes, times: int) -> bytes:
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as file:
            for _ in range(times):
                file.write(block)
        return out.getvalue()

    return worst(
        bounded(t, "zeros.csv.gz", zipped(b"\0" * (1 << 20), 1000)),
        bounded(t, "line.csv.gz", zipped(b"a" * (1 << 20), 600)),
        bounded(t, "newlines.txt.gz", zipped(b"\n" * (1 << 20), 300)),
        bounded(t, "quote.csv.gz", zipped(b'"a,b\n' * (1 << 18), 200)),
    )


@case("G17", "Parquet files that expand: one value a hundred million times, deep lists", "refused, or bounded")
def _(t: Trial) -> Verdict:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    def written(table: pa.Table) -> bytes:
        out = io.BytesIO()
        pq.write_table(table, out)
        return out.getvalue()

    long = pa.array(["a" * 200_000])
    index = pa.array(np.zeros(20_000, dtype=np.int32))
    one = pa.DictionaryArray.from_arrays(index, long)
    nested = [[[[[[[[["x"]]]]]]]]]
    return worst(
        bounded(t, "dictionary.parquet", written(pa.table({"text": one, "label": one}))),
        bounded(t, "deep.parquet", written(pa.table({"text": nested * 50, "label": ["a", "b"] * 25}))),
        bounded(t, "wide.parquet", written(pa.table({f"c{n}": ["a"] for n in range(5000)}))),
    )


@case("G18", "texts on which careless patterns take for ever", "bounded")
def _(t: Trial) -> Verdict:
    long = 60_000
    bad = (
        "a" * long + "!",
        "1" * long,
        "1 " * (long // 2),
        "-" * long,
        " " * long + "x",
        "a@" * (long // 2),
        "<" * long,
        "&" * long,
    )
    bad += (
        "&#" * (long // 2),
        "((" * (long // 2),
        "http://" + "a." * (long // 2),
        "\u3000" * long + "x",
        "a." * (long // 2) + "@",
        "+1-" * (long // 3),
    )
    bad += (
        "\ufdfa" * 20_000,
        "A1" * (long // 2),
        "__label__ " * 6000,
        "\t" * 5000 + "x",
        "[" * long,
        '"' * 999,
        "4" + "0 " * (long // 2),
        "DE" * (long // 2),
    )
    each = []
    for number, text in enumerate(bad):
        made = "\n".join(
            json.dumps({"text": one, "label": label})
            for one, label in [*REVIEWS[:40], (text, "good"), (text + "x", "bad")]
        )
        each.append(bounded(t, f"p{number}.jsonl", made))
    return worst(*each)


@case("G19", "3 MB of one line, of newlines, of quotes, of commas, of one sentence of tags", "bounded")
def _(t: Trial) -> Verdict:
    size = 3_000_000
    return worst(
        bounded(t, "line.txt", "word " * (size // 5)),
        bounded(t, "newlines.csv", "\n" * size),
        bounded(t, "quotes.csv", '"' * size),
        bounded(t, "commas.csv", "," * size),
        bounded(t, "pairs.csv", "a,b\n" * (size // 4), rows=size // 4),
        bounded(t, "tags.conll", "Mara B-PER\n" * (size // 11)),
        bounded(t, "tabs.tsv", "\t\n" * (size // 2)),
        bounded(t, "unclosed.csv", "text,label\n" + '"a fine film,good\n' * 100_000, rows=100_000),
        bounded(t, "brackets.json", "[" * size),
        bounded(t, "objects.json", "[" + "{}," * (size // 3) + "{}]"),
        bounded(t, "numbers.json", "[" + "1," * (size // 2) + "1]"),
        bounded(t, "spaces.txt", (" " * 100 + "\n") * 20_000),
    )


@case("G20", "as many labels as rows, one label a hundred thousand times, copies of one text", "bounded")
def _(t: Trial) -> Verdict:
    return worst(
        bounded(t, "labels.csv", "text,label\n" + "".join(f"text {n},label {n}\n" for n in range(60_000))),
        bounded(t, "same.csv", "text,label\n" + "the very same text,good\nthe very same text,bad\n" * 30_000),
        bounded(
            t,
            "near.csv",
            "text,label\n" + "".join(f"the very same long text of a film {n},{'ab'[n % 2]}\n" for n in range(20_000)),
        ),
    )


# --- what stands in a run ---------------------------------------------------------------------------------------------


@case("G21", "labels and texts with HTML, Markdown and escapes in report, card and terminal", "never raw")
def _(t: Trial) -> Verdict:
    evil = {"good": "<img src=x onerror=alert(1)>", "bad": "![x](http://evil/x.png) | `a` \x1b[31m"}
    made = [{"text": f"{text} <script>alert(2)</script>", "label": evil[label]} for text, label in REVIEWS]
    call = t.train(t.file("e.jsonl", "\n".join(map(json.dumps, made))), rungs="majority,lexical")
    page, card = "\n".join(t.lines("a/report.html")), "\n".join(t.lines("a/model/README.md"))
    said = t.deepen("predict", "a", "--text", "was fine").said + call.said + t.deepen("evaluate", "a", "e.jsonl").said
    raw = [
        name
        for name, where in (("report", page), ("card", card))
        if "<img src=x" in where.replace("`<img src=x onerror=alert(1)>`", "") or "<script>alert(2)" in where
    ]
    raw += ["card"] if "![x](http" in re.sub(r"`[^`\n]*`", "", card) else []  # a span of code shows no picture
    raw += ["terminal"] if "\x1b[31m" in said else []
    return ("WRONG", f"raw in {', '.join(raw)}") if raw or not page else judge(call, True)


@case("G22", "predict --out onto the data through a link, another spelling, in a folder", "refused")
def _(t: Trial) -> Verdict:
    a_run(t)
    before = (t.folder / "train.csv").read_bytes()
    (t.folder / "link.csv").symlink_to("train.csv")
    each = []
    for out in ("link.csv", "./train.csv", "a/../train.csv", "a/ladder.jsonl", "a"):
        call = t.deepen("predict", "a", "train.csv", "--out", out)
        if (t.folder / "train.csv").read_bytes() != before:
            return "WRONG", f"--out {out}: the data are overwritten"
        each.append(judge(call, out == "a/ladder.jsonl", remedy="rows themselves|other name|another name|end in"))
    return worst(*each)
