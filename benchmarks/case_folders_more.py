"""The situations of the case folders, from 34 on."""

from __future__ import annotations

import json
import random
import re

from case_folders import found, texts
from trial import Trial, Verdict, case, judge, worst

# Does plain transformers open the model as a classifier with the right names on a head it has made up?
TRAP = """
import json, logging
logging.disable(logging.CRITICAL)
names = set(json.load(open("a/ladder.json"))["labels"])
from transformers import AutoModelForSequenceClassification
try:
    model, told = AutoModelForSequenceClassification.from_pretrained("a/model", output_loading_info=True)
except Exception as error:
    print("refused", type(error).__name__)
else:
    right = set(model.config.id2label.values()) == names
    print("trap" if told["missing_keys"] and right else "fine")
"""

# Kills itself with signal 9 as soon as one rung has answered.
KILLED = """
import os, sys, threading, time

def watch():
    while not os.path.exists("a/rungs/lexical/predictions-validation.jsonl"):
        time.sleep(0.001)
    os.kill(os.getpid(), 9)

threading.Thread(target=watch, daemon=True).start()
sys.argv = ["deepen", *WORDS]
from deepen.cli.main import main
main()
"""


@case("34a", "the run folder is moved", "it works")
def _(t: Trial) -> Verdict:
    t.train("34-moved-run/train.csv", "--model", str(t.tiny), "--thorough", rungs="majority,frozen")
    (t.folder / "a").rename(t.folder / "elsewhere")
    return judge(t.deepen("predict", "elsewhere", "--rung", "frozen", "--text", "crisp bright lamp"), True)


@case("34b", "model/ opened as a classifier by plain transformers", "no right names on a random head")
def _(t: Trial) -> Verdict:
    t.train("34-moved-run/train.csv", "--model", str(t.tiny), "--thorough", rungs="frozen")
    call = t.python(TRAP)
    return judge(call, "refused" in call.out or "fine" in call.out)


@case("35a", "SQuAD 2 with unanswerable questions", "learned, nothing for none")
def _(t: Trial) -> Verdict:
    call = t.train("35-squad-v2/v2.json", rungs="majority,lexical")
    answers = t.answers(t.given("35-squad-v2/new.jsonl"))
    return worst(judge(call, t.task() == "span_qa"), judge(t.calls[-1], len(answers) == 2))


@case("35b", "predict on a file with a run of questions and answers, printed", "an answer a line")
def _(t: Trial) -> Verdict:
    t.train("35-squad-v2/v2.json", rungs="majority,lexical")
    call = t.deepen("predict", "a", t.given("35-squad-v2/new.jsonl"))
    return judge(call, len(call.out.splitlines()) == 2 and "Mara flew to Oslo" in call.out)


@case("35c", "the hub's answers after to_csv: array([...], dtype=object)", "parsed, or told")
def _(t: Trial) -> Verdict:
    each = []
    for run, more in (("b", []), ("c", ["--task", "span_qa"])):
        call = t.train("35-squad-v2/hf.csv", *more, run=run)
        each.append(judge(call, t.task(run) == "span_qa", remedy="to_csv|numpy|printed"))
    return worst(*each)


@case("36a", "float scores; --task regression", "a score; the task named")
def _(t: Trial) -> Verdict:
    call = t.train("36-scores/scores.csv", rungs="majority,lexical")
    asked = t.train("scores.csv", "--task", "regression", run="d")
    scored = any(row["score"]["name"] == "pearson" for row in t.ladder()["rungs"] if row["score"])
    told = "classification.*(score|number)|(score|number).*classification"
    return worst(judge(call, scored), judge(asked, t.task("d") != "", remedy=told))


@case("36b", "stars 1 to 5 as classes", "said where a person reads it")
def _(t: Trial) -> Verdict:
    call = t.train("36-scores/ints.csv")
    said = "classes" in call.said and ("score" in call.said or "number" in call.said)
    return judge(call, said, warned="whole numbers|target=score|as scores|as classes")


@case("36c", "a similarity set with whole numbers 0 to 5", "said that they are as classes")
def _(t: Trial) -> Verdict:
    words = "cat dog lamp oven bike tent fan mug desk shelf phone bag pump clock kettle radio".split()
    chance = random.Random(0)
    rows = [
        f"{' '.join(chance.choices(words, k=8))},{' '.join(chance.choices(words, k=8))},{n % 6}" for n in range(180)
    ]
    t.file("pairs.csv", "sentence1,sentence2,score\n" + "\n".join(rows) + "\n")
    call = t.train("pairs.csv")
    scored = any(row["score"]["name"] == "pearson" for row in t.ladder().get("rungs", []) if row["score"])
    return judge(call, scored, warned="whole numbers|target=score|as scores|as classes|numbers in order")


