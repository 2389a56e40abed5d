"""Where fuzz.py's inputs come from: small right files of every format, and many ways of making them wrong."""

# ruff: noqa: E501 - rows of small files and odd values

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import struct
from pathlib import Path
from typing import Any

_CHANCE = random.Random(7)
_THINGS = "film room phone desk lamp hotel soup train seat music".split()
_SIGNS = {"good": "fine great lovely happy".split(), "bad": "poor awful broken sorry".split()}


def _rows(num: int) -> list[tuple[str, str]]:
    made = []
    for number in range(num):
        label = ("good", "bad")[number % 2]
        made.append((f"the {_CHANCE.choice(_THINGS)} no {number} was {_CHANCE.choice(_SIGNS[label])}", label))
    return made


ROWS = _rows(60)
TAGGED = []
for _ in range(60):
    _said = _CHANCE.choices("with the old new red bag lamp seat today again before after my our their".split(), k=6)
    _words = ["Mara", "Silva", "flew", "to", _CHANCE.choice(("Oslo", "Lyon", "Riga")), *_said]
    TAGGED.append((_words, ["B-PER", "I-PER", "O", "O", "B-LOC", *["O"] * 6]))
LABELS = {"good": "Good one", "bad": "Bad one"}


def _csv(rows: list[Any], delimiter: str = ",", **how: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", **how).writerows(rows)
    return out.getvalue().encode()


def _parquet(columns: dict[str, list[Any]], kind: str = "parquet") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, out = pa.table(columns), io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out)
    else:
        with pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


def _squad() -> dict[str, Any]:
    paragraphs = []
    for number in range(10):
        context = f"Mara flew to Oslo with bag {number}"
        asked = {"id": str(number), "question": "Who flew?", "answers": [{"text": "Mara", "answer_start": 0}]}
        none = {"id": f"{number}x", "question": "What did it cost?", "answers": [], "is_impossible": True}
        paragraphs.append({"context": context, "qas": [asked, none]})
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}


def _studio(full: bool) -> list[dict[str, Any]]:
    made = []
    for number, (words, _) in enumerate(TAGGED[:15]):
        text = " ".join(words)
        span = {"start": 0, "end": 10, "text": text[:10], "labels": ["PER"]}
        if full:
            result = [{"value": span, "from_name": "label", "to_name": "text", "type": "labels"}]
            made.append({"id": number, "data": {"text": text}, "annotations": [{"id": number, "result": result}]})
        else:
            made.append({"id": number, "text": text, "label": [span], "annotator": 1})
    return made


