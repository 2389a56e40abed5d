"""A network that writes as CTranslate2 runs it, with 8-bit integers, after it was compared with the model.

Shape legend: N rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.errors import ModelError
from deepen.core.files import read_object, write_json
from deepen.core.types import Texts
from deepen.data.table import Part
from deepen.exporting.guide import page, times
from deepen.exporting.parity import Parity, Step
from deepen.generation.exported import load_exported_writer
from deepen.generation.writer import Writer
from deepen.inference.model import Model
from deepen.models.generator import plain_network
from deepen.models.runtimes.written import FOLDER, ctranslate2

MOST_ROWS = 100
_MOST_GAP = 1e-3  # nats a token
_ENCODES = """\
translator = ctranslate2.Translator("FOLDER/{folder}")
tokens = tokenizer.encode(prompt).tokens
found = translator.translate_batch([tokens], {how})[0].hypotheses[0]
"""
_DECODES = """\
generator = ctranslate2.Generator("FOLDER/{folder}")
tokens = {start} + tokenizer.encode(prompt, add_special_tokens=False).tokens
found = generator.generate_batch([tokens], {how}, include_prompt_in_result=False)[0].sequences[0]
"""
_PROGRAM = """\
import ctranslate2
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("FOLDER/tokenizer.json")
tokenizer.no_truncation()
prompt = {prompt}.replace("{{source}}", "a text")
{run}print(tokenizer.decode([tokenizer.token_to_id(token) for token in found]))
"""


@dataclass(frozen=True)
class Said:
    """What a model writes, how well, and how many rows in a second."""

    texts: Texts
    score: float
    rows_per_second: float


def writer_of(model: Model) -> Writer:
    """The network of a model that writes, if it can be exported.

    Raises:
        ModelError: If it can't.
    """
    writer = model.predictor
    if not isinstance(writer, Writer) or model.task.writes is None:
        raise ModelError(f"{model.folder} does not write text: --form onnx is for it")
    if plain_network(writer.network) is not writer.network:
        raise ModelError(f"{model.folder}: its tuning keeps vectors beside the network, which CTranslate2 can't read")
    if writer.asking.shown:
        raise ModelError(
            f"{model.folder}: '{model.rung}' shows training rows before each question: name another --rung"
        )
    return writer


def write_network(
    model: Model, beside: Path, part: Part, say: Callable[[str], None]
) -> tuple[list[Step], list[float], Parity]:
    """Writes the network in integers, after it has said the same in floats.

    Returns:
        The steps, each one's deciding score after that of the trained model, and the record.

    Raises:
        ModelError: If CTranslate2 does not know the architecture, or the network says something else there.
    """
    writer = writer_of(model)
    trained, steps, scores = _said(writer, model, part), list[Step](), list[float]()
    scores.append(trained.score)
    for name, quantization in (("exported", None), ("int8", "int8")):
        say(f"  writing the network for CTranslate2, {quantization or 'float32'}")
        shutil.rmtree(beside / FOLDER, ignore_errors=True)
        _convert(model.folder, beside / FOLDER, quantization)
        found = _said(load_exported_writer(beside, model.task), model, part)
        steps.append(_compare(name, found, trained))
        scores.append(found.score)
        if name == "exported" and steps[0].largest_gap > _MOST_GAP:
            said = f"answers cost up to {steps[0].largest_gap:.2g} nats a token more or less there"
            raise ModelError(f"CTranslate2 does not say what the model says: {said}; nothing was written")
    last = steps[-1]
    speedup = round(last.rows_per_second / trained.rows_per_second, 3)
    return steps, scores, Parity(len(part), last.largest_gap, last.flipped, _integers(beside / FOLDER), speedup)


def _converter() -> Any:
    """CTranslate2's own, which scales the outputs of every T5 and MT5 that is tied, as all are in transformers 5."""

    class Converter(ctranslate2().converters.TransformersConverter):  # type: ignore[misc]
        def load_model(self, *given: Any, **named: Any) -> Any:
            model = super().load_model(*given, **named)
            if model.config.model_type in ("t5", "mt5"):
                model.config.tie_word_embeddings = getattr(model.config, "scale_decoder_outputs", False)
            return model

    return Converter


def _convert(folder: Path, out: Path, quantization: str | None) -> None:
    try:
        _converter()(str(folder)).convert(str(out), quantization=quantization)
    except Exception as error:  # each architecture fails in its own way
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise ModelError(f"{folder}: CTranslate2 can't convert this network: {said}") from None
    about = read_object(out / "config.json")  # a token that there is not, as one to begin with, must have a name
    ends = about.get("eos_token")
    named = {name: ends for name, value in about.items() if value is None and name.endswith("_token")}
    write_json(out / "config.json", about | named)


def _integers(folder: Path) -> int:
    """How many weights are stored as 8-bit integers.

    Raises:
        ModelError: If there is none.
    """
    found = (folder / "model.bin").read_bytes().count(b"weight_scale\0")
    if not found:
        raise ModelError("none of the weights became integers; nothing was written")
    return found


def _said(writer: Writer, model: Model, part: Part) -> Said:
    found: Any = writer.predict(part)
    rate = 1 / max(writer.seconds_per_row or 0.0, 1e-9)
    sums = model.task.statistics(found, model.task.targets(part, ())).sum(0, keepdims=True)
    return Said(found, float(model.task.value_of(sums)[0]), rate)


def _compare(name: str, found: Said, trained: Said) -> Step:
    """`largest_gap` is in nats a token of the right answer, `flipped` counts rows with other words."""
    if not found.texts.is_finite:
        raise ModelError(f"the {name} model gives values that are no numbers; nothing was written")
    tokens_N = np.maximum(1, trained.texts.scored_N)
    gap = float((np.abs(found.texts.nats_N - trained.texts.nats_N) / tokens_N).max(initial=0.0))
    others = sum(one != other for one, other in zip(found.texts.texts, trained.texts.texts, strict=True))
    return Step(name, gap, others, found.rows_per_second)


def readme(model: Model, title: str, steps: list[Step], scores: list[float], found: Parity) -> str:
    """The page in Markdown, with a program that needs no Deepen."""
    writer = writer_of(model)
    asking, ids, names = writer.asking, writer.ids, writer.reader.convert_ids_to_tokens
    longest = "max_decoding_length" if asking.encodes else "max_length"
    how = f"beam_size={asking.decoding.get('num_beams', 1)}, {longest}={asking.decoding['max_new_tokens']}"
    how += "" if asking.encodes else f", end_token={names(ids.ends())}"
    run = (_ENCODES if asking.encodes else _DECODES).format(folder=FOLDER, how=how, start=names(ids.start()))
    program = _PROGRAM.format(prompt=repr(ids.around("{source}")), run=run)
    columns = ["model", "largest gap, nats a token", "answers in other words", "rows a second", "score"]
    rows = [[one.name, f"{one.largest_gap:.2g}", str(one.flipped), times(one, steps, found)] for one in steps]
    rows = [["trained", "0", "0", "1.0 times"], *rows]
    told = [[*row, f"{score:.4f}"] for row, score in zip(rows, scores, strict=True)]
    return page(title, "ctranslate2 tokenizers", program, [columns, *told], found.rows)