@case("37", "Chinese entities with rare letters, from spans and from characters", "right places")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("ner.jsonl", "chars.txt"):
        each.append(
            judge(
                t.train(f"37-chinese-with-english-model/{name}", rungs="majority,lexical", run=(run := f"run-{name}")),
                True,
            )
        )
        text = "李华坐G7次列车去乌鲁木齐σπδ开会"
        answers = t.answers("--text", text, run=run)
        right = {"李华", "乌鲁木齐"} <= found(answers)
        right &= all(text[one["start"] : one["end"]] == one["text"] for answer in answers for one in answer["entities"])
        each.append(judge(t.calls[-1], right))
    return worst(*each)


@case("38", "trained on IOB2, tested on IOB1, BIOES, BILOU", "the same score")
def _(t: Trial) -> Verdict:
    t.given("38-mixed-tag-schemes/test.bio")
    call = t.train("38-mixed-tag-schemes/train.bio", "--test", "test.bio", rungs="majority,lexical")
    values = []
    for scheme in ("iob1", "bioes", "bilou"):
        record = t.deepen("evaluate", "a", t.given(f"38-mixed-tag-schemes/test.{scheme}"), "--json").record
        scores = record.get("scores", [])
        values.append(next((one["value"] for one in scores if one["name"] == "entity_f1"), None))
    return judge(call, set(values) == {t.test_score("entity_f1")})


@case("38b", "tags B and I without a type", "read as one type")
def _(t: Trial) -> Verdict:
    t.given("38-mixed-tag-schemes/test.bare")
    call = t.train("38-mixed-tag-schemes/train.bare", "--test", "test.bare", rungs="majority,lexical")
    return judge(call, t.task() == "tagging" and t.test_score("entity_f1") > 0.8, remedy="--task tagging")


@case("39a", "multi-label rows with an empty cell", "no label, or an error that says []")
def _(t: Trial) -> Verdict:
    call = t.train("39-multilabel-none/a.csv", "--task", "multilabel")
    return judge(call, t.rows() == 300 and len(t.labels()) > 2, remedy=r"\[\]|none of them|no label")


@case("39b", "a label with a comma in it, parted by bars", "the bar parts")
def _(t: Trial) -> Verdict:
    call = t.train("39-multilabel-none/b.csv", "--task", "multilabel")
    return judge(call, {"comedy, romantic"} <= {label.lower() for label in t.labels()})


@case("40a", "keys missing in some objects", "said, by line")
def _(t: Trial) -> Verdict:
    call = t.train("40-json-holes/holes.jsonl")
    return judge(call, "left out" in call.said, remedy=r"line \d+")


@case("40b", "true in JSON, True in CSV", "the same, or told")
def _(t: Trial) -> Verdict:
    t.given("40-json-holes/bool.csv")
    call = t.train("40-json-holes/bool.jsonl", "--test", "bool.csv", rungs="majority,lexical")
    return judge(call, len(t.labels()) == 2 and t.test_score() > 0.8, remedy="did you mean")


@case("40c", "nested objects: tweet.text and meta.label", "the path works; without it the path is named")
def _(t: Trial) -> Verdict:
    first = t.train("40-json-holes/nested.jsonl")
    call = t.train("nested.jsonl", "--columns", "text=tweet.text,label=meta.label", run="b")
    told = judge(first, t.labels() == {"good", "bad"}, remedy=r"tweet\.text|text=tweet\.")
    return worst(told, judge(call, t.labels("b") == {"good", "bad"}))


@case("40d", "objects over several lines", "read")
def _(t: Trial) -> Verdict:
    call = t.train("40-json-holes/pretty.jsonl")
    return judge(call, t.labels() == {"good", "bad"} and t.rows() == 240, remedy="one object a line")


@case("41", "anchor, positive, negative", "negatives used, or said that they are not")
def _(t: Trial) -> Verdict:
    call = t.train("41-triplets/t.jsonl", "--task", "ranking", rungs="lexical")
    told = r"negative\W[^.]{0,60}(not used|not read|unused|ignored|left out|no use|hard negatives)|hard negative"
    return judge(call, bool(re.search(told, call.said)), remedy=told)


@case("42", "a lone quote at the start of a cell, TSV and CSV", "no rows merged")
def _(t: Trial) -> Verdict:
    first = t.train("42-lone-quotes/sts.tsv")
    call = t.train("42-lone-quotes/lone.csv", run="b")
    off = t.train("lone.csv", "--set", "data.quoting=false", run="c")
    sure = "left out|quote"
    return worst(
        judge(first, t.rows() == 300),
        judge(call, t.rows("b") == 300, warned=sure, remedy="quote"),
        judge(off, t.rows("c") == 300),
    )


@case("43", "a column split says train / test", "mentioned")
def _(t: Trial) -> Verdict:
    call = t.train("43-id-tells-label/a.csv")
    return judge(call, "'split'" in call.said)


@case("44", "CSV headers in own words, in French and Portuguese", "the first row is a header")
def _(t: Trial) -> Verdict:
    each = []
    for name, labels in (("own", {"praise desk", "repair desk"}), ("fr", {"bien", "mal"}), ("pt", None)):
        call = t.train(f"44-header-in-own-words/{name}.csv", rungs="majority,lexical", run=name)
        right = t.rows(name) == 300 and (t.labels(name) == labels if labels else len(t.labels(name)) == 2)
        each.append(judge(call, right))
    answered = texts(t.answers(t.given("44-header-in-own-words/new.csv"), run="own"))
    return worst(*each, judge(t.calls[-1], len(answered) == 10 and "complaint" not in answered))


