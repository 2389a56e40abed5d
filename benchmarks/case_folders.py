"""The situations of the case folders: small files that stand for what users of other tools met, and what is right."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from trial import Trial, Verdict, case, judge, worst


def texts(answers: list[dict[str, Any]], name: str = "text") -> list[str]:
    """The texts that were answered."""
    return [answer["inputs"][name] for answer in answers]


def found(answers: list[dict[str, Any]]) -> set[str]:
    """The texts of all entities that were found."""
    return {entity["text"] for answer in answers for entity in answer["entities"]}


def accepted(t: Trial, name: str) -> int:
    """How many lines of a Prodigy export were accepted."""
    return sum('"answer": "accept"' in line for line in t.lines(t.given(name)))


@case("01a", "Prodigy text export with answer accept / reject / ignore", "only accepted rows, or a warning")
def _(t: Trial) -> Verdict:
    num = accepted(t, "01-prodigy-answers/textcat.jsonl")
    call = t.train("textcat.jsonl")
    return judge(call, t.rows() == num, warned="reject", remedy="reject")


@case("01b", "Prodigy NER export: text, tokens, spans, answer", "tagging on text, rejects left out")
def _(t: Trial) -> Verdict:
    num = accepted(t, "01-prodigy-answers/ner.jsonl")
    call = t.train("ner.jsonl")
    return judge(call, t.task() == "tagging" and t.rows() == num, warned="reject", remedy="reject")


@case("01c", "the same, with the columns named", "rejects left out")
def _(t: Trial) -> Verdict:
    num = accepted(t, "01-prodigy-answers/ner.jsonl")
    call = t.train("ner.jsonl", "--columns", "tokens=text,label=spans", "--task", "tagging")
    return judge(call, t.rows() == num, warned="reject", remedy="reject")


@case("02a", "multi-label cells as [0, 0, 1, 0]", "labels by place, or a refusal")
def _(t: Trial) -> Verdict:
    call = t.train("02-multihot-and-numpy-lists/multihot.csv", "--task", "multilabel")
    return judge(call, len(t.labels()) == 4, remedy="0 (and|or|/) ?1|place|0/1")


@case("02b", "multi-label cells as Python prints lists", "the labels of the lists")
def _(t: Trial) -> Verdict:
    call = t.train("02-multihot-and-numpy-lists/plain.csv", "--task", "multilabel")
    return judge(call, {"crime", "drama", "comedy", "horror"} <= t.labels())


@case("02c", "several labels as <comedy><drama>", "split, or said that nothing parts them")
def _(t: Trial) -> Verdict:
    call = t.train("02-multihot-and-numpy-lists/tags.csv", "--task", "multilabel")
    right = {"crime", "drama"} <= t.labels()
    return judge(call, right, warned="separator|part(s|ed) |data.label_separator", remedy="separator|<")


SIX = {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}


@case("03a", "one 0/1 column for each label, no --task", "multilabel, or offered")
def _(t: Trial) -> Verdict:
    call = t.train("03-toxic-columns/train.csv")
    return judge(call, t.labels() == SIX, warned="multilabel", remedy="multilabel")


@case("03b", "the same with --task multilabel", "the six columns")
def _(t: Trial) -> Verdict:
    call = t.train("03-toxic-columns/train.csv", "--task", "multilabel")
    return judge(call, t.labels() == SIX, remedy=r"\+")


@case("03c", "the six columns named with +", "as asked")
def _(t: Trial) -> Verdict:
    call = t.train("03-toxic-columns/train.csv", "--task", "multilabel", "--columns", "label=" + "+".join(sorted(SIX)))
    return judge(call, t.labels() == SIX)


@case("04a", "0.0 and 1.0 in training, 0 and 1 in test", "the same labels")
def _(t: Trial) -> Verdict:
    t.given("04-int-float-labels/test.csv")
    call = t.train("04-int-float-labels/train.csv", "--test", "test.csv", rungs="majority,lexical")
    return judge(call, len(t.labels()) == 2 and t.test_score() > 0.9)


@case("04b", "0.0, 1.0, 0 and 1 in one file", "two labels")
def _(t: Trial) -> Verdict:
    call = t.train("04-int-float-labels/both.csv", rungs="majority,lexical")
    return judge(call, len(t.labels()) == 2, remedy="--labels")


def _numbered(t: Trial) -> None:
    t.train("05-no-header-then-header/train.tsv", rungs="majority,lexical")
    t.given("05-no-header-then-header/new.csv")
    t.given("05-no-header-then-header/test.csv")


@case("05a", "trained without a header; new rows with header id,text", "the column text is answered")
def _(t: Trial) -> Verdict:
    _numbered(t)
    answered = texts(t.answers("new.csv"))
    right = bool(answered) and len(answered) == 60 and not any(text.startswith("case ") for text in answered)
    return judge(t.calls[-1], right, remedy="--columns")


@case("05b", "the same run evaluated on a file with header label,text", "columns by name")
def _(t: Trial) -> Verdict:
    _numbered(t)
    call = t.deepen("evaluate", "a", "test.csv", "--json")
    good = any(score["name"] == "accuracy" and score["value"] > 0.9 for score in call.record.get("scores", []))
    return judge(call, good, remedy="--columns")


@case("05c", "--test with header label,text for training rows without one", "columns by name")
def _(t: Trial) -> Verdict:
    t.given("05-no-header-then-header/test.csv")
    call = t.train("05-no-header-then-header/train.tsv", "--test", "test.csv", rungs="majority,lexical")
    return judge(call, t.test_score() > 0.9, remedy="--columns")


@case("07", "a brat folder of .txt and .ann", "read, or named")
def _(t: Trial) -> Verdict:
    both = []
    for run, more in (("a", []), ("b", ["--task", "tagging"])):
        if not (t.folder / "texts").exists():
            (t.folder / t.given("07-brat-folder/brat")).rename(t.folder / "texts")
        call = t.train("texts", *more, run=run)
        both.append(judge(call, t.labels(run) == {"PER", "LOC"}, remedy="brat"))
    return worst(*both)


@case("08", "Sentence #,Word,POS,Tag with the number on first words only", "tagging, words joined to sentences")
def _(t: Trial) -> Verdict:
    rows, chance = ["Sentence #,Word,POS,Tag"], random.Random(0)
    for n in range(80):
        words = [
            ("Mara", "B-per"),
            ("Silva", "I-per"),
            ("flew", "O"),
            ("to", "O"),
            ("Oslo" if n % 2 else "Lyon", "B-geo"),
        ]
        words += [
            (word, "O") for word in chance.choices("with the old new red bag lamp seat today again my".split(), k=7)
        ]
        rows += [f"{'' if at else f'Sentence: {n + 1}'},{word},NN,{tag}" for at, (word, tag) in enumerate(words)]
    t.file("ner.csv", "\n".join(rows) + "\n")
    call = t.train("ner.csv", "--task", "tagging")
    return judge(call, t.labels() == {"per", "geo"} and t.rows() == 80, remedy="sentence|column file|one row a word")


@case("09a", "tokens and ner_tags saved by to_csv, as Python and numpy print lists", "tagging")
def _(t: Trial) -> Verdict:
    both = []
    for name in ("pandas", "numpy"):
        call = t.train(f"09-token-lists-in-csv/{name}.csv", run=name)
        right = t.task(name) == "tagging" and t.labels(name) == {"PER", "LOC"}
        both.append(judge(call, right, remedy="--task tagging|list"))
    return worst(*both)


@case("09b", "the same with --task tagging", "lists parsed")
def _(t: Trial) -> Verdict:
    both = []
    for name in ("pandas", "numpy"):
        call = t.train(f"09-token-lists-in-csv/{name}.csv", "--task", "tagging", run=name)
        both.append(judge(call, t.labels(name) == {"PER", "LOC"}, remedy="list"))
    return worst(*both)


def _column_files(t: Trial, *more: str) -> Verdict:
    each = []
    for name in ("io", "suffix"):
        call = t.train(f"10-tags-without-prefix/{name}.txt", *more, run=name)
        right = t.task(name) == "tagging" and {label.removesuffix("-B").removesuffix("-I") for label in t.labels(name)}
        each.append(judge(call, right == {"PER", "LOC"}, remedy="tagging|prefix|B-"))
    return worst(*each)


@case("10a", "column files with tags PER / O, and PER-B", "tagging")
def _(t: Trial) -> Verdict:
    return _column_files(t)


@case("10b", "the same with --task tagging", "tagging")
def _(t: Trial) -> Verdict:
    return _column_files(t, "--task", "tagging")


@case("10c", "word TAB part of speech", "tagging, or told")
def _(t: Trial) -> Verdict:
    call = t.train("10-tags-without-prefix/pos.tsv")
    return judge(call, t.task() == "tagging", remedy="tagging|part of speech|words", warned="--task tagging")


@case("11a", "CLUENER, doccano old and new, Label Studio JSON-MIN", "tagging")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("cluener.json", "doccano_new.jsonl", "doccano_old.jsonl", "labelstudio_min.json"):
        call = t.train(f"11-span-json-dialects/{name}", rungs="majority,lexical", run=(run := f"run-{name}"))
        right = t.task(run) == "tagging" and t.labels(run) == {"PER", "LOC"} and t.rows(run) == 200
        said = t.answers("--text", "Mara flew to Lyon", run=run)
        each += [judge(call, right), judge(t.calls[-1], {"Mara", "Lyon"} == found(said))]
    return worst(*each)


@case("11b", "Label Studio full JSON with spans", "read, or the way to JSON-MIN")
def _(t: Trial) -> Verdict:
    call = t.train("11-span-json-dialects/labelstudio.json")
    return judge(call, t.labels() == {"PER", "LOC"} and t.rows() == 200, remedy="JSON-MIN")


@case("11c", "spaCy tuples [text, {entities}]", "read, or named")
def _(t: Trial) -> Verdict:
    call = t.train("11-span-json-dialects/spacy_tuples.json")
    return judge(call, t.labels() == {"PER", "LOC"} and t.rows() == 200, remedy="spaCy")


@case("12a", "Label Studio choices, JSON-MIN and full", "read")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("ls_min", "ls"):
        call = t.train(f"12-classification-exports/{name}.json", run=name)
        each.append(judge(call, t.labels(name) == {"Praise", "Blame"}, remedy="JSON-MIN|label is empty"))
    return worst(*each)


@case("12b", "doccano lists with one label, some empty", "an error that names the rows, or they are left out")
def _(t: Trial) -> Verdict:
    call = t.train("12-classification-exports/doccano.jsonl")
    right = t.labels() == {"Praise", "Blame"} and "left out" in call.said
    dropped = t.train("doccano.jsonl", "--set", "data.bad_rows=drop", run="b")
    return worst(judge(call, right, remedy="empty.*drop"), judge(dropped, t.labels("b") == {"Praise", "Blame"}))


@case("12c", "spaCy cats {PRAISE: 1.0, BLAME: 0.0}", "read, or named")
def _(t: Trial) -> Verdict:
    call = t.train("12-classification-exports/spacy_cats.jsonl")
    return judge(call, t.labels() == {"PRAISE", "BLAME"}, remedy="cats.*spaCy|spaCy.*cats")


@case("13", "DataFrame.to_json in five forms", "read, or named with what to do")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("columns", "split", "table", "index", "lists"):
        call = t.train(f"13-pandas-json/{name}.json", run=name)
        right = t.labels(name) == {"0", "1"} and t.rows(name) == 200
        each.append(judge(call, right, remedy="orient|to_json|by columns"))
    return worst(*each)


@case("14a", "the header again in the middle of a glued file", "that row is noticed")
def _(t: Trial) -> Verdict:
    call = t.train("14-glued-csv/glued.csv")
    check = t.deepen("check", "glued.csv")
    named = r"header[^.]{0,40}(again|repeat|second|middle|once more|left out)"
    named += r"|(again|repeat\w*|copy of|same as)[^.]{0,40}header"
    right = t.labels() == {"good", "bad"} and bool(re.search(named, call.said))
    return worst(judge(call, right, warned=named, remedy=named), judge(check, bool(re.search(named, check.said))))


@case("14b", "Excel's sep=; line and a German header", "read")
def _(t: Trial) -> Verdict:
    return judge(t.train("14-glued-csv/excel.csv"), t.labels() == {"gut", "schlecht"} and t.rows() == 300)


@case("14c", "the index column of pandas", "ignored")
def _(t: Trial) -> Verdict:
    return judge(t.train("14-glued-csv/index.csv"), t.labels() == {"good", "bad"} and t.rows() == 300)


@case("14d", "labels that differ in case", "said")
def _(t: Trial) -> Verdict:
    call = t.deepen("check", "--json", t.given("14-glued-csv/case.csv"))
    return judge(call, any(one["code"] == "label_variants" for one in call.record.get("findings", [])))


@case("15", "quotes escaped with a backslash", "read, or told")
def _(t: Trial) -> Verdict:
    call = t.train("15-backslash-quotes/spark.csv")
    read = texts(t.answers("spark.csv")) if t.rows() == 300 else []
    right = t.rows() == 300 and t.labels() == {"good", "bad"} and not any("\\" in text for text in read)
    return judge(call, right, remedy="backslash")


@case("16a", "SMS spam: v1,v2,,, in cp1252", "v1 label, v2 text; the encoding named")
def _(t: Trial) -> Verdict:
    first = t.train("16-famous-csvs/spam.csv")
    call = t.train("spam.csv", "--set", "data.encoding=cp1252", run="b")
    right = t.labels("b") == {"ham", "spam"} and t.rows("b") == 300
    return worst(judge(first, t.labels() == {"ham", "spam"}, remedy="cp1252"), judge(call, right))


@case("16b", "Sentiment140: six columns, no header, sorted by label", "column 0 and column 5")
def _(t: Trial) -> Verdict:
    call = t.train("16-famous-csvs/tweets.csv")
    read = texts(t.answers("tweets.csv"))
    return judge(call, t.labels() == {"0", "4"} and len(read) == 300 and all(" says " in text for text in read))


@case("16c", "text;emotion lines in a .txt", "two columns")
def _(t: Trial) -> Verdict:
    call = t.train("16-famous-csvs/emotions.txt")
    return judge(call, t.labels() == {"joy", "anger"} and t.rows() == 300)


@case("17", "GBK, UTF-16, BOM with CRLF, cp1252 with semicolons", "read, or the encoding named")
def _(t: Trial) -> Verdict:
    each = []
    for name, encoding in (("gbk.csv", "gb18030"), ("utf16.txt", ""), ("bom_crlf.csv", ""), ("cp1252.csv", "cp1252")):
        call = t.train(f"17-encodings/{name}", run=f"{name}-a")
        right = len(t.labels(f"{name}-a")) == 2 and t.rows(f"{name}-a") in (300, 301)
        each.append(judge(call, right, remedy=encoding or "utf-16"))
        if encoding:
            call = t.train(name, "--set", f"data.encoding={encoding}", run=f"{name}-b")
            each.append(judge(call, len(t.labels(f"{name}-b")) == 2 and t.rows(f"{name}-b") == 300))
    return worst(*each)


@case("18a", "a libsvm file", "numbers, no text")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/data.svm"), False, remedy="libsvm|numbers", warned="libsvm")


@case("18b", "a Rasa YAML file", "named, with what to do")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/nlu.yml"), t.task() == "classification", remedy="Rasa|YAML")


@case("18c", "fastText with one label a line", "read")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/fasttext.txt"), t.labels() == {"good", "bad"} and t.rows() == 300)


@case("18d", "fastText with several labels a line", "multilabel, or the way there; with --task both labels")
def _(t: Trial) -> Verdict:
    call = t.train("18-other-formats/fasttext_multi.txt")
    right = t.task() == "multilabel" and "crime" in t.labels()
    asked = t.train("fasttext_multi.txt", "--task", "multilabel", run="b")
    two = "crime" in t.labels("b") and len(t.labels("b")) < 8 and t.rows("b") == 300
    return worst(judge(call, right, remedy="multilabel"), judge(asked, two))


@case("18e", "an Excel workbook", "read, or named")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/book.xlsx"), len(t.labels()) == 2, remedy="Excel")


@case("18f", "spaCy's DocBin", "named")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/corpus.spacy"), False, remedy="spaCy|binary")


@case("18g", "a folder as datasets saves it", "read, split named")
def _(t: Trial) -> Verdict:
    return judge(t.train("18-other-formats/saved"), len(t.labels()) == 2)


@case("20", "Quora pairs with one empty question; test rows without labels", "pairs; the row named or left out")
def _(t: Trial) -> Verdict:
    call = t.train("20-quora-pairs/train.csv")
    right = t.task() == "matching" and "left out" in call.said
    dropped = t.train("train.csv", "--set", "data.bad_rows=drop", run="b")
    answered = t.answers(t.given("20-quora-pairs/test.csv"), run="b")
    pairs = [answer["inputs"] for answer in answered]
    good = len(pairs) >= 39 and all(pair["sentence1"].strip() != pair["sentence2"].strip() for pair in pairs)
    empty = "line.*empty"
    return worst(judge(call, right, remedy=empty), judge(dropped, t.task("b") == "matching"), judge(t.calls[-1], good))


@case("21a", "texts that are nan, as astype(str) writes them", "warned")
def _(t: Trial) -> Verdict:
    call = t.deepen("check", t.given("21-nan-text/a.csv"), "--json")
    codes = {one["code"] for one in call.record.get("findings", [])}
    return judge(call, bool(codes & {"placeholder", "empty_text"}))


@case("21b", "labels called null and NA", "kept")
def _(t: Trial) -> Verdict:
    return judge(t.train("21-nan-text/null.csv"), t.labels() == {"null", "NA"} and t.rows() == 300)


@case("22", "WikiANN's en: before every token", "taken off, or a warning")
def _(t: Trial) -> Verdict:
    call = t.train("22-wikiann-prefix/train", rungs="majority,lexical")
    names = found(t.answers("--text", "Mara flew to Lyon"))
    return judge(call, names == {"Mara", "Lyon"}, warned=r"['\"`]en:", remedy=r"['\"`]en:")


@case("23", "CoNLL-U with entities in MISC", "tagging, or said that it is CoNLL-U")
def _(t: Trial) -> Verdict:
    call = t.train("23-conllu/train.conllu")
    asked = t.train("train.conllu", "--task", "tagging", run="b")
    each = [
        judge(call, t.task() == "tagging" and t.labels() == {"PER", "LOC"}, remedy="CoNLL-U"),
        judge(asked, t.labels("b") == {"PER", "LOC"}, remedy="CoNLL-U"),
    ]
    return worst(*each)


@case("24", "three percent of one class, hardly marked", "not called a success")
def _(t: Trial) -> Verdict:
    call = t.train("24-rare-class/a.csv", rungs="majority,lexical")
    return judge(call, "imbalance" in call.said or "flatters" in call.said)


@case("25", "the cue after the place where the encoder stops reading", "said, and marked in the answers")
def _(t: Trial) -> Verdict:
    call = t.train("25-cue-at-the-end/a.csv", "--model", str(t.tiny), rungs="majority,frozen")
    answer = t.answers("--rung", "frozen", t.given("25-cue-at-the-end/one.txt"))
    right = "cut" in call.said and all(one["truncated"] for one in answer) and len(answer) == 1
    return judge(call, right)


@case("26", "entities after emoji, no-break space, zero width, CRLF", "cut from the text as given")
def _(t: Trial) -> Verdict:
    call = t.train("26-ner-offsets/train.txt", rungs="majority,lexical")
    given = [json.loads(line)["text"] for line in t.lines(t.given("26-ner-offsets/odd.jsonl"))]
    answers = t.answers("odd.jsonl")
    right = len(answers) == len(given)
    for text, answer in zip(given, answers, strict=False):
        right &= len(answer["output"]) == len(answer["inputs"]["tokens"]) and not answer["truncated"]
        for one in answer["entities"]:
            right &= text[one["start"] : one["end"]] == one["text"] and not re.search(r"^\s|\s$", one["text"])
        right &= {"Mara", "Oslo"} <= {
            re.sub(r"[^A-Za-z]", "", one["text"]) for one in answer["entities"]
        } or "Mara" not in text
    return worst(judge(call, True), judge(t.calls[-1], right))


@case("27a", "white space at the edge of a span", "trimmed")
def _(t: Trial) -> Verdict:
    call = t.train("27-spans-that-do-not-fit/space.jsonl", rungs="majority,lexical")
    return judge(call, found(t.answers("--text", "Rosa flew to Ghent")) == {"Rosa", "Ghent"})


@case("27b", "two labels on one span; nested spans; beyond the end", "said, with the line")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("twice", "nested", "beyond"):
        call = t.train(f"27-spans-that-do-not-fit/{name}.jsonl", run=name)
        each.append(judge(call, "left out" in call.said, remedy=r"line \d+.*(overlap|range|end|long|characters)"))
        check = t.deepen("check", f"{name}.jsonl", "--json")
        each.append(
            judge(check, "empty_file" not in check.out, remedy=r"line \d+") if not check.record else judge_check(check)
        )
    return worst(*each)


def judge_check(check: Any) -> Verdict:
    """A check of spans that don't fit must not call the file empty."""
    if check.crashed:
        return judge(check, False)
    return ("CONFUSING", "empty_file") if "empty_file" in check.out else ("RIGHT", "")


