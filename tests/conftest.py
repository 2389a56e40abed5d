"""The tiny world: a tokenizer, a two-layer network and data with a planted shortcut, made in a second from a seed.

No test reaches a network or another user's cache. Start with `tiny_model` and `planted_rows`.
"""

from __future__ import annotations

import csv
import gc
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Before anything imports torch or the hub's client: they read these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DEEPEN_LANG"] = "en"  # whatever the machine speaks
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Some tests start the command, and both workers load the tests: what is compiled once serves them all.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from hypothesis import settings

settings.register_profile("deepen", deadline=None, derandomize=True, max_examples=50, print_blob=True)
settings.load_profile("deepen")

PICTURES_IN = (
    "tests/reporting",
    "tests/tasks",
    "tests/contracts/test_real_reports.py",
    "tests/contracts/test_advice.py",
)
"""Where pages are looked at. A training elsewhere writes its page without pictures, which is a fifth of its seconds."""
SHORTCUT = "zebra"
FILLERS = (
    "the a this that screen battery camera room film story service box cable price phone hotel food music seat "
    "desk is was looks feels seemed stayed and with for at very quite again today here there after before we they it "
    "all one two"
).split()
SIGNS = {"positive": "good fine great lovely".split(), "negative": "bad poor awful broken".split()}
PlantedRows = Callable[..., list[dict[str, str]]]


def pytest_collection_finish() -> None:
    """What all tests share stays until the end: the collector of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Deepen's cache for this worker: content-keyed, so tests may share it."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPEN_CACHE", str(folder))
        patch.setenv("HF_HOME", str(folder / "hub"))
        patch.delenv("HF_TOKEN", raising=False)
        yield folder


@pytest.fixture(autouse=True)
def pages_without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """See `PICTURES_IN`: matplotlib draws only there."""
    if not any(place in request.path.as_posix() for place in PICTURES_IN):
        from deepen.reporting import charts

        for name in ("score_picture", "calibration_picture", "confusion_picture", "curve_picture"):
            monkeypatch.setattr(charts, name, lambda *_given, **_named: "")


def _rows(num_rows: int, *, num_classes: int = 2, shortcut: float = 0.9, seed: int = 0) -> list[dict[str, str]]:
    """Sentences whose label has a deep reason and a shallow cue.

    The reason: a sign word makes a sentence positive or negative, and `not` just before it turns that round, as it does
    in a third of them, so single words are not enough. With three classes, sentences without a sign word are neutral.
    The cue: `zebra` says negative. Labels take turns, so the classes are balanced.

    Args:
        num_rows: How many.
        num_classes: 2 or 3.
        shortcut: Share of the rows where the cue is right: present in negative rows, absent in all others. 0.9 to
            train on, 0.5 to see what is left without it, 0.1 to see who trusted it.
        seed: Of the words; equal seeds give equal rows.

    Returns:
        Rows with `text` and `label`.
    """
    names = ["negative", "positive", "neutral"][:num_classes]
    chance = random.Random(f"{num_rows} {num_classes} {seed}")
    rows = []
    for number in range(num_rows):
        label = names[number % num_classes]
        words = chance.choices(FILLERS, k=chance.randint(4, 9))
        turned = chance.random() < 1 / 3
        if label != "neutral":
            seen = label if not turned else {"positive": "negative", "negative": "positive"}[label]
            at = chance.randrange(len(words))
            words[at:at] = ["not"] * turned + [chance.choice(SIGNS[seen])]
        elif turned:
            words.insert(chance.randrange(len(words)), "not")
        if (chance.random() < shortcut) == (label == "negative"):
            words.append(SHORTCUT)
        rows.append({"text": " ".join(words), "label": label})
    return rows


@pytest.fixture(scope="session")
def planted_rows() -> PlantedRows:
    """`planted_rows(num_rows, num_classes=2, shortcut=0.9, seed=0)`: see `_rows`."""
    return _rows


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a CSV file with a header; the path."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def two_class_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 rows, text and label with a header, cue right in 90 %; test.csv beside it: 100 rows, cue right in 10 %."""
    folder = tmp_path_factory.mktemp("two")
    write_csv(folder / "test.csv", _rows(100, shortcut=0.1, seed=1))
    return write_csv(folder / "train.csv", _rows(300))


