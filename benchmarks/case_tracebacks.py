"""The tracebacks that an attack found (F13): what a person can put right is one line and exit 2."""

from __future__ import annotations

import base64
import json
import shutil

from case_faults import a_run, folder_with, rows, table
from trial import Trial, Verdict, case, judge, worst


@case("F13a", "--set words that YAML reads as no value", "a setting error")
def _(t: Trial) -> Verdict:
    table(t)
    words = [
        "seed=2020-13-45",
        "seed=0b_",
        "seed=!!int x",
        "seed=!!timestamp x",
        f"seed={'[' * 3000}",
        "seed=!!python/name:os",
    ]
    words += ["seed=2020-01-01", "seed=.inf", "seed=1_000", "seed=0x", "seed=!!binary x", "seed={? a : b}", "seed=<<"]
    words += [
        f"data.max_labels={'9' * 5000}",
        "ladder.rungs={a: 1}",
        "seed=&a [*a]",
        "data.encoding=\x00",
        "=1",
        "a..b=1",
    ]
    each = []
    for word in words:
        call = t.deepen("train", "train.csv", "--rungs", "majority", "--set", word, "--out", f"r{len(each)}", limit=30)
        each.append(
            judge(
                call, word == "seed=1_000", remedy="setting|seed|max_labels|rungs|encoding|key|yaml|--set", quick=True
            )
        )
    return worst(*each)


