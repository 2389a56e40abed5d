"""What a situation of cases.py is made of: calls of one version in a folder of its own, and a verdict from the outputs.

Verdicts, from the best: RIGHT; CLEAR ERROR (exit 2, the message names what helps); CONFUSING (exit 2 without that);
WRONG (exit 0 and a wrong result, without a warning that names the cause); HANG (stopped for its time or its memory);
CRASH (a traceback, exit 1).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calls import GIB, Call, Version

VERDICTS = ("RIGHT", "CLEAR ERROR", "CONFUSING", "WRONG", "HANG", "CRASH")
QUICK = 5.0  # CPU seconds that a call may take which has next to nothing to do
Verdict = tuple[str, str]

TINY = """
import random, sys
from pathlib import Path
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

folder = Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER)
letters = [chr(c) for c in range(33, 127)]
words = "the a film room was good bad fine poor very not i it is and mara flew to lyon oslo".split()
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters), *words]
vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
made.normalizer = normalizers.BertNormalizer(lowercase=True)
made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
made.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
PreTrainedTokenizerFast(
    tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
    mask_token="[MASK]", model_max_length=64).save_pretrained(folder)
torch.manual_seed(0)
BertModel(BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=64, max_position_embeddings=64, initializer_range=0.2), add_pooling_layer=False,
).eval().save_pretrained(folder)
"""


@dataclass(frozen=True)
class Case:
    """One situation: a number, what a person does, what is expected, and how it is tried."""

    number: str
    title: str
    expected: str
    tried: Callable[[Trial], Verdict]


CASES: dict[str, Case] = {}


def case(number: str, title: str, expected: str) -> Callable[[Callable[[Trial], Verdict]], Callable[[Trial], Verdict]]:
    """Puts a function on the list of situations."""

    def put(tried: Callable[[Trial], Verdict]) -> Callable[[Trial], Verdict]:
        if number in CASES:
            raise ValueError(f"two situations are called {number}")
        CASES[number] = Case(number, title, expected, tried)
        return tried

    return put


def worst(*verdicts: Verdict) -> Verdict:
    """The worst of several; the first of equals."""
    return max(verdicts, key=lambda verdict: VERDICTS.index(verdict[0]))


class Trial:
    """A situation being tried."""

    def __init__(self, version: Version, cases: Path, folder: Path, tiny: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.version, self.cases, self.folder, self.tiny = version, cases, folder.resolve(), tiny
        self.calls: list[Call] = []

    # --- what is done ---

    def file(self, name: str, content: str | bytes) -> str:
        """Writes a small input, and gives its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        return name

    def given(self, name: str) -> str:
        """A file of a case folder, copied into the trial's own."""
        source, target = self.cases / name, self.folder / Path(name).name
        if not target.exists():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        return target.name

    def deepen(self, *words: str, limit: float = 120, **how: Any) -> Call:
        """One call."""
        call = self.version.call(list(words), folder=self.folder, limit=limit, **how)
        self.calls.append(call)
        return call

    def train(self, data: str, *words: str, rungs: str = "majority", run: str = "a", **how: Any) -> Call:
        """`deepen train` on a file of the trial, or of a case folder."""
        where = data if (self.folder / data).exists() else self.given(data)
        return self.deepen("train", where, *words, "--rungs", rungs, "--out", run, **how)

    def answers(self, *words: str, run: str = "a", **how: Any) -> list[dict[str, Any]]:
        """What `deepen predict --json` answers; rows that were left out are not among them."""
        found = self.deepen("predict", run, *words, "--json", **how).record.get("predictions", [])
        return [answer for answer in found if "skipped" not in answer]

    def python(self, program: str, limit: float = 120) -> Call:
        """A program in the version's own process."""
        call = self.version.python(program, folder=self.folder, limit=limit)
        self.calls.append(call)
        return call

    # --- what came of it ---

    def ladder(self, run: str = "a") -> dict[str, Any]:
        """The record of a run; empty if there is none."""
        path = self.folder / run / "ladder.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    def task(self, run: str = "a") -> str:
        """The task of a run."""
        return str(self.ladder(run).get("task", ""))

    def labels(self, run: str = "a") -> set[str]:
        """The labels of a run; of a tagger its types of entities, without O."""
        found = self.ladder(run).get("labels") or []
        if self.task(run) != "tagging":
            return set(found)
        ends = ("B", "I", "E", "S", "L", "U", "M", "W")
        return {tag[2:] if tag[:1] in ends and tag[1:2] in ("-", "_") else tag for tag in found if tag != "O"}

    def rows(self, run: str = "a") -> int:
        """How many rows a run read for training and validation."""
        path = self.folder / run / "environment.json"
        if not path.is_file():
            return -1
        data = json.loads(path.read_text(encoding="utf-8"))["data"]
        return sum(data[part]["rows"] for part in ("train", "validation") if data.get(part))

    def test_score(self, name: str = "accuracy", run: str = "a") -> float:
        """A score of the test rows."""
        return next((row["value"] for row in self.ladder(run).get("test") or [] if row["name"] == name), -1.0)

    def lines(self, name: str) -> list[str]:
        """The lines of a file in the trial's folder; none if it isn't there."""
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def without_names(call: Call, said: str | None = None) -> str:
    """What was said, without the words of the command and the kind of the error: they explain nothing."""
    said = " ".join((call.said if said is None else said).split())
    for kind in ("DataError: ", "SettingError: ", "ModelError: "):
        said = said.replace(kind, "")
    for word in call.words:
        if "." in word and "=" not in word and " " not in word:
            said = said.replace(word, "FILE")
    return said


def judge(call: Call, right: bool, *, remedy: str = "", warned: str = "", quick: bool = False) -> Verdict:
    """A verdict on one call.

    Args:
        call: The call.
        right: Whether the result is what was expected.
        remedy: What an error must say to be clear; empty if no error is right here.
        warned: What a warning must say that makes a wrong result a told one.
        quick: Whether it had next to nothing to do.
    """
    said = without_names(call)
    if call.stopped:
        return "HANG", f"stopped for its {call.stopped} after {call.seconds:.0f} s, {call.peak / 1e9:.1f} GB"
    if call.crashed:
        return "CRASH", f"{call.last} ({' '.join(call.words)[:90]})"
    if quick and (call.cpu > QUICK or call.peak > GIB):
        return "HANG", f"{call.cpu:.1f} CPU seconds, {call.peak / 1e9:.2f} GB"
    if call.code == 0:
        if right:
            return "RIGHT", ""
        if warned and re.search(warned, said, re.IGNORECASE):
            return "RIGHT", "warned"
        return "WRONG", f"exit 0: {' '.join(' '.join(call.words).split())[:140]}"
    told = without_names(call) if call.words[:1] == ("check",) else without_names(call, call.err)
    if remedy and re.search(remedy, told, re.IGNORECASE):
        return "CLEAR ERROR", call.last
    return "CONFUSING", f"{call.last} ({' '.join(call.words)[:90]})"


def tried(trial: Trial, one: Case) -> Verdict:
    """Tries a situation; a crash or a hang anywhere in it is its verdict."""
    try:
        found = one.tried(trial)
    except Exception as error:  # what a check expects to find is not there
        found = ("WRONG", f"{type(error).__name__} in the check: {error}")
    for call in trial.calls:
        if call.stopped or call.crashed:
            found = worst(found, judge(call, False))
    return found