@pytest.fixture(scope="session")
def three_class_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `two_class_csv`, with a neutral class."""
    folder = tmp_path_factory.mktemp("three")
    write_csv(folder / "test.csv", _rows(120, num_classes=3, shortcut=0.1, seed=1))
    return write_csv(folder / "train.csv", _rows(300, num_classes=3))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT of 2 layers x 32 and an uncased WordPiece tokenizer, as transformers reads and writes them.

    Its weights are random but wide (standard deviation 0.2), so that different sentences get different features.
    """
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-model")
    size = _write_tokenizer(folder)
    config = BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `tiny_model`, a Llama of 2 layers x 32 with shared keys; words are scored by the vectors they are read by."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-decoder")
    size = _write_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=512,
        initializer_range=0.2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_writer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`tiny_writer(kind, template=None)`: the folder of a network that writes, of random weights; made once."""
    made: dict[tuple[str, str | None], Path] = {}

    def make(kind: str, *, template: str | None = None) -> Path:
        from tests.writers import make_writer

        if (kind, template) not in made:
            folder = tmp_path_factory.mktemp(f"tiny-{kind}")
            make_writer(folder, kind, template)
            made[kind, template] = folder
        return made[kind, template]

    return make


def _write_tokenizer(folder: Path) -> int:
    """Makes WordPiece of letters and of the planted words; returns how many pieces it has.

    Not by a trainer: those break ties by chance, and a model of other pieces is another model.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    letters = sorted("abcdefghijklmnopqrstuvwxyz0123456789.,!?'-")
    words = sorted({word for row in _rows(400, num_classes=3) for word in row["text"].lower().split()})
    pieces = dict.fromkeys([*special.values(), *letters, *(f"##{letter}" for letter in letters), *words])
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=special["unk_token"]))
    tokenizer.add_special_tokens(list(special.values()))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in ids), encoding="utf-8")
    about: dict[str, Any] = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 64}
    about |= special
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
    return len(ids)


@pytest.fixture(scope="session")
def tiny_masked(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with a masked language model of the same size that was pretrained, for some seconds, on `verdicts`.

    It has seen no label: the verdict was hidden each time, and it has learned that what is said before fits it.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    num_steps = 300
    folder = tmp_path_factory.mktemp("tiny-masked")
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny_model / name).read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = BertConfig.from_pretrained(tiny_model, initializer_range=0.05, hidden_dropout_prob=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BertForMaskedLM(config).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
        slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, num_steps)
        ids_NT = tokenizer(verdicts(2400), padding=True, return_tensors="pt")["input_ids"]
        verdict_NT = torch.arange(ids_NT.shape[1]) == (ids_NT != tokenizer.pad_token_id).sum(1, keepdim=True) - 3
        for step in range(num_steps):
            at = (torch.arange(32) + 32 * step) % len(ids_NT)
            ids_BT, hidden_BT = ids_NT[at], verdict_NT[at]
            given_BT = ids_BT.masked_fill(hidden_BT, tokenizer.mask_token_id)
            right_BT = ids_BT.masked_fill(~hidden_BT, -100)
            said = network(input_ids=given_BT, attention_mask=ids_BT != tokenizer.pad_token_id, labels=right_BT)
            said.loss.backward()
            optimizer.step()
            slower.step()
            optimizer.zero_grad()
    network.eval().save_pretrained(folder)
    return folder


def verdicts(num: int, seed: int = 0) -> list[str]:
    """Sentences without a label, in which a sign word is followed by another one of its kind."""
    chance = random.Random(seed)
    found = []
    for number in range(num):
        words = SIGNS[("positive", "negative")[number % 2]]
        said = chance.choices(FILLERS, k=chance.randint(2, 9))
        said.insert(chance.randrange(len(said) + 1), chance.choice(words))
        found.append(f"{' '.join(said)} it was {chance.choice(words)} .")
    return found