def _conllu() -> str:
    blocks = []
    for number, (words, tags) in enumerate(TAGGED[:15]):
        lines = [f"# sent_id = {number}", f"# text = {' '.join(words)}"]
        lines += [
            f"{at + 1}\t{w}\t{w}\tX\t_\t_\t0\tdep\t_\tNER={tag}"
            for at, (w, tag) in enumerate(zip(words, tags, strict=True))
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n\n"


def _seeds() -> dict[str, bytes]:
    objects = [{"text": text, "label": label} for text, label in ROWS]
    lines = "\n".join(json.dumps(row) for row in objects)
    columns = {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    tagged = "\n\n".join("\n".join(f"{w} {t}" for w, t in zip(*row, strict=True)) for row in TAGGED) + "\n"
    doccano = [{"id": n, "text": " ".join(words), "label": [[0, 10, "PER"]]} for n, (words, _) in enumerate(TAGGED)]
    prodigy = [
        {"text": text, "label": label.upper(), "answer": ("accept", "reject")[n % 4 == 0]}
        for n, (text, label) in enumerate(ROWS)
    ]
    tokens = {"tokens": [row[0] for row in TAGGED], "ner_tags": [row[1] for row in TAGGED]}
    pairs = [
        (text, other, ("yes", "no")[n % 2])
        for n, ((text, _), (other, _)) in enumerate(zip(ROWS, ROWS[7:] + ROWS[:7], strict=True))
    ]
    many = [(text, "|".join(sorted({label, _THINGS[n % 3]}))) for n, (text, label) in enumerate(ROWS)]
    return {
        "table.csv": _csv([("text", "label"), *ROWS]),
        "quoted.csv": _csv([("text", "label"), *((f'he said "{text}", twice', label) for text, label in ROWS)]),
        "bare.csv": _csv([(label, text) for text, label in ROWS]),
        "semicolon.csv": _csv([("Text", "Klasse"), *ROWS], ";"),
        "bars.txt": _csv(ROWS, "|"),
        "table.tsv": _csv([("text", "label"), *ROWS], "\t"),
        "bare.tsv": _csv(ROWS, "\t"),
        "pairs.tsv": _csv([("sentence1", "sentence2", "label"), *pairs], "\t"),
        "many.csv": _csv([("text", "labels"), *many]),
        "scores.csv": _csv([("text", "score"), *((text, n / 7) for n, (text, _) in enumerate(ROWS))]),
        "split.csv": _csv(
            [
                ("id", "text", "split", "label"),
                *((n, a, ("train", "test")[n % 5 == 0], b) for n, (a, b) in enumerate(ROWS)),
            ]
        ),
        "ranking.csv": _csv([("query", "answer"), *((text, f"answer {n}") for n, (text, _) in enumerate(ROWS))]),
        "rows.jsonl": lines.encode(),
        "rows.json": json.dumps(objects).encode(),
        "nested.json": json.dumps({"version": 1, "data": objects}).encode(),
        "columns.json": json.dumps(
            {name: {str(n): cell for n, cell in enumerate(cells)} for name, cells in columns.items()}
        ).encode(),
        "splits.json": json.dumps(
            {"columns": ["text", "label"], "index": [0, 1], "data": [list(row) for row in ROWS]}
        ).encode(),
        "lists.json": json.dumps(columns).encode(),
        "doccano.jsonl": "\n".join(map(json.dumps, doccano)).encode(),
        "prodigy.jsonl": "\n".join(map(json.dumps, prodigy)).encode(),
        "studio.json": json.dumps(_studio(full=True)).encode(),
        "studio_min.json": json.dumps(_studio(full=False)).encode(),
        "spacy.json": json.dumps([["Mara flew", {"entities": [[0, 4, "PER"]]}]] * 20).encode(),
        "cats.jsonl": "\n".join(
            json.dumps({"text": a, "cats": {"good": float(b == "good"), "bad": float(b == "bad")}}) for a, b in ROWS
        ).encode(),
        "squad.json": json.dumps(_squad()).encode(),
        "tags.conll": tagged.encode(),
        "tags.tsv": tagged.replace(" ", "\t").encode(),
        "train.conllu": _conllu().encode(),
        "fasttext.txt": "".join(f"__label__{label} {text}\n" for text, label in ROWS).encode(),
        "fasttexts.txt": "".join(f"__label__{label} __label__x {text}\n" for text, label in ROWS).encode(),
        "lines.txt": "".join(f"{text}\n" for text, _ in ROWS).encode(),
        "led.txt": "".join(f"{label} {text}\n" for text, label in ROWS).encode(),
        "marked.txt": "".join(
            f'{n}\t"the <e1>{_THINGS[n % 5]}</e1> made the <e2>soup</e2>"\nCause(e1,e2)\nComment:\n\n'
            for n in range(20)
        ).encode(),
        "rows.parquet": _parquet(columns),
        "tokens.parquet": _parquet(tokens),
        "rows.arrow": _parquet(columns, "arrow"),
        "table.csv.gz": gzip.compress(_csv([("text", "label"), *ROWS])),
        "rows.jsonl.gz": gzip.compress(lines.encode()),
        "utf16.csv": ("text,label\n" + "".join(f"{a},{b}\n" for a, b in ROWS)).encode("utf-16"),
        "gbk.csv": (
            "文本,标签\n" + "".join(f"这次的早餐很好{n},{'好评' if n % 2 else '差评'}\n" for n in range(40))
        ).encode("gb18030"),
        "chars.conll": "".join("李 B-人名\n华 I-人名\n去 O\n成 B-地名\n都 I-地名\n\n" for _ in range(20)).encode(),
        "nlu.yml": b"version: '3.1'\nnlu:\n- intent: greet\n  examples: |\n    - hey there\n    - hello\n- intent: bye\n  examples: |\n    - bye\n",
    }


EXTRA = {
    "labels.json": json.dumps(LABELS).encode(),
    "labels.tsv": b"good\tGood one\tsaid of what is fine\nbad\tBad one\t\n",
    "labels.csv": b"code,name,description\n0,Good one,fine\n1,Bad one,poor\n",
    "ids.csv": b"id,label\nKNOWN,poor\n",
    "ids.jsonl": b'{"id": "KNOWN", "label": "poor"}\n',
    "recipe.yaml": (
        b"data:\n  path: train.csv\n  columns: {text: review, label: stars}\n  label_cuts: [0.0]\n  encoding: utf-8\n"
        b"task: classification\nmodel: {name: tiny, max_tokens: 64}\ntuning: full\nladder:\n  rungs: [majority, lexical]\n"
        b"  worth: 0.5\nseed: 3\nrungs:\n  lexical: {word_ngrams: [1, 2]}\n"
    ),
}
SEEDS = _seeds()
WORDS = (
    "seed data.max_labels data.encoding data.delimiter data.header data.quoting data.bad_rows data.label_cuts data.label_names "
    "data.hide data.columns data.path data.near.threshold data.validation_share model.name model.max_tokens ladder.rungs "
    "ladder.worth ladder.budget rungs.lexical.word_ngrams task tuning nope data.nope data data.normalise.unicode tracker"
).split()
_BYTES = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b'"', b'""', b"'", b",", b";", b"\t", b"|", b"\n", b"\r\n", b"\r", b"\n\n", b" ",
    b"[", b"]", b"{", b"}", b":", b"[" * 3000, b"{" * 400, b'{"a":' * 1500, b"\xed\xa0\x80", b"\x1b[31m", b"\xe2\x80\xae", b"\xe2\x80\x8b",
    b"NaN", b"Infinity", b"-", b"1e999", b"9" * 5000, b"null", b"true", b"&a ", b"*a", b"!!python/object:os.system ", b"!!timestamp x",
    b"__label__", b"-DOCSTART-", b"B-PER", b"# ", b"<e1>", b"\\", b"\\u0000", b"\\ud800", b"%", b"=cmd()", b"a" * 70_000, b"\xcc\x81" * 3000,
    b"\x1f\x8b", b"PAR1", b"ARROW1", b"PK\x03\x04", b"\xf4\x90\x80\x80", b"\x85", b"\x0b", b"\x0c", b"\xc2\x85", b"\xe2\x80\xa8", b"0x10", b"1_0",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 10**25, 0.5, float("nan"), float("inf"), "", " ", "x", "\x00", "\ud800", "\u202e", "\x1b[31m",
    "a" * 5000, [], {}, [[]], [None], {"": None}, [1, 2], ["a", "b"], {"a": 1}, [[0, 4, "PER"]], [[4, 0, "PER"]], [[0, 99, "PER"]], [[-1, 3, "X"]],
    {"text": [], "answer_start": []}, {"text": ["Mara"], "answer_start": ["x"]}, "O", "B-PER I-PER", -7.5, "5e-324", "\ufeff", "nan",
)  # fmt: skip
_TEXTS = (
    "", "x", "nope", "-1", "0", "1", "2.5", "1e999", ".nan", "-.inf", "null", "~", "true", "yes", "[]", "[1, 2]", "[a, b]", "{}", "{a: 1}",
    "[" * 2500, "{" * 900, "!!int x", "!!float x", "!!timestamp x", "!!binary x", "!!set {a}", "!!python/name:os", "2020-13-45", "2020-01-01", "0b_", "0x", "0o9",
    "&a [*a]", "*a", "? a", "<<: 1", "9" * 5000, "-" + "9" * 20, "\x00", "\ud800", "\u202e", "\x1b[31m", "a\nb", "'", '"', "|", ">", "@", "%", "`", "190:20:30",
    "text=0", "text=0,label=1", "text=a+b,label=c", "text=,label=", "=", ",", "text", "text=0,text=1", "label=99999999999999999999", "text=" + "9" * 5000, "tokens=0",
)  # fmt: skip


def nasty(chance: random.Random) -> str:
    """A word that somebody might type, or must not."""
    word = chance.choice(_TEXTS)
    return word + chance.choice(_TEXTS) if chance.random() < 0.2 else word


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items)[:40]:
        found += _nodes(inner, (*path, key))
    return found


