"""Situations that print a remedy, and the commands that follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.worlds import WORLDS

from deepen.cli.train import ELSEWHERE as ELSEWHERE_OPTIONS

Files = dict[str, str | bytes]
ROWS = [f"{row['text']}, said" for row in WORLDS["classification"](60)]
QUICK = "--rungs majority --model MODEL"


def table(labels: list[str], header: str = "text,label", texts: list[str] | None = None) -> str:
    """A CSV of some texts and these labels."""
    rows = [f'"{(texts or ROWS)[at % 60]} {at // 60}",{label}' for at, label in enumerate(labels)]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


YES_NO = ["no", "yes"] * 30
COUNTED = [number for last in (9, 12, 7, 9, 15, 8) for number in range(1, last + 1)]
QUOTED = "text,label\n" + "".join(
    f'"{row.replace(",", "")}",{label}\n' for row, label in zip(ROWS, YES_NO, strict=True)
)
GOOD = table(YES_NO)


@dataclass(frozen=True)
class Case:
    """A situation that prints a remedy, and the commands that follow it, which must work.

    `told` are pieces of the source's strings that the case stands for. In `printed`, a group `remedy` is what is put in
    place of `REMEDY` in the commands that follow. `before` runs first; `ok` are the exit codes that are right.
    """

    told: tuple[str, ...]
    files: Files
    words: str
    printed: str
    then: tuple[str, ...]
    more: Files = field(default_factory=dict)
    ok: tuple[int, ...] = (0,)
    before: tuple[str, ...] = ()


NUMBERS = table(["1.5", "2.25", "3", "0.5", "4.75", "1.25", "2.5", "3.75", "4", "0.25"] * 6)
STARS = table(["1", "2", "3", "4", "5"] * 12)
PAIRS = "sentence1,sentence2,label\n" + "".join(
    f"{row.replace(',', '')},it is {row[:9]},{at % 6}\n" for at, row in enumerate(ROWS)
)
LEAK = table(YES_NO[:20])
COLUMNS = "text,n,kind\n" + "".join(f'"{row}",{COUNTED[at]},{"xy"[at % 2]}\n' for at, row in enumerate(ROWS))
RAGGED = GOOD + "a film,yes,maybe,no\n" * 3
TABS = "text;x\tlabel\n" + "".join(
    f"{row.replace(',', ';')}\t{label}\n" for row, label in zip(ROWS, YES_NO, strict=True)
)
LONG = GOOD + f'"{"good " * 60_000}",yes\n'
SPANS = '{"tokens": ["Mara", "flew"], "text": "Mara flew", "spans": [[0, 4, "PER"]]}\n' * 30
CODES = '{"tokens": ["Mara", "flew"], "ner_tags": [1, 0]}\n{"tokens": ["It", "rained"], "ner_tags": [0, 0]}\n' * 30
ZH = table(YES_NO, texts=[f"这个酒店的房间很干净服务也不错 {at}" for at in range(60)])
CUT = table(YES_NO, texts=[f"{row} {'and so on ' * 200}" for row in ROWS])
LATIN = "text,label\n" + "".join(f"caf\xe9 number {at},{'ab'[at % 2]}\n" for at in range(60))
MANY = "text,labels\n" + "".join(f"row {at},a{at}/b\n" for at in range(60))

CHECKS: list[Case] = [
    *(
        Case(
            (cure,),
            {"a.csv": GOOD},
            f"train a.csv {option} 3",
            f"write (?P<remedy>{re.escape(cure)})",
            (f"train a.csv {cure.replace('text=...,label=...', 'text=text,label=label')} {QUICK}",),
        )
        for option, cure in {cure: (option, cure) for option, cure in ELSEWHERE_OPTIONS.items()}.values()
    ),
    Case(
        ("with --refit the",),
        {"a.csv": GOOD},
        f"train a.csv {QUICK}",
        r"30 of 60 rows are held out to choose by; with (?P<remedy>--refit)",
        (f"train a.csv REMEDY {QUICK} --out b",),
    ),
    Case(
        ('--input {}="..."',),
        {"a.csv": PAIRS},
        "predict r --text alone",
        r'(?P<remedy>--input sentence1="\.\.\." --input sentence2="\.\.\.")',
        ("predict r REMEDY",),
        before=(f"train a.csv {QUICK} --out r",),
    ),
    Case(
        ("--decide-by macro_f1 lets rare labels decide",),
        {"a.csv": table(["no"] * 56 + ["yes"] * 4)},
        "check a.csv",
        r"(?P<remedy>--decide-by macro_f1) .* --set ladder\.class_weights=balanced",
        (f"train a.csv REMEDY {QUICK}", f"train a.csv --set ladder.class_weights=balanced {QUICK} --overwrite"),
    ),
    Case(
        ("counts closer ones only",),
        {"a.csv": GOOD, "b.csv": table(YES_NO[:20], texts=[f"{row} it" for row in ROWS])},
        "check a.csv --test b.csv",
        r"(?P<remedy>--set data\.near\.threshold=0\.8)",
        ("check a.csv --test b.csv REMEDY",),
    ),
    Case(
        ("--set data.near.max_rows={}",),
        {"a.csv": GOOD},
        "check a.csv --set data.near.max_rows=10",
        r"(?P<remedy>--set data\.near\.max_rows=60)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("--set tasks.{}.target=score", "{} the score, --set data.label_cuts=[{}]"),
        {"a.csv": NUMBERS},
        "check a.csv",
        r"(?P<remedy>--set tasks\.classification\.target=score) learns the score, --set data\.label_cuts=\[2\.25\]",
        (f"train a.csv REMEDY {QUICK}", "check a.csv --set data.label_cuts=[2.25]"),
    ),
    Case(
        ("--set tasks.{}.target=score",),
        {"a.csv": STARS},
        f"train a.csv {QUICK}",
        r"(?P<remedy>--set tasks\.classification\.target=score)",
        (f"train a.csv REMEDY {QUICK} --out b",),
    ),
    Case(
        ("--set tasks.{}.target=score",),
        {"a.csv": PAIRS},
        "check a.csv",
        r"(?P<remedy>--set tasks\.matching\.target=score)",
        (f"train a.csv REMEDY {QUICK}",),
    ),
    Case(
        ("--columns label=COLUMN names another column",),
        {"a.csv": COLUMNS},
        "check a.csv --columns label=n",
        "--columns label=COLUMN names another",
        ("check a.csv --columns label=kind",),
    ),
    Case(
        (", --set data.label_cuts=[0] cuts a score",),
        {"a.csv": COLUMNS.replace(",n,", ",score,")},
        "check a.csv --columns label=text",
        "--columns label=COLUMN names another column, --set data.label_cuts",
        ("check a.csv --columns label=kind", "check a.csv --columns label=score --set data.label_cuts=[5]"),
    ),
    Case(
        ("--task multilabel parts them",),
        {"a.csv": table(["x|y", "y|z", "x|z", "z", "y", "x|y|z"] * 10)},
        "check a.csv",
        "--task multilabel parts them",
        (f"train a.csv --task multilabel {QUICK}",),
    ),
    Case(
        ("--task multilabel reads them as lists",),
        {"a.csv": table(["['x']", "['y']"] * 30)},
        "check a.csv",
        "--task multilabel reads them as lists",
        (f"train a.csv --task multilabel {QUICK}",),
    ),
    Case(
        ("--task multilabel reads a column for each label",),
        {"a.csv": "text,x,y\n" + "".join(f"film {at},{at % 2},{at % 3 % 2}\n" for at in range(60))},
        "check a.csv --task classification --columns text=text,label=x+y",
        "--task multilabel reads a column for each label",
        (f"train a.csv --task multilabel {QUICK}",),
    ),
    Case(
        ("--task multilabel reads none",),
        {"a.csv": table(["x|y", "y|z", "", "z", "y", "x|y|z"] * 10)},
        "check a.csv",
        "--task multilabel reads none",
        (f"train a.csv --task multilabel {QUICK}",),
    ),
    Case(
        ("--labels FILE names them",),
        {"a.csv": table(["0.0", "1.0"] * 30)},
        "check a.csv",
        "--labels FILE names them",
        ("check a.csv --labels l.tsv",),
        {"l.tsv": "0\tno\n1\tyes\n"},
    ),
    Case(
        ("--set data.header=true reads it as a header",),
        {"a.csv": GOOD},
        "check a.csv --set data.header=false",
        r"(?P<remedy>--set data\.header=true)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("join them to another label with --labels FILE",),
        {"a.csv": table([*YES_NO, "perhaps"])},
        "check a.csv",
        "join them to another label with --labels FILE",
        ("check a.csv --labels l.tsv",),
        {"l.tsv": "perhaps\tyes\n"},
    ),
    Case(
        ("--labels FILE with the line: {}<tab>{}",),
        {"a.csv": table([*YES_NO, *["Yes"] * 6])},
        "check a.csv",
        "with the line: Yes<tab>yes",
        ("check a.csv --labels l.tsv",),
        {"l.tsv": "Yes\tyes\n"},
    ),
    Case(
        ("leave --validation out so that rows",),
        {"a.csv": GOOD, "b.csv": table(["yes"] * 20)},
        "check a.csv --validation b.csv",
        "leave --validation out",
        ("check a.csv",),
    ),
    Case(
        ("or leave --validation out so that a share",),
        {"a.csv": GOOD, "b.csv": table(YES_NO[:4], texts=[f"x y {at}" for at in range(60)])},
        "check a.csv --validation b.csv",
        "leave --validation out",
        ("check a.csv",),
    ),
    Case(
        ("fill or delete the rows; --set data.bad_rows=drop", "--set data.bad_rows=drop leaves such rows out"),
        {"a.csv": GOOD + ',yes\n" ",no\n,no\n'},
        "check a.csv",
        r"fill or delete the rows; (?P<remedy>--set data\.bad_rows=drop)",
        ("check a.csv REMEDY", f"train a.csv {QUICK} REMEDY"),
    ),
    Case(
        ("label or delete the rows; --set data.bad_rows=drop",),
        {"a.csv": GOOD + "more of it,\n" * 3},
        "check a.csv",
        r"label or delete the rows; (?P<remedy>--set data\.bad_rows=drop)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("mend the rows; --set data.bad_rows=drop",),
        {
            "a.jsonl": '{"text": "a b", "label": "x"}\n{"text": "c d", "label": "y"}\n' * 30
            + '{"text": "a", "label": ["x", "y"]}\n' * 3
        },
        "check a.jsonl --task classification",
        r"mend the rows; (?P<remedy>--set data\.bad_rows=drop)",
        ("check a.jsonl --task classification REMEDY",),
    ),
    Case(
        ("name the delimiter (--set data.delimiter=tab)",),
        {"a.csv": RAGGED, "b.csv": TABS},
        "check a.csv",
        r"(?P<remedy>--set data\.delimiter=tab)",
        ("check b.csv REMEDY",),
    ),
    Case(
        ("--set data.max_cell_chars=N if the text",),
        {"a.csv": LONG * 1},
        "check a.csv --set data.bad_rows=error",
        "--set data.max_cell_chars=N",
        ("check a.csv --set data.max_cell_chars=400000",),
    ),
    Case(
        (
            "--set data.encoding=ENCODING (gb18030",
            "save the file again as UTF-8",
            "; the file looks like {}: --set data.encoding={}",
        ),
        {"a.csv": LATIN.encode("cp1252")},
        "check a.csv",
        r"(?P<remedy>--set data\.encoding=cp1252)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("--set data.encoding=big5, shift_jis or cp1251, for example",),
        {"a.csv": "text,label\n房間很好 一,甲\n服務很差 二,乙\n房間不好 三,甲\n餐廳很吵 四,乙\n".encode("big5")},
        "check a.csv",
        r"(?P<remedy>--set data\.encoding=big5)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("line 1: not UTF-8; the file looks like {}",),
        {"a.csv": LATIN.encode("utf-16")},
        "check a.csv",
        r"(?P<remedy>--set data\.encoding=utf-16)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("declare it: --set data.encoding=...",),
        {"a.json": ('[{"text": "caf\xe9 a", "label": "x"}, {"text": "b c", "label": "y"}]').encode("cp1252")},
        "check a.json",
        r"--set data\.encoding=",
        ("check a.json --set data.encoding=cp1252",),
    ),
    Case(
        ("--model with a multilingual encoder, e.g.",),
        {"a.csv": GOOD + ZH.split("\n", 1)[1][:900].rsplit("\n", 1)[0] + "\n"},
        "check a.csv",
        "--model with a multilingual encoder, e.g.",
        ("check a.csv --model MODEL",),
    ),
    Case(
        ("most of the text is Chinese",),
        {"a.csv": ZH},
        "train a.csv --rungs majority --out r",
        "pass a multilingual or Chinese encoder, e.g. --model ",
        ("train a.csv --rungs majority --model MODEL",),
    ),
    Case(
        ("take them out, or --model with a multilingual",),
        {"a.csv": GOOD + ZH.split("\n", 1)[1][:60].rsplit("\n", 1)[0] + "\n"},
        "check a.csv",
        "or --model with a multilingual encoder",
        ("check a.csv --model MODEL",),
    ),
    Case(
        ("--model with one that reads more (--set model.max_tokens=N",),
        {"a.csv": CUT},
        "check a.csv",
        "--model with one that reads more",
        ("check a.csv --model MODEL",),
    ),
    Case(
        ("--set tasks.{}.long=windows", "--model with one that reads more, or shorten"),
        {"a.csv": CUT},
        "train a.csv --rungs lexical --model MODEL --out r",
        r"(?P<remedy>--set tasks\.classification\.long=windows)",
        ("train a.csv --rungs lexical --model MODEL REMEDY",),
    ),
    Case(
        ("--set model.max_tokens={} reads more",),
        {"a.csv": GOOD},
        "train a.csv --rungs lexical --model MODEL --set model.max_tokens=4 --out r",
        r"(?P<remedy>--set model\.max_tokens=\d+)",
        ("train a.csv --rungs lexical --model MODEL REMEDY",),
    ),
    Case(
        ("--set data.quoting=false reads quotes as plain characters",),
        {"a.csv": QUOTED + '"' + "\n".join(f"bad film {at} " * 40 for at in range(30)) + '",yes\n'},
        "check a.csv",
        r"(?P<remedy>--set data\.quoting=false)",
        ("check a.csv REMEDY --set data.bad_rows=drop",),
    ),
    Case(
        ("--columns text=COLUMN names another column",),
        {"a.csv": COLUMNS},
        "check a.csv --columns text=n,label=kind",
        "--columns text=COLUMN names another",
        ("check a.csv --columns text=text,label=kind",),
    ),
    Case(
        ("where the cell is left empty, --set data.bad_rows=drop does",),
        {"a.csv": GOOD + "NaN,yes\n"},
        "check a.csv",
        "where the cell is left empty",
        ("check b.csv --set data.bad_rows=drop",),
        {"b.csv": GOOD + ",yes\n"},
    ),
    Case(
        ("--columns text=COLUMN without the label",),
        {
            "a.csv": "text,plain,label\n"
            + "".join(
                f'"{row} {label}","{row}",{label}\n'
                for row, label in zip(ROWS, ["certainly", "perhaps"] * 30, strict=True)
            )
        },
        "check a.csv",
        "--columns text=COLUMN without the label",
        ("check a.csv --columns text=plain",),
    ),
    Case(
        ("could be it too: --columns {}={}",),
        {"a.csv": COLUMNS.replace(",n,", ",label,").replace(",kind", ",category")},
        "check a.csv",
        r"(?P<remedy>--columns label=category)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("--columns {}=NAME",),
        {
            "a.csv": COLUMNS.replace("text,n,kind", "aaa,bbb,ccc")
            .replace(",x", f",{'x' * 90}1")
            .replace(",y", f",{'y' * 90}2")
            .replace(",1,", ",,")
        },
        "check a.csv --columns text=aaa",
        "",
        ("check a.csv --columns text=aaa,label=bbb --set data.bad_rows=drop",),
    ),
    Case(
        ("--columns {}=NUMBER",),
        {"a.csv": table([f"no {at}" for at in range(60)], "").replace('"', "")},
        "check a.csv --set data.header=false --set data.delimiter=,",
        "",
        ("check b.csv --columns text=0,label=1 --set data.header=false",),
        {"b.csv": table(YES_NO, "")},
    ),
    Case(
        ("is there one text a line only, or another delimiter",),
        {"a.txt": "".join(f"{row.replace(',', '')}@@{label}\n" for row, label in zip(ROWS, YES_NO, strict=True))},
        "check a.txt",
        r"--set data\.delimiter=",
        ("check a.txt --set data.delimiter=@@ --set data.header=false",),
    ),
    Case(
        ("the task has no '{}'",),
        {"a.csv": GOOD},
        "check a.csv --columns txet=text",
        "did you mean 'text'",
        ("check a.csv --columns text=text",),
    ),
    Case(
        ("if it is a row: --set data.header=false",),
        {"a.csv": "aa bb,cc dd\n" + GOOD.split("\n", 1)[1]},
        "check a.csv",
        "",
        ("check a.csv --set data.header=false",),
        ok=(0, 2),
    ),
    Case(
        ("if it is a header: --set data.header=true",),
        {"a.csv": "aa bb,cc dd\n" + GOOD.split("\n", 1)[1]},
        "check a.csv",
        "",
        ("check a.csv --set data.header=true --columns text=0,label=1",),
    ),
    Case(
        ("a quote opened here takes in {} lines",),
        {"a.csv": QUOTED + '"bad film 1,yes\n' + "bad film 2,no\n" * 30 + 'the end",yes\n'},
        "check a.csv",
        r"--set data\.quoting=false",
        ("check a.csv --set data.quoting=false --set data.bad_rows=drop",),
    ),
    Case(
        ("the quote opened here is never closed",),
        {"a.csv": QUOTED + '"good film,yes\n'},
        "check a.csv",
        r"(?P<remedy>--set data\.quoting=false)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("give others with --validation and --test",),
        {"d/train.csv": GOOD, "d/test.csv": GOOD},
        "check d",
        "--validation and --test",
        ("check d --test d/test.csv",),
    ),
    Case(
        ("--columns label=label_fine takes it whole",),
        {"a.txt": "DESC:def What is it ?\nNUM:dist How far ?\nNUM:speed How near ?\nDESC:why Why ?\n" * 15},
        "check a.txt",
        r"(?P<remedy>--columns label=label_fine)",
        ("check a.txt REMEDY",),
    ),
    Case(
        ("--columns label=answer learns",),
        {
            "a.jsonl": "".join(
                f'{{"text": "film {at} of it", "label": "A", "answer": "{("accept", "reject")[at % 2]}"}}\n'
                for at in range(60)
            )
        },
        "check a.jsonl",
        r"(?P<remedy>--columns label=answer)",
        ("check a.jsonl REMEDY",),
    ),
    Case(
        ("that looks like a score or free text",),
        {"a.csv": table([f"{at} of" for at in range(60)])},
        "check a.csv",
        r"(?P<remedy>--set data\.max_labels=60)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("holds only 0 and 1",),
        {"a.csv": "text,toxic,rude\n" + "".join(f'"{row}",{at % 2},{at % 3 // 2}\n' for at, row in enumerate(ROWS))},
        "check a.csv --task multilabel --columns label=toxic",
        r"--columns label=one\+two\+three",
        (
            "check a.csv --task multilabel --columns label=toxic+rude",
            "check a.csv --task classification --columns label=toxic",
        ),
    ),
    Case(
        ("say what parts the labels",),
        {"a.csv": MANY},
        f"train a.csv --task multilabel {QUICK} --out r",
        r"--set data\.label_separator=",
        (f"train a.csv --task multilabel {QUICK} --set data.label_separator=/ --set data.max_labels=100",),
    ),
    Case(
        ("write it as text=title+description",),
        {"a.csv": GOOD},
        "check a.csv --columns text",
        "text=title",
        ("check a.csv --columns text=text,label=label",),
    ),
    Case(
        ("is given twice",),
        {"a.csv": GOOD},
        "check a.csv --columns text=text,text=label",
        "given twice",
        ("check a.csv --columns text=text,label=label",),
    ),
    Case(
        ("the delimiter {} splits no row",),
        {"a.csv": GOOD},
        "check a.csv --set data.delimiter=;",
        r"(?P<remedy>--set data\.delimiter=\S+)",
        ("check a.csv REMEDY",),
    ),
    Case(
        ("name it with --columns tokens=text",),
        {"a.jsonl": SPANS},
        "check a.jsonl --task tagging --columns tokens=tokens,label=spans",
        r"(?P<remedy>--columns tokens=text)",
        ("check a.jsonl --task tagging REMEDY,label=spans",),
    ),
    Case(
        ("name the codes with --labels FILE",),
        {"a.jsonl": CODES},
        "check a.jsonl --task tagging",
        "--labels FILE",
        ("check a.jsonl --task tagging --labels l.txt",),
        {"l.txt": "O\nB-PER\n"},
    ),
    Case(
        ("--set {}: write it as dotted.key=value",),
        {"a.csv": GOOD},
        "check a.csv --set seed",
        "dotted.key=value",
        ("check a.csv --set seed=1",),
    ),
    Case(
        ("holds a value, not a section",),
        {"a.csv": GOOD},
        "check a.csv --set seed=1 --set seed.x=2",
        "holds a value",
        ("check a.csv --set seed=1",),
    ),
    Case(
        ("--set data.check=false trains on it",),
        {"a.csv": table(YES_NO, texts=[str(1000 + 7 * at) for at in range(60)])},
        f"train a.csv {QUICK} --out r",
        r"(?P<remedy>--set data\.check=false)",
        (f"train a.csv {QUICK} REMEDY",),
    ),
    Case(("deepen check shows all",), {"a.csv": GOOD}, "check a.csv", "", ("check a.csv",)),
    Case(
        ("a score is learned by a task of texts",),
        {"a.csv": NUMBERS, "b.csv": PAIRS},
        f"train a.csv --task regression {QUICK}",
        r"(?P<remedy>--task classification --set tasks\.classification\.target=score), or --task matching",
        (f"train a.csv REMEDY {QUICK}", f"train b.csv --task matching --set tasks.matching.target=score {QUICK}"),
    ),
    Case(
        ("too few to hold any out; pass --validation",),
        {"a.csv": table(["no", "yes"])},
        f"train a.csv {QUICK} --out r",
        "pass --validation",
        (f"train a.csv --validation b.csv {QUICK}",),
        {"b.csv": GOOD},
    ),
    Case(
        ("has no answers to learn from",),
        {"a.csv": "query,answerz\n" + "".join(f"how {at},five {at % 7} days\n" for at in range(60))},
        f"train a.csv --task ranking --columns query=query {QUICK} --out r",
        "--columns query=...,answer=...",
        (f"train a.csv --task ranking --columns query=query,answer=answerz {QUICK}",),
    ),
    Case(
        ("can't learn from rows; name another rung",),
        {"a.csv": GOOD, "u.txt": "one more film\nanother one\n"},
        f"train a.csv --unlabelled u.txt {QUICK} --out r",
        "name another rung",
        ("train a.csv --unlabelled u.txt --rungs majority,frozen --model MODEL",),
    ),
    Case(
        ("is for tasks with one label a row",),
        {"a.csv": table(["x|y", "y"] * 30), "u.txt": "one more film\n"},
        "train a.csv --task multilabel --unlabelled u.txt --rungs majority,frozen --model MODEL --out r",
        "leave it out",
        (f"train a.csv --task multilabel {QUICK}",),
    ),
    Case(
        ("exists already: pass --resume",),
        {"a.csv": GOOD},
        f"train a.csv {QUICK} --out r",
        "",
        (f"train a.csv {QUICK} --out r --resume", f"train a.csv {QUICK} --out r --overwrite"),
    ),
    Case(
        ("give another --out",),
        {"a.csv": GOOD, "r/mine.txt": "x"},
        f"train a.csv {QUICK} --out r",
        "give another --out",
        (f"train a.csv {QUICK} --out q",),
    ),
    Case(
        ("no data: name a file",),
        {"a.csv": GOOD},
        f"train {QUICK}",
        "name a file",
        (f"train a.csv {QUICK}", "train --help"),
    ),
    Case(
        ("`deepen train` makes one",),
        {"a.csv": GOOD},
        "evaluate nowhere a.csv",
        "`deepen train` makes one",
        (f"train a.csv {QUICK} --out nowhere", "evaluate nowhere a.csv"),
    ),
    Case(
        ("--resume needs --out",),
        {"a.csv": GOOD},
        f"train a.csv {QUICK} --resume",
        "needs --out",
        (f"train a.csv {QUICK} --out r",),
    ),
    Case(
        ("exclude each other",),
        {"a.csv": GOOD},
        f"train a.csv {QUICK} --out r --resume --overwrite",
        "exclude each other",
        (f"train a.csv {QUICK} --out r",),
    ),
    Case(
        ("if it is a table of {} columns: --set", "{}=1"),
        {"a.csv": GOOD, "p.txt": "".join(f"{row}\n" for row in ROWS)},
        "predict r p.txt",
        r"(?P<remedy>--set 'data\.delimiter=,' and, say, --columns text=1)",
        ("predict r p.txt --set data.delimiter=, --columns text=1",),
        before=(f"train a.csv {QUICK} --out r",),
    ),
    Case(
        ("goes without)",),
        {"a.csv": COLUMNS, "p.csv": "text,kind\na film,x\nanother,y\n"},
        "predict r p.csv",
        r"(?P<remedy>--columns text=text) goes without",
        ("predict r p.csv REMEDY",),
        before=(f"train a.csv --columns text=text+n,label=kind {QUICK} --out r",),
    ),
    Case(
        ("the training file had a header; if the first row is one",),
        {"a.csv": GOOD, "p.csv": GOOD.split("\n", 1)[1]},
        "evaluate r p.csv",
        "",
        ("evaluate r a.csv --set data.header=true",),
        before=(f"train a.csv {QUICK} --out r",),
    ),
]


# where following a remedy needs more than a small file: the tests that do so, or why nothing can be followed
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "exporting/test_text.py": (
        "{} answers in text: --form ctranslate2 is for it",
        "{} does not write text: --form onnx is for it",
        "shows training rows before each question: name another --rung",
        "It answers without Deepen, torch or transformers: `pip install {}`.",
    ),
    "contracts/test_interrupted.py": ("goes on from here", "--resume` goes on with it", "--resume goes on as it began"),
    "contracts/test_damaged.py": ("--resume computes it again", "; use --overwrite", "writes it again"),
    "contracts/test_diagnose.py": (
        "deepen diagnose",
        "takes all)",
        "deepen check TRAIN",
        "deepen evaluate {}",
        "to --rungs",
        "deepen predict {} DATA",
    ),
    "contracts/test_amended.py": ("{} --drop {}", "`--fix`", "{} --add {}"),
    "contracts/test_explain.py": ("--explain", "explain.max_answers"),
    "contracts/test_commands.py": (
        "deepen predict {}",
        "--json has them all",
        "{}: {}{}; {} --help",
        "leave --rung out",
        " --rung {}",
    ),
    "contracts/test_run_folder.py": (
        "deepen train --recipe",
        "deepen train{} --recipe {}",
        "deepen train --out {} --resume",
        "deepen evaluate {} FILE",
    ),
    "monitoring/test_store.py": ("is missing: pip install 'psycopg[binary]'",),
    "registry/test_command.py": ("--registry URL is missing", "--out FOLDER names the run folder"),
    "registry/test_promotions.py": ("puts one there", "a number names a version", "--despite-gate promotes it"),
    "registry/test_versions.py": ("is not finished: `deepen train",),
    "preparation/test_place.py": ("give --out a name in UTF-8",),
    "data/test_columns.py": ("--set data.delimiter=， reads them",),
    "contracts/test_first_hour.py": (
        "deepen cache --clear",
        "goes with --out FILE.csv",
        "`deepen runs FOLDER` looks elsewhere",
        "write it as name=text",
    ),
    "generation/test_constraints.py": ("as in --rung full", "--max-new-tokens gives more room"),
    "reporting/test_trackers.py": ("--logdir", "--backend-store-uri", "trackio show --project", "needs the package"),
    "ladder/test_closing.py": ("--task multilabel", "--decide-by macro_f1, may help"),
    "contracts/test_predict_every_task.py": ("reads no such part", '--input {}="{}"'),
    "cli/test_usage.py": ("--text", "--weights", "--out {}"),
    "diagnosis/questions/test_surface_cues.py": ("{} --set {}",),
    "diagnosis/questions/test_depth.py": ("--thorough",),
    "tuning/test_together.py": ("has no adapter", "--tuning bitfit"),
    "inference/test_compare.py": ("for both with --columns", "leave --out out"),
    "inference/test_cascade.py": (
        "--cascade and --max-error",
        "as in 0.99, or --max-error",
        "--cascade: {} has no rung",
        "--unlabelled goes with --cascade",
        "--unlabelled FILE",
    ),
    "exporting/test_refusals.py": ("name another with --rung", "is not what `deepen export` writes"),
    "exporting/test_integers.py": ("--form onnx is faster",),
    # the page of an export, whose program test_kinds.py runs
    "exporting/test_kinds.py": ("deepen predict FOLDER",),
    "rungs/test_zero_shot.py": ("says nothing to compare with",),
    "rungs/test_few_shot.py": ("is no word to ask for", "can't be asked"),
    "models/test_load.py": ("install it:", "pip install --no-deps"),
    "models/test_weights.py": (
        "deepen models convert {} NEW",
        "deepen models convert OLD NEW",
        "What works with it: deepen models FOLDER",
        "deepen models takes one model",
    ),
    "tuning/test_methods.py": ("take --tuning full or bitfit",),
    "data/readers/test_alike.py": (
        "if those words are part of the texts: --set data.delimiter=tab",
        "the training file had no header; if the first row is none",
        "names the column; --set data.header=false reads it",
        "if each line is one text: --set data.delimiter=tab",
        "is the header (--set data.header=false",
    ),
    "serving/test_access.py": (
        "deepen keys create --keys {}",
        "--host {} lets others",
        "say --no-keys --i-know",
        "are opposites",
        "--tls-certificate and --tls-key",
        "--cacert",
    ),
    "serving/test_export.py": ("make it anew with `deepen export", "(--set export=false leaves it out)"),
    "serving/test_following.py": ("is named twice", "go together: where, and what is served", "nothing to serve: name"),
    "serving/test_wishes.py": ("the promise of --cascade does not hold",),
    "continual/test_update.py": (
        "--promote and --registry URL go together",
        "it must be points of 0 and more",
        "name a file of new rows, or --forget ids",
        "--method retrain trains it anew",
        "as for {}: --method retrain",
        "--forget goes with --method retrain",
        "it must be 1 row of each label or more",
        "--method {} is for {}",
    ),
    "compression/test_compress.py": (
        "give either --target or --ways",
        "it must be points above 0",
        "it must be above 1, as in 4x",
        "a larger --max-drop allows more",
        "can't be reached {}: {}x is the most",
        "--ways: name at least one of",
        "--unlabelled: {}",
        "reads training rows, and",
        "only --ways int8 is for it",
    ),
    "compression/test_exits.py": (
        "--agreement {}: it must be a share",
        "--agreement {} can't be promised",
        "--ways {} is for rows with one label",
        "--unlabelled F gives some to back it",
    ),
    "data/readers/test_turns.py": ("turns it round",),
    "ladder/test_folds.py": (
        "too few for {} folds",
        "cross-validation decides, scores are of out-of-fold rows",
        "and none is left to watch by; train without",
    ),
    "generation/test_asking.py": (".chat=false asks without it", "cuts sources"),
    "generation/test_writing.py": (
        "can't write an answer: pass a model that can",
        "a network that writes can have",
        "the answer of {} is text; its rungs are",
        ".max_new_tokens={} lets more of them end",
        "names the column that holds them",
        "is no decoder, which goes on from examples",
    ),
    "generation/test_scratch.py": (
        "begins with random weights; its rungs are",
        "begins with random weights, which all learn",
        "is made when a task is trained whose answer is text",
    ),
    "watching/test_watch.py": (
        "the name must end in .prom",
        "to watch takes {} held-out rows",
        "log_texts=true keeps texts",
        "or --log URL: one of the two",
    ),
    "inference/test_none_of_these.py": (
        "rests on rows that the model has not learned from: leave out",
        "allow more, as in --set none_of_these.most_lost=0.05",
    ),
    "data/readers/test_excel.py": ("pip install openpyxl",),
    # no advice: a style, words for git, and what finds a setting in a message
    "reporting/test_page.py": ("--natural",),
    "contracts/conftest.py": ("--set data\\.encoding",),
}