@case("28", "the same texts in another order", "the same answers, in order")
def _(t: Trial) -> Verdict:
    call = t.train(
        "28-batch-and-order/train.csv", "--model", str(t.tiny), "--thorough", rungs="majority,lexical,frozen"
    )
    there, back = (
        t.answers(t.given(f"28-batch-and-order/new{end}.jsonl"), "--rung", "frozen") for end in ("", "_reversed")
    )
    same = [one["output"] for one in there] == [one["output"] for one in back][::-1] and len(there) == 80
    near = all(
        abs(one["probabilities"][label] - two["probabilities"][label]) < 1e-4
        for one, two in zip(there, reversed(back), strict=True)
        for label in one["probabilities"]
    )
    return judge(call, same and near and texts(there) == texts(back)[::-1])


@case("29", "rows without a text in a file to predict", "one answer or said gap a row, with its id and line")
def _(t: Trial) -> Verdict:
    t.train("29-dropped-rows-in-predict/train.csv", rungs="majority,lexical")
    call = t.deepen("predict", "a", t.given("29-dropped-rows-in-predict/new.csv"), "--json")
    rows = call.record.get("predictions", [])
    right = len(rows) == 10 and [(row.get("row") or {}).get("line") for row in rows] == list(range(2, 12))
    right = right and sum("skipped" in row for row in rows) > 0
    t.file("own.csv", "id,text\nK-7,a handy lamp\nK-8,\nK-9,a stale lamp\n")
    own = t.deepen("predict", "a", "own.csv", "--json").record.get("predictions", [])
    right = right and [(row.get("row") or {}).get("id") for row in own] == ["K-7", "K-8", "K-9"]
    out = t.deepen("predict", "a", "new.csv", "--out", "p.csv")
    table = t.lines("p.csv")
    kept = len(table) == 11 and "order" in table[0].split(",") and "K-0" in table[1]
    return worst(judge(call, right), judge(out, kept))