def _changed(chance: random.Random, value: Any) -> Any:
    """A node replaced, taken out, doubled, renamed or wrapped."""
    path = chance.choice(_nodes(value))
    if not path:
        return chance.choice(([value], {"data": value}, {"a": value, "b": value}, chance.choice(_VALUES)))
    at = value
    for key in path[:-1]:
        at = at[key]
    key, how = path[-1], chance.random()
    if how < 0.55:
        at[key] = chance.choice(_VALUES)
    elif how < 0.75:
        del at[key]
    elif how < 0.85:
        at[key] = [at[key]]
    elif how < 0.92 and isinstance(at, dict):
        at[chance.choice(("text", "label", "x", "", "id", "tokens", "answer", "split", "\ud800"))] = at.pop(key)
    else:
        at[key] = {"x": at[key]}
    return value


def _structured(chance: random.Random, name: str, content: bytes) -> bytes | None:
    """A JSON file changed by its nodes; None where it is none."""
    try:
        if name.endswith(".jsonl"):
            lines = content.decode().splitlines()
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(lines))
                lines[at] = json.dumps(_changed(chance, json.loads(lines[at])))
            return "\n".join(lines).encode()
        if name.endswith(".json"):
            value = json.loads(content)
            for _ in range(chance.randint(1, 4)):
                value = _changed(chance, value)
            return json.dumps(value, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")
    except (ValueError, KeyError, IndexError, TypeError):
        pass
    return None


def _bytes_changed(chance: random.Random, content: bytes) -> bytes:
    """One small change of bytes or of lines."""
    how, at = chance.random(), chance.randrange(len(content) + 1)
    if how < 0.35:
        return content[:at] + chance.choice(_BYTES) + content[at:]
    if how < 0.45:
        return content[:at]
    if how < 0.55:
        return content[:at] + bytes([chance.randrange(256)]) + content[at + 1 :]
    if how < 0.65:
        end = min(len(content), at + chance.randint(1, 200))
        return content[:at] + content[end:]
    if how < 0.72:
        return content[:at] + content[at : at + chance.randint(1, 400)] * chance.randint(1, 5) + content[at:]
    lines = content.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    if how < 0.80:
        lines[first], lines[second] = lines[second], lines[first]
    elif how < 0.88:
        lines.insert(first, chance.choice((b"", b"text,label", b"a\tb\tc", b"{}", lines[second] + lines[first])))
    elif how < 0.94:
        lines[first] = lines[first].replace(chance.choice((b" ", b",", b"\t", b'"', b"a")), chance.choice(_BYTES))
    else:
        return content.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8")))
    return b"\n".join(lines)


def mutated(chance: random.Random, seed: str) -> tuple[str, bytes]:
    """A file made wrong.

    Args:
        chance: What decides.
        seed: The name of a right file.

    Returns:
        A name, and the bytes.
    """
    content = (SEEDS | EXTRA)[seed]
    name = seed
    if chance.random() < 0.5:
        content = _structured(chance, seed, content) or content
    inner = seed.endswith(".gz") and chance.random() < 0.7
    if inner:
        content = gzip.decompress(content)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 8))):
        content = _bytes_changed(chance, content)
    if chance.random() < 0.05:
        content += (SEEDS | EXTRA)[chance.choice(sorted(SEEDS))]
    if inner:
        content = gzip.compress(content)
    if chance.random() < 0.2:
        name = "data" + chance.choice(
            (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".gz", ".conll", "", ".xlsx", ".yaml", ".arrow")
        )
    return name, content