@case("F13b", "recipes with such values, deep brackets, other types", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    bad = [
        "seed: 2020-13-45\n",
        "[" * 5000,
        "{" * 5000,
        "seed: !!int x\n",
        "- a\n- b\n",
        "5\n",
        "\x00",
        "a: [\n",
        "? [a]\n: b\n",
    ]
    bad += [
        "seed: &a [*a]\n",
        "data: [1]\n",
        "1: 2\n",
        "task: !!set {a}\n",
        "seed: !!float x\n",
        "\udc80",
    ]
    for number, text in enumerate(bad):
        name = t.file(f"r{number}.yaml", text)
        call = t.deepen("train", "train.csv", "--recipe", name, "--rungs", "majority", "--out", f"o{number}", limit=30)
        each.append(judge(call, False, remedy="recipe|yaml|FILE|key|seed|section|data|task", quick=True))
    return worst(*each)


@case("F13c", "--columns with a number of 5,000 nines; texts that are endless numbers", "one line")
def _(t: Trial) -> Verdict:
    a_run(t)
    call = t.deepen(
        "train", "train.csv", "--rungs", "majority", "--columns", f"text={'9' * 5000},label=1", "--out", "o"
    )
    each = [judge(call, False, remedy="column", quick=True)]
    values = ("10**5000", "deep(5000)", "float('nan')", "b'x'", "{1, 2}", "object()", "[]", "None", "'\\ud800'", "1j")
    for value in values:
        program = "import deepen\ndef deep(n):\n    v = []\n    for _ in range(n): v = [v]\n    return v\n"
        program += "from deepen.core.errors import DeepenError\nmodel = deepen.load('a')\n"
        program += f"try:\n    model.predict([{{'text': {value}}}])\n"
        program += "except DeepenError as error:\n    print('told', str(error)[:80])\n"
        each.append(judge(t.python(program), True))
    return worst(*each)


@case("F13d", "SQuAD files whose parts have another shape", "one line")
def _(t: Trial) -> Verdict:
    each = []
    good = {"question": "Who?", "id": "1", "answers": [{"text": "Mara", "answer_start": 0}]}
    bad = [
        5,
        "x",
        None,
        [5],
        [None],
        {},
        [{"context": 5}],
        [{"context": "Mara", "qas": 5}],
        [{"context": "Mara", "qas": [5]}],
    ]
    bad += [
        [{"context": "Mara", "qas": [{**good, key: value}]}] for key in good for value in (5, None, [], {}, [5], "x")
    ]
    for number, value in enumerate(bad):
        made = {"version": "1", "data": [{"title": "t", "paragraphs": value}]}
        call = t.deepen("check", t.file(f"q{number}.json", json.dumps(made)))
        each.append(judge(call, True, remedy="FILE|paragraphs|qas|context|question|answer"))
    return worst(*each)


@case("F13e", "tagging rows that are empty, or not lists", "one line")
def _(t: Trial) -> Verdict:
    good = [{"text": "Mara flew", "ner_tags": "B-PER O"}] * 3
    each = []
    for number, value in enumerate(("", [], None, 5, {}, [[]], "O", [5, 6], [None, None], ["O"], {"a": 1})):
        made = [{"text": "", "ner_tags": value}, *good, {"text": "Mara flew", "ner_tags": value}]
        name = t.file(f"t{number}.json", json.dumps(made))
        call = t.train(name, "--task", "tagging", run=f"r{number}")
        each.append(judge(call, True, remedy="FILE|tag|empty|token|rows"))
    return worst(*each)


@case("F13f", "encodings that are no encodings of text files", "one line")
def _(t: Trial) -> Verdict:
    t.file("u.csv", "text,label\n" + "".join(f"{text} \u00e9\u4f60,{label}\n" for text, label in rows(30)))
    each = []
    for name in (
        "punycode",
        "idna",
        "utf-7",
        "unicode_escape",
        "raw_unicode_escape",
        "rot13",
        "hex",
        "zlib",
        "undefined",
        "utf-16",
        "mbcs",
    ):
        call = t.deepen("check", "u.csv", "--set", f"data.encoding={name}")
        if "no option" in call.err:
            call = t.train("u.csv", "--set", f"data.encoding={name}", run=f"r{name}")
        each.append(judge(call, True, remedy="encoding|FILE|utf"))
    return worst(*each)


@case("F13g", "--labels files with broken characters and other shapes", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    bad = [
        '{"good":"\\ud800","bad":"b"}',
        "[" * 5000,
        '{"good": 5}',
        '{"good": null, "bad": []}',
        "[1, 2]",
        '"x"',
        "good\n",
        "\x00",
        "",
    ]
    bad += [
        '{"good":"\\u0000","bad":"b"}',
        "good\tx\ngood\ty\nbad\tz\n",
        '{"good":"", "bad":"b"}',
        '{"' + "g" * 10**6 + '": 1}',
    ]
    for number, text in enumerate(bad):
        call = t.train("train.csv", "--labels", t.file(f"l{number}.json", text), run=f"r{number}")
        each.append(judge(call, True, remedy="FILE|label|name"))
    return worst(*each)


@case("F13h", "files of ids with deep or odd lines", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    bad = [
        '{"id":' + "[" * 5000,
        '{"id": 5}',
        '{"id": null}',
        "[]",
        "{}",
        "\x00",
        '{"id": "x", "label": []}',
        "id\n",
        "",
        '{"id": {"a": 1}}',
    ]
    for option in ("--drop", "--fix"):
        for number, text in enumerate(bad):
            name = t.file(f"i{option}{number}.jsonl", text + "\n")
            call = t.train("train.csv", option, name, run=f"r{option}{number}")
            each.append(judge(call, True, remedy="FILE|id|label|row"))
    return worst(*each)


@case("F13i", "files of a run nested deeply, or emptied", "one line")
def _(t: Trial) -> Verdict:
    a_run(t)
    each = []
    deep = "[" * 5000
    for path in sorted(path for path in (t.folder / "a").rglob("*") if path.suffix in (".json", ".jsonl", ".yaml")):
        before = path.read_bytes()
        for content in (deep, "", "[]", "5", '{"a": ' + deep, "\x00"):
            path.write_text(content)
            for words in (
                ("predict", "a", "--text", "fine"),
                ("report", "a"),
                ("diagnose", "a", "--questions", "depth"),
            ):
                call = t.deepen(*words)
                each.append(judge(call, True, remedy=f"{path.name}|FILE|run|damaged|changed"))
        path.write_bytes(before)
    return worst(*each)


@case("F13j", "names of 300 letters, of a folder without rights, with a NUL", "one line")
def _(t: Trial) -> Verdict:
    a_run(t)
    each = []
    for name in ("x" * 300, "train.csv/a", "/proc/self/mem", "/root/../etc/shadow/x", "~nobody-at-all/x", "//", "-"):
        for words in (
            ("predict", name, "--text", "x"),
            ("diagnose", name),
            ("report", name),
            ("check", name),
            ("train", name, "--rungs", "majority", "--out", "n"),
            ("train", "train.csv", "--model", name, "--rungs", "majority,frozen", "--out", "m"),
            ("train", "train.csv", "--rungs", "majority", "--out", name),
            ("predict", "a", "--text", "x", "--out", f"{name}.csv"),
            ("train", "train.csv", "--rungs", "majority", "--recipe", name),
            ("evaluate", "a", name),
        ):
            call = t.deepen(*words, limit=60)
            each.append(judge(call, True, remedy="name|run|folder|path|long|model|file|no |not |rows|can't read"))
    return worst(*each)


@case("F13k", "settings of a model folder that no library takes", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    bad = [
        {"pad_token_id": "x"},
        {"layer_norm_eps": "x"},
        {"num_attention_heads": 0},
        {"num_attention_heads": 3},
        {"id2label": "x"},
    ]
    bad += [
        {"architectures": 5},
        {"model_type": 5},
        {"model_type": "nope"},
        {"hidden_size": "x"},
        {"hidden_size": -1},
        {"vocab_size": 3},
    ]
    bad += [
        {"hidden_act": "nope"},
        {"max_position_embeddings": 0},
        {"intermediate_size": None},
        {"dtype": "nope"},
        {"torch_dtype": 5},
    ]
    bad += [
        {"hidden_dropout_prob": 7},
        {"initializer_range": "x"},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": -2},
        {"type_vocab_size": 0},
    ]
    for number, keys in enumerate(bad):
        name = folder_with(t, "config.json", **keys)
        call = t.train("train.csv", "--model", name, "--thorough", rungs="frozen,top_layers", run=f"r{number}")
        each.append(judge(call, True, remedy="|".join(keys) + "|config|model|weights"))
        shutil.rmtree(t.folder / name)
    return worst(*each)


@case("F13l", "tokenizer.json that fits nothing", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    real = json.loads((t.tiny / "tokenizer.json").read_text())
    vocabulary = real["model"]["vocab"]
    each = []
    bad = [
        {
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[NO]", "type_id": 0}}],
                "pair": [],
                "special_tokens": {},
            }
        },
        {"model": real["model"] | {"vocab": {word: at + 10**6 for word, at in vocabulary.items()}}},
        {"model": real["model"] | {"vocab": {word: at for word, at in vocabulary.items() if word != "[UNK]"}}},
        {"model": real["model"] | {"vocab": {}}},
        {"model": {"type": "Nope"}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(b"x" * 9).decode()}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}},
        {"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}},
        {"added_tokens": [{"id": 10**9, "content": "x", "special": True}]},
        {"truncation": {"max_length": 0, "strategy": "LongestFirst", "stride": 5, "direction": "Right"}},
    ]
    for number, keys in enumerate(bad):
        name = folder_with(t, "tokenizer.json", **keys)
        call = t.train("train.csv", "--model", name, rungs="frozen", run=f"r{number}", limit=60)
        each.append(judge(call, True, remedy="tokenizer|vocab"))
    return worst(*each)


@case("F13m", "lengths of a tokenizer that are no lengths", "one line, or passed over")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    for number, value in enumerate(("x", -5, 0, 2.5, None, [], 10**30, 1, 2, True)):
        name = folder_with(t, "tokenizer_config.json", model_max_length=value)
        call = t.train("train.csv", "--model", name, rungs="frozen", run=f"a{number}")
        each.append(judge(call, True, remedy="model_max_length|max_length|tokens|length"))
    for number, value in enumerate(("x", -1, 0, 2.5, None, [], 10**30, 1)):
        name = folder_with(t, "tokenizer_config.json")
        t.file(f"{name}/sentence_bert_config.json", json.dumps({"max_seq_length": value}))
        call = t.train("train.csv", "--model", name, rungs="frozen", run=f"b{number}")
        each.append(judge(call, True, remedy="max_seq_length|tokens|length"))
    return worst(*each)


@case("F13n", "files of one run that do not fit one another", "one line")
def _(t: Trial) -> Verdict:
    a_run(t)
    each = []

    def asked(path: str, change: object, *words: str) -> None:
        target = t.folder / path
        before = target.read_bytes()
        record = json.loads(before)
        change(record)  # type: ignore[operator]
        target.write_text(json.dumps(record))
        call = t.deepen(*words)
        each.append(judge(call, True, remedy="label|damaged|changed|run|fit|vocabulary|ladder|json"))
        target.write_bytes(before)

    predict = ("predict", "a", "--text", "fine film")
    for labels in ([], ["good"], ["bad", "good", "more"], "x", 5, [1, 2], ["a", "a"], None):
        asked("a/model/deepen.json", lambda record, labels=labels: record.update(labels=labels), *predict)
    for key, value in (
        ("task", "nope"),
        ("rung", 5),
        ("columns", 5),
        ("data", []),
        ("files", []),
        ("max_tokens", "x"),
        ("task_settings", 5),
    ):
        asked("a/model/deepen.json", lambda record, key=key, value=value: record.update({key: value}), *predict)
    asked("a/model/vocabulary.json", lambda record: record.clear(), *predict)
    for value in (float("nan"), None, "x", -1, []):
        asked("a/ladder.json", lambda record, value=value: record.update(seconds=value), "report", "a")
        asked("a/ladder.json", lambda record, value=value: record["rungs"][0].update(seconds=value), "report", "a")
        asked("a/ladder.json", lambda record, value=value: record["rungs"][0].update(score=value), "report", "a")
        asked("a/ladder.json", lambda record, value=value: record.update(rungs=value), *predict)
        asked("a/ladder.json", lambda record, value=value: record.update(chosen=value), *predict)
    return worst(*each)


@case("F13o", "weights that are NaN, cut short, of other shapes; a GGUF cut short", "one line")
def _(t: Trial) -> Verdict:
    table(t)
    each = []
    weights = (t.tiny / "model.safetensors").read_bytes()
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    one = next(name for name in header if name != "__metadata__")

    def with_header(changed: object) -> bytes:
        head = json.dumps(changed).encode()
        return len(head).to_bytes(8, "little") + head + weights[8 + size :]

    bad = [weights[:100], weights[: len(weights) // 2], b"", b"\xff" * 64, (10**15).to_bytes(8, "little") + weights[8:]]
    bad += [weights[: 8 + size] + b"\xff" * (len(weights) - 8 - size), with_header({}), with_header(5), with_header([])]
    bad += [
        with_header(header | {one: header[one] | {"shape": [10**9, 10**9]}}),
        with_header(header | {one: header[one] | {"dtype": "X"}}),
    ]
    bad += [with_header(header | {one: header[one] | {"data_offsets": [0, 10**12]}}), with_header({one: header[one]})]
    for number, content in enumerate(bad):
        name = folder_with(t, "config.json")
        (t.folder / name / "model.safetensors").write_bytes(content)
        call = t.train("train.csv", "--model", name, rungs="frozen", run=f"r{number}", limit=60)
        each.append(
            judge(call, False, remedy="weights|safetensors|damaged|NaN|finite|cut", warned="NaN|finite|missing")
        )
    for content in (
        b"GGUF",
        b"GGUF\x03\x00\x00\x00" + b"\xff" * 16,
        b"GGUF\x03\x00\x00\x00" + b"\x01" + b"\x00" * 15,
        b"",
    ):
        t.file(f"g{len(each)}/m.gguf", content)
        call = t.train("train.csv", "--model", f"g{len(each)}", rungs="frozen", run=f"g{len(each)}r", limit=60)
        each.append(judge(call, False, remedy="gguf"))
    return worst(*each)
