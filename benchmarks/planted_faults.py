"""Plants over thirty kinds of faults in copies of real data sets; the data doctor must find each, by its code.

A fault is found if its code's count rises over that of the clean copy by at least half of what was planted (codes that
count files or labels: if it appears). On the clean copies there must be no error.

    python benchmarks/planted_faults.py --data DATA [--work /tmp/deepen-bench] [--only sst2] [--again]
"""

from __future__ import annotations

import csv
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cells

NAME = "planted_faults"
SEED = 0
NUM = 40
Rows = list[list[Any]]
Splits = dict[str, Rows]
Plant = Callable[[Splits, random.Random], None]


# --- faults in rows of text and label: each changes the splits in place ---------------------------------------------


def texts(make: Callable[[str, random.Random], str], num: int = NUM) -> Plant:
    """Changes the text of some training rows."""

    def plant(splits: Splits, chance: random.Random) -> None:
        for row in chance.sample(splits["train"], num):
            row[0] = make(row[0], chance)

    return plant


def labels(make: Callable[[str, random.Random], str], num: int = NUM) -> Plant:
    """Changes the label of some training rows."""

    def plant(splits: Splits, chance: random.Random) -> None:
        for row in chance.sample(splits["train"], num):
            row[1] = make(row[1], chance)

    return plant