def tampered(chance: random.Random, folder: Path) -> tuple[str, bytes]:
    """Changes a file of a model or run folder in place; half of the time its sum is put right where one is kept.

    Returns:
        The name of the file and what it holds now.
    """
    kinds = (".json", ".jsonl", ".yaml", ".safetensors", ".txt")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in kinds)
    if chance.random() < 0.6:
        own = (
            "deepen.json",
            "config.json",
            "ladder.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocabulary.json",
            "recipe.yaml",
        )
        files = [path for path in files if path.name in own] or files
    path = chance.choice(files)
    content = path.read_bytes()
    path.unlink()  # it may be a hard link to another rung's
    if path.suffix == ".safetensors":
        size = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + size])
        how = chance.random()
        if how < 0.5:
            head = json.dumps(_changed(chance, header)).encode("utf-8", "surrogatepass")
            content = struct.pack("<Q", len(head)) + head + content[8 + size :]
        elif how < 0.7:
            content = content[: 8 + size] + chance.choice((b"\xff", b"\x00", b"\x7f")) * (len(content) - 8 - size)
        else:
            content = _bytes_changed(chance, content)
    else:
        changed = _structured(chance, path.name, content) if chance.random() < 0.85 else None
        content = changed or _bytes_changed(chance, content)
    path.write_bytes(content)
    if chance.random() < 0.5:
        _put_right(path, content)
    return path.name, content