@case("45", "text;label lines in a .txt, nearly all beginning with i or my", "; parts them")
def _(t: Trial) -> Verdict:
    each = []
    for name in ("train", "feel"):
        call = t.train(f"45-text-semicolon-label/{name}.txt", run=name)
        each.append(judge(call, t.labels(name) == {"joy", "sadness"} and t.rows(name) == 300))
    return worst(*each)


@case("46", "word TAB bare entity type, blank lines between sentences", "tagging")
def _(t: Trial) -> Verdict:
    call = t.train("46-tab-io-tags/train.tsv", rungs="majority,lexical")
    return judge(call, t.task() == "tagging" and t.labels() == {"PER", "LOC"}, remedy="--task tagging")


@case("47", "pair columns in another order; one text for a pair model", "by name; said")
def _(t: Trial) -> Verdict:
    t.given("47-pairs-swapped/test.csv")
    call = t.train("47-pairs-swapped/train.csv", "--test", "test.csv", rungs="majority,lexical")
    answers = t.answers("test.csv")
    right = bool(answers) and answers[0]["inputs"]["sentence1"].startswith("the clerk says the fan")
    swapped = judge(t.calls[-1], right)
    one = t.deepen("predict", "a", "--text", "my aunt says the lamp is crisp")
    told = judge(one, False, remedy="two texts|premise and hypothesis|sentence1.*sentence2|--input")
    if "delimiter" in one.err:
        told = ("CONFUSING", one.last)
    return worst(judge(call, t.test_score() > 0.9), swapped, told)


@case("48a", "killed in the middle of a climb, gone on with --resume", "as if not killed")
def _(t: Trial) -> Verdict:
    words = ["train", t.given("48-killed-and-resumed/train.tsv"), "--rungs", "majority,lexical,frozen"]
    words += ["--model", str(t.tiny), "--thorough"]
    t.deepen(*words, "--out", "whole")
    t.python(KILLED.replace("WORDS", repr([*words, "--out", "a"])))
    t.calls.pop()
    call = t.deepen(*words, "--out", "a", "--resume")
    at = "rungs/frozen/predictions-validation.jsonl"
    both = [[{**json.loads(line), "seconds": 0} for line in t.lines(f"{run}/{at}")] for run in ("whole", "a")]
    return judge(call, both[0] == both[1] and bool(both[0]))


@case("48b", "predict with a run that was killed", "said that it is unfinished")
def _(t: Trial) -> Verdict:
    words = ["train", t.given("48-killed-and-resumed/train.tsv"), "--rungs", "majority,lexical,frozen"]
    words += ["--model", str(t.tiny), "--thorough", "--out", "a"]
    t.python(KILLED.replace("WORDS", repr(words)))
    t.calls.pop()
    said = "unfinished|not finished|stopped before|--resume|did not finish|interrupted"
    return judge(t.deepen("predict", "a", "--text", "a fine film"), False, warned=said, remedy=said)


@case("49", "sentiment as -1, 0, 1", "no advice to merge -1 with 1")
def _(t: Trial) -> Verdict:
    check = t.deepen("check", t.given("49-minus-one-labels/a.csv"), "--json")
    call = t.train("a.csv")
    quiet = "label_variants" not in check.out
    return worst(judge(check, quiet), judge(call, "written in two" not in call.said and "-1 and 1" not in call.said))


@case("50a", "SQuAD 1, printed", "an answer")
def _(t: Trial) -> Verdict:
    t.train("50-extras/v1.json", rungs="majority,lexical", run="qa")
    call = t.deepen("predict", "qa", t.given("50-extras/new.jsonl"))
    return judge(call, "Mara" in call.out)


@case("50b", "whole objects named as columns", "the dotted path named")
def _(t: Trial) -> Verdict:
    call = t.train("40-json-holes/nested.jsonl", "--columns", "text=tweet,label=meta")
    return judge(call, False, remedy=r"tweet\.text|meta\.label|text=tweet\.")


@case("51a", "the remedy for labels in two spellings, followed", "works")
def _(t: Trial) -> Verdict:
    t.given("51-advice-followed/l.tsv")
    call = t.train("14-glued-csv/case.csv", "--labels", "l.tsv")
    return judge(call, "Bad" not in t.labels() and "bad" in t.labels())


@case("51b", "the remedy for cut texts, followed", "reads more, or refused")
def _(t: Trial) -> Verdict:
    words = ("25-cue-at-the-end/a.csv", "--model", str(t.tiny))
    first = t.train(*words, rungs="majority,frozen")
    call = t.train(*words, "--set", "model.max_tokens=512", rungs="majority,frozen", run="b")
    if "max_tokens" not in first.said:
        return judge(first, True)
    return judge(call, "max_tokens=" not in call.said, remedy="max_tokens|64|reads at most")