def edited(text: str, chance: random.Random) -> str:
    """One letter in twenty replaced."""
    chars = list(text)
    for at in chance.sample(range(len(chars)), max(1, len(chars) // 20)):
        chars[at] = chance.choice("abcdefghijklmnopqrstuvwxyz")
    return "".join(chars)


def long_rows(rows: Rows, chance: random.Random) -> Rows:
    """Some rows with enough text to be near to something."""
    return chance.sample([row for row in rows if len(row[0]) > 60], NUM)


def copied(source: str, to: str, *, edit: bool = False, other_label: bool = False) -> Plant:
    """Copies rows from one split to another."""

    def plant(splits: Splits, chance: random.Random) -> None:
        names = sorted({row[1] for row in splits["train"]})
        for row in long_rows(splits[source], chance):
            label = chance.choice([name for name in names if name != row[1]]) if other_label else row[1]
            splits[to].append([edited(row[0], chance) if edit else row[0], label])

    return plant


def only_one_label(splits: Splits, chance: random.Random) -> None:
    """Every training row gets the same label."""
    for row in splits["train"]:
        row[1] = "yes"


def scores_for_labels(splits: Splits, chance: random.Random) -> None:
    """Labels with decimals: a rating nobody cut."""
    for rows in splits.values():
        for row in rows:
            row[1] = str(chance.choice((0.25, 0.5, 0.75, 1.25, 1.5)))


def free_text_for_labels(splits: Splits, chance: random.Random) -> None:
    """A different label in every row."""
    for at, row in enumerate(splits["train"]):
        row[1] = f"id {at}"


def cast_labels(splits: Splits, chance: random.Random) -> None:
    """Codes that became decimals."""
    codes = {name: at for at, name in enumerate(sorted({row[1] for row in splits["train"]}))}
    for rows in splits.values():
        for row in rows:
            row[1] = f"{codes[row[1]]}.0"


def spelled_in_two_ways(splits: Splits, chance: random.Random) -> None:
    """Some labels in capitals, with a space for each underscore; numbers get a name first."""
    for rows in splits.values():
        for row in rows:
            row[1] = f"label_{row[1]}"
    for row in chance.sample(splits["train"], NUM):
        row[1] = row[1].upper().replace("_", " ")


def imbalanced(splits: Splits, chance: random.Random) -> None:
    """Nearly all rows of one label are gone."""
    name = splits["train"][0][1]
    kept = [row for row in splits["train"] if row[1] == name][:15]
    splits["train"] = [row for row in splits["train"] if row[1] != name] + kept


def rare(splits: Splits, chance: random.Random) -> None:
    """A label with two rows."""
    for row in splits["train"][:2]:
        row[1] = "once in a blue moon"


def unknown(splits: Splits, chance: random.Random) -> None:
    """A label that only test has."""
    for row in chance.sample(splits["test"], NUM):
        row[1] = "never seen"


def missing(splits: Splits, chance: random.Random) -> None:
    """A label that test lacks."""
    name = splits["train"][0][1]
    splits["test"] = [row for row in splits["test"] if row[1] != name]


def all_texts(make: Callable[[random.Random], str]) -> Plant:
    """The wrong column: every text is something else."""

    def plant(splits: Splits, chance: random.Random) -> None:
        for rows in splits.values():
            for row in rows:
                row[0] = make(chance)

    return plant


def other_domain(splits: Splits, chance: random.Random) -> None:
    """Test rows from another domain."""
    words = "patient dose treatment chronic renal plasma therapy acute trial placebo cohort lesion".split()
    for row in splits["test"]:
        row[0] = " ".join(chance.choices(words, k=8)) + " " + row[0][:20]


def told(splits: Splits, chance: random.Random) -> None:
    """Texts that begin with their label."""
    for rows in splits.values():
        for row in rows:
            row[1] = f"class {row[1]}"
            row[0] = f"[{row[1]}] {row[0]}"


def luhn_card(chance: random.Random) -> str:
    """A card number that is right in form."""
    digits = [4, *(chance.randrange(10) for _ in range(14))]
    total = sum(d * 2 - 9 * (d > 4) if at % 2 == 0 else d for at, d in enumerate(digits))
    joined = "".join(map(str, [*digits, -total % 10]))
    return " ".join(joined[at : at + 4] for at in range(0, 16, 4))


def resident_number(chance: random.Random) -> str:
    """A Chinese resident number that is right in form."""
    body = f"110105{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
    body += f"{chance.randrange(1000):03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(w * int(c) for w, c in zip(weights, body, strict=True)) % 11]


def bank_number(chance: random.Random) -> str:
    """A German IBAN that is right in form."""
    body = "".join(chance.choices("0123456789", k=18))
    return f"DE{98 - int(body + '131400') % 97:02}{body}"


def digits(chance: random.Random, num: int) -> str:
    """So many digits, the first not 0."""
    return str(chance.randrange(10 ** (num - 1), 10**num))


ROWS: dict[str, tuple[str, Plant]] = {
    "empty texts": ("empty_text", texts(lambda text, chance: "")),
    "empty labels": ("empty_label", labels(lambda label, chance: "")),
    "labels nan": ("empty_label", labels(lambda label, chance: "NaN")),
    "labels for none": ("placeholder_label", labels(lambda label, chance: "N/A")),
    "an endless cell": ("long_cell", texts(lambda text, chance: "word " * 60_000, 1)),
    "glued rows": ("glued_rows", texts(lambda text, chance: (text + " ") * (40_000 // len(text)), 3)),
    "one label": ("one_label", only_one_label),
    "labels are scores": ("labels_are_scores", scores_for_labels),
    "labels are free text": ("labels_not_classes", free_text_for_labels),
    "labels cast to decimals": ("labels_cast", cast_labels),
    "labels in two spellings": ("label_variants", spelled_in_two_ways),
    "imbalance": ("imbalance", imbalanced),
    "a rare label": ("rare_labels", rare),
    "a label only in test": ("unknown_label", unknown),
    "a label not in test": ("label_missing", missing),
    "numbers for texts": ("text_is_number", texts(lambda text, chance: digits(chance, 5))),
    "dates for texts": ("text_is_date", texts(lambda text, chance: f"2024-0{chance.randrange(1, 10)}-17 12:30")),
    "JSON for texts": ("text_is_json", texts(lambda text, chance: json.dumps({"text": text}))),
    "addresses for texts": ("text_is_address", texts(lambda text, chance: f"https://example.org/{chance.random()}")),
    "the wrong column": ("text_is_number", all_texts(lambda chance: digits(chance, 6))),
    "placeholders": ("placeholder", texts(lambda text, chance: chance.choice(("N/A", "null", "[deleted]")))),
    "markup": ("markup", texts(lambda text, chance: f"<p>{text}<br/></p>")),
    "wrong letters": ("wrong_letters", texts(lambda text, chance: f"{text} cafÃ© donâ€™t")),
    "look-alike letters": ("lookalike_letters", texts(lambda text, chance: f"pаypal {text}")),
    "another language": ("other_script", texts(lambda text, chance: "这家酒店的服务非常好，下次还会再来")),
    "copies": ("exact_duplicates", copied("train", "train")),
    "near-copies": ("near_duplicates", copied("train", "train", edit=True)),
    "copies with another label": ("conflicting_labels", copied("train", "train", other_label=True)),
    "near-copies with another label": ("near_conflicts", copied("train", "train", edit=True, other_label=True)),
    "training rows in test": ("leakage", copied("train", "test")),
    "edited training rows in test": ("near_leakage", copied("train", "test", edit=True)),
    "test of another domain": ("unlike_train", other_domain),
    "labels in the texts": ("label_in_text", told),
    "texts that are cut": ("truncated", texts(lambda text, chance: f"{text} " * 60, 150)),
    "mail addresses": (
        "personal_email",
        texts(lambda text, chance: f"{text} jo.doe{digits(chance, 3)}@mail.example.com"),
    ),
    "phone numbers": ("personal_phone", texts(lambda text, chance: f"{text} call (212) 555-{digits(chance, 4)}")),
    "Chinese phone numbers": ("personal_chinese_phone", texts(lambda text, chance: f"{text} 138{digits(chance, 8)}")),
    "card numbers": ("personal_card", texts(lambda text, chance: f"{text} {luhn_card(chance)}")),
    "Chinese resident numbers": (
        "personal_chinese_id",
        texts(lambda text, chance: f"{text} {resident_number(chance)}"),
    ),
    "social security numbers": (
        "personal_ssn",
        texts(lambda text, chance: f"{text} 219-0{digits(chance, 1)}-{digits(chance, 4)}"),
    ),
    "bank account numbers": ("personal_iban", texts(lambda text, chance: f"{text} {bank_number(chance)}")),
}


# --- faults in sentences of tokens and tags -------------------------------------------------------------------------


def broken_tags(splits: Splits, chance: random.Random) -> None:
    """A start where an entity should go on: in IOB1 a needless B-."""
    rows = [row for row in splits["train"] if "O" in row[1][:-1] and any(tag.startswith("I-") for tag in row[1])]
    for row in chance.sample(rows, NUM):
        at = next(at for at, tag in enumerate(row[1]) if tag.startswith("I-"))
        row[1][at] = "B" + row[1][at][1:]
        if at and row[1][at - 1] != "O":
            row[1][at - 1] = "O"


def inconsistent(splits: Splits, chance: random.Random) -> None:
    """The same words once as an entity and once as none."""
    for at in range(NUM):
        words = ["minister", "visited", f"Port{at}", "on", "Monday"]
        splits["train"].append([words, ["O", "O", "I-LOC", "O", "O"]])
        splits["train"].append([["the", *words], ["O", "O", "O", "O", "O", "O"]])


def unknown_type(splits: Splits, chance: random.Random) -> None:
    """A type that only test has."""
    for row in chance.sample(splits["test"], NUM):
        row[1][0] = "I-EVENT"


def rare_type(splits: Splits, chance: random.Random) -> None:
    """A type with two entities."""
    for row in splits["train"][5:7]:
        row[1][0] = "I-EVENT"


def copied_sentences(splits: Splits, chance: random.Random) -> None:
    """Training sentences in test."""
    long = [row for row in splits["train"] if len(row[0]) > 12]
    splits["test"] += [[list(words), list(tags)] for words, tags in chance.sample(long, NUM)]


def tagless(splits: Splits, chance: random.Random) -> None:
    """Tokens without a tag."""
    for row in chance.sample(splits["train"], NUM):
        row[1][0] = ""


def sentence_mail(splits: Splits, chance: random.Random) -> None:
    """A mail address among the tokens."""
    for row in chance.sample(splits["train"], NUM):
        row[0].append(f"jo{digits(chance, 4)}@mail.example.com")
        row[1].append("O")


TAGGED: dict[str, tuple[str, Plant]] = {
    "broken tags": ("broken_tags", broken_tags),
    "an entity tagged in two ways": ("inconsistent_entity", inconsistent),
    "an entity type only in test": ("unknown_tag", unknown_type),
    "a rare entity type": ("rare_entity_type", rare_type),
    "training sentences in test": ("leakage", copied_sentences),
    "tokens without a tag": ("bad_row", tagless),
    "mail addresses in sentences": ("personal_email", sentence_mail),
}


# --- faults of files ------------------------------------------------------------------------------------------------


def latin1(path: Path) -> None:
    """One byte that is not UTF-8."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = b"caf\xe9 " + lines[len(lines) // 2]
    path.write_bytes(b"".join(lines))


def ragged(path: Path) -> None:
    """Lines with a cell too many."""
    lines = path.read_bytes().splitlines(keepends=True)
    for at in range(len(lines) // 2, len(lines) // 2 + NUM):
        lines[at] = b"one,two,three,four\n"
    path.write_bytes(b"".join(lines))


def emptied(path: Path) -> None:
    """Nothing is left."""
    path.write_bytes(b"")


def header_only(path: Path) -> None:
    """Only the header is left."""
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])


FILES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a byte that is not UTF-8": ("not_utf8", latin1),
    "ragged lines": ("ragged_row", ragged),
    "an empty file": ("empty_file", emptied),
    "a header only": ("empty_file", header_only),
}


# --- the bench ------------------------------------------------------------------------------------------------------


def read_rows(path: Path) -> Rows:
    """Text and label of each row of sst2 or banking77."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return [[row["text"], row["category"]] for row in csv.DictReader(file)]
        return [line.rstrip("\n").split("\t") for line in file if line.strip()]


def read_sentences(path: Path) -> Rows:
    """Tokens and tags of each sentence of conll2003."""
    found: Rows = []
    words: list[str] = []
    tags: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        if line.strip() and not line.startswith("-DOCSTART-"):
            cells_of = line.split()
            words.append(cells_of[0])
            tags.append(cells_of[-1])
        elif words:
            found.append([words, tags])
            words, tags = [], []
    return found


def write(folder: Path, splits: Splits, *, tagged: bool) -> dict[str, Path]:
    """The splits as files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, rows in splits.items():
        paths[name] = folder / (f"{name}.conll" if tagged else f"{name}.csv")
        with paths[name].open("w", encoding="utf-8", newline="") as out:
            if tagged:
                for words, tags in rows:
                    out.writelines(f"{word} {tag}".rstrip() + "\n" for word, tag in zip(words, tags, strict=True))
                    out.write("\n")
            else:
                csv.writer(out).writerows([["text", "label"], *rows])
    return paths


def counts(paths: dict[str, Path]) -> tuple[Counter[str], int]:
    """How often each code was found, and how many errors there are."""
    from deepen.api import check

    record = check(str(paths["train"]), test=str(paths["test"]))
    found: Counter[str] = Counter()
    for finding in record["findings"]:
        found[finding["code"]] += finding["count"]
    return found, sum(finding["severity"] == "error" for finding in record["findings"])


SOME = {"labels_not_classes", "one_label", "labels_cast", "label_variants", "imbalance", "rare_labels", "label_missing"}
SOME |= {"not_utf8", "empty_file", "unlike_train", "long_cell", "glued_rows", "rare_entity_type", "labels_are_scores"}


def measure(data: Path, work: Path, name: str) -> list[dict[str, Any]]:
    """Every kind of fault in copies of one data set."""
    tagged = name == "conll2003"
    files = {"sst2": ("train.tsv", "test.tsv"), "banking77": ("train.csv", "test.csv")}
    files["conll2003"] = ("eng.train", "eng.testb")
    read = read_sentences if tagged else read_rows
    clean = {split: read(data / name / file) for split, file in zip(("train", "test"), files[name], strict=True)}
    paths = write(work / name / "clean", clean, tagged=tagged)
    usual, errors = counts(paths)
    results = [{"set": name, "fault": "(clean)", "code": "", "found": errors == 0, "count": errors}]
    kinds = dict(TAGGED if tagged else ROWS)
    for at, (fault, (code, plant)) in enumerate([*kinds.items(), *([] if tagged else FILES.items())]):
        folder = work / name / str(at)
        chance = random.Random(f"{SEED} {fault}")
        splits = {split: [[_own(cell) for cell in row] for row in rows] for split, rows in clean.items()}
        if fault in kinds:
            plant(splits, chance)  # type: ignore[arg-type, call-arg]
        paths = write(folder, splits, tagged=tagged)
        if fault in FILES:
            plant(paths["train"])  # type: ignore[arg-type, call-arg]
        seen, _ = counts(paths)
        more = seen[code] - usual[code]
        results.append({"set": name, "fault": fault, "code": code, "count": more})
        results[-1]["found"] = more > 0 if code in SOME else more >= NUM / 2
        print(
            f"{name:<10} {fault:<34} {code:<24} {more:>7} {'found' if results[-1]['found'] else 'MISSED'}", flush=True
        )
    return results


def _own(cell: Any) -> Any:
    return list(cell) if isinstance(cell, list) else cell


def main() -> None:
    """Runs every kind in every data set; a cell for each set."""
    options = cells.parser(__doc__ or "").parse_args()
    os.environ["DEEPEN_CACHE"] = str(options.work / NAME / f"cache-{os.getpid()}")
    for name in ("sst2", "banking77", "conll2003"):
        if not cells.wanted(f"{NAME}-{name}", options):
            continue
        began = time.monotonic()
        results = measure(options.data, options.work / NAME, name)
        faults = [row for row in results if row["fault"] != "(clean)"]
        missed = [row["fault"] for row in faults if not row["found"]]
        cells.write(
            f"{NAME}-{name}",
            command=f"python benchmarks/planted_faults.py --data DATA --only {name}",
            seed=SEED,
            value=len(faults) - len(missed),
            n=len(faults),
            interval=None,
            unit="kinds of planted faults found by their code",
            codes=len({row["code"] for row in faults}),
            missed=missed,
            errors_on_the_clean_copy=sum(row["count"] for row in results if row["fault"] == "(clean)"),
            seconds=round(time.monotonic() - began, 1),
        )


if __name__ == "__main__":
    main()