def _put_right(path: Path, content: bytes) -> None:
    """Writes a file's sum anew into the record beside it."""
    import hashlib

    record = path.parent / "deepen.json"
    if record == path or not record.is_file():
        return
    about = json.loads(record.read_bytes())
    if isinstance(about.get("files"), dict) and path.name in about["files"]:
        about["files"][path.name] = hashlib.sha256(content).hexdigest()
        record.unlink()
        record.write_text(json.dumps(about))


_CELLS = (
    "plain words",
    'a "quoted" word',
    "one, two",
    "semi; colon",
    "it's",
    "tab less",
    "你好，世界",
    "naïve café",
    "back\\slash",
    "#1",
    "1.5",
    "-3",
    "a|b",
    "<b>x</b>",
)


def same_rows_in_every_format(chance: random.Random, folder: Path) -> list[tuple[str, Any, dict[str, Any]]]:
    """Writes the same rows in every format that can hold them.

    Returns:
        For each the name, the source and the settings that it needs.
    """
    plain = chance.random() < 0.5
    rows = []
    for number in range(chance.randint(12, 60)):
        said = [chance.choice(_THINGS) for _ in range(chance.randint(2, 5))]
        if not plain and chance.random() < 0.5:
            said.insert(chance.randrange(len(said)), chance.choice(_CELLS))
        rows.append((f"{' '.join(said)} no {number}", ("good", "bad", "so so")[number % 3]))
    objects = [{"text": text, "label": label} for text, label in rows]
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    header = [("text", "label")]
    lines = "\n".join(json.dumps(row, ensure_ascii=chance.random() < 0.5) for row in objects)
    contents: dict[str, bytes] = {
        "list.json": json.dumps(objects).encode(),
        "rows.jsonl": lines.encode(),
        "minimal.csv": _csv(header + rows),
        "all.csv": _csv(header + rows, quoting=csv.QUOTE_ALL),
        "crlf.csv": _csv(header + rows).replace(b"\n", b"\r\n"),
        "bom.csv": b"\xef\xbb\xbf" + _csv(header + rows),
        "utf16.csv": _csv(header + rows).decode().encode("utf-16"),
        "semi.csv": _csv(header + rows, ";", quoting=csv.QUOTE_ALL),
        "swapped.csv": _csv([(label, text) for text, label in header + rows]),
        "more.csv": _csv([(n if n else "number", *row) for n, row in enumerate(header + rows)]),
        "quoted.tsv": _csv(header + rows, "\t"),
        "rows.parquet": _parquet(columns),
        "rows.arrow": _parquet(columns, "arrow"),
        "minimal.csv.gz": gzip.compress(_csv(header + rows)),
        "table.json": json.dumps({"data": objects}).encode(),
    }
    if not any('"' in text for text, _ in rows):
        contents["raw.tsv"] = "".join(f"{a}\t{b}\n" for a, b in header + rows).encode()
    made: list[tuple[str, Any, dict[str, Any]]] = [("a list of mappings", objects, {})]
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        made.append((name, str(folder / name), {"encoding": "utf-16"} if name == "utf16.csv" else {}))
    return made