@case("30", "a label of the test rows that training never saw", "said before training; such rows can be left out")
def _(t: Trial) -> Verdict:
    t.given("30-class-of-one/test.csv")
    call = t.train("30-class-of-one/train.csv", "--test", "test.csv")
    dropped = t.train("train.csv", "--test", "test.csv", "--set", "data.bad_rows=drop", run="c")
    t.train("train.csv", run="d")
    evaluated = t.deepen("evaluate", "d", "test.csv", "--set", "data.bad_rows=drop")
    left = "left out|not in the training data"
    return worst(
        judge(call, bool(re.search(left, call.said)), remedy="line.*not in the training data"),
        judge(dropped, bool(re.search(left, dropped.said))),
        judge(evaluated, bool(re.search(left, evaluated.said))),
    )


@case("31", "half of the test rows are training rows", "said")
def _(t: Trial) -> Verdict:
    t.given("31-test-rows-in-train/test.csv")
    call = t.train("31-test-rows-in-train/train.csv", "--test", "test.csv")
    return judge(call, "are in train too" in call.said)


@case("32", "one seed twice", "the same answers")
def _(t: Trial) -> Verdict:
    answers = []
    for run in ("a", "b"):
        call = t.train("32-twice-the-same/train.csv", "--model", str(t.tiny), rungs="majority,lexical,frozen", run=run)
        lines = t.lines(f"{run}/rungs/frozen/predictions-validation.jsonl")
        answers.append([{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines])
    return judge(call, answers[0] == answers[1] and bool(answers[0]))


@case("33", "labels turned round in a file of the same name, size and time", "no old rows; --resume refuses")
def _(t: Trial) -> Verdict:
    t.given("33-file-changed/v1.csv")
    t.given("33-file-changed/v2.csv")
    t.file("data.csv", (t.folder / "v1.csv").read_bytes())
    t.train("data.csv", rungs="majority,lexical")
    first = t.answers("--text", "crisp bright handy lamp")
    t.file("data.csv", (t.folder / "v2.csv").read_bytes())
    resumed = t.train("data.csv", "--resume", rungs="majority,lexical")
    call = t.train("data.csv", rungs="majority,lexical", run="b")
    second = t.answers("--text", "crisp bright handy lamp", run="b")
    other = bool(first and second) and first[0]["output"] != second[0]["output"]
    return worst(judge(call, other), judge(resumed, False, remedy="other (train )?rows|--overwrite"))
