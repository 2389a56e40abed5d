"""`deepen export`: a rung's network as an ONNX file that is shown to say the same, or nothing at all."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from deepen.core.errors import DataError, ModelError, SettingError, nearest
from deepen.core.files import open_to_others, read_jsonl, read_object, replacing, sha256_file, write_json, write_text
from deepen.core.places import path_of
from deepen.core.run import open_run
from deepen.data.columns import TARGET
from deepen.data.table import Part
from deepen.exporting.graph import runtime_of, write_graph
from deepen.exporting.guide import code, readme
from deepen.exporting.integers import check_integers, quantise
from deepen.exporting.parity import Answers, Parity, Step, answers, check_equal, compare, parity
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.exported import ExportedPredictor, load_exported
from deepen.inference.model import Model, load_model
from deepen.models.device import using
from deepen.models.runtimes.form import FILE, FORMS, Runtime
from deepen.models.runtimes.processor import adds_integers_right
from deepen.models.save import can_start
from deepen.prompting.decoder import is_prompted

MOST_ROWS = 500
_CPU = torch.device("cpu")
_BESIDE = (  # what a model folder has beside its weights
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "merges.txt", "vocab.json"),
    *("sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "added_tokens.json"),
    *("sentence_bert_config.json", "config.json", "labels.json", "documents.safetensors"),
)


@dataclass(frozen=True)
class Exported:
    """The record of `deepen export --json`."""

    out: str
    form: str
    parity: Parity


def export(
    run: str | Path,
    out: Path,
    *,
    form: str = "onnx",
    rung: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Exported:
    """Writes a rung's model so that ONNX Runtime runs it, after it has been compared with the model on this machine.

    `run` is a finished run's folder, `out` one that is not there yet, or empty; `rung` None is the chosen one.
    ModelError if it has no network that can be exported, or the export does not say the same.
    """
    _check_form(form)
    folder = path_of(run, kind=DataError)
    _check_out(out)
    with using(_CPU):
        model = load_model(folder, rung=rung)
        _exportable(model)
        return export_model(model, out, _rows(model, folder), form=form, say=say)


def export_model(
    model: Model, out: Path, part: Part, *, form: str = "onnx", say: Callable[[str], None] = lambda line: None
) -> Exported:
    """As `export`, of a model that is on the CPU; `part` are rows to compare the export with it on."""
    predictor = _exportable(model)
    runtime = _runtime(model, predictor, form)
    with replacing(out) as beside:
        (beside / FILE).parent.mkdir(parents=True)
        steps, trained, num_integer = _write(model, predictor, runtime, beside, part, say)
        found = parity(steps, trained, num_integer)
        _describe(model, runtime, beside, steps, found)
    _tell(form, steps, found, say)
    return Exported(str(out), form, found)


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise SettingError(f"there is no form '{form}' to export; {nearest(form, FORMS)}")


def _check_out(out: Path) -> None:
    empty = out.is_dir() and not out.is_symlink() and not any(out.iterdir())  # what is written takes its place
    if not empty and (out.exists() or out.is_symlink()):
        raise SettingError(f"{out} is there already: name a folder that is not")


def _exportable(model: Model) -> EncoderPredictor:
    """The network of a model, if it has one that reads rows as they are."""
    if isinstance(model.predictor, ExportedPredictor):
        raise ModelError(f"{model.folder} is an export already: name the run that it was made of")
    if model.task.writes is not None:
        raise ModelError(f"{model.folder} answers in text, which is not exported: plain transformers opens that folder")
    if isinstance(model.predictor, EncoderPredictor):
        return model.predictor
    raise _refused(model, "it has no network")


def _runtime(model: Model, predictor: EncoderPredictor, form: Any) -> Runtime:
    try:
        return runtime_of(predictor, form, reduced=form == "onnx-int8" and not adds_integers_right())
    except SettingError as error:
        raise _refused(model, str(error)) from None


def _refused(model: Model, why: str) -> ModelError:
    said = f"the rung '{model.rung}' can't be exported, since {why}: name another with --rung"
    there = [] if model.run_folder is None else sorted(model.run_folder.glob("rungs/*/model"))
    others = [path.parent.name for path in there if can_start(path) and not is_prompted(path)]
    others = [name for name in others if name != model.rung]
    return ModelError(f"{said}; choose from: {', '.join(others)}" if others else said)


def _rows(model: Model, folder: Path) -> Part:
    """Validation rows of the run, as its predictions have kept them."""
    if model.run_folder is None:
        said = "is a model by itself: an export is compared with its model on the run's validation rows"
        raise SettingError(f"{folder} {said}, so name the run")
    path = open_run(folder).rung(model.rung) / "predictions-validation.jsonl"
    found = [row.get("inputs") for row in islice(read_jsonl(path), MOST_ROWS)]
    rows = [row for row in found if isinstance(row, dict)]
    if not rows:
        raise DataError(f"{path} holds no rows to compare an export with its model on")
    names = {need.name: need.name for need in model.task.needs if need.name != TARGET and need.name in rows[0]}
    part = model.read([{name: row.get(name) for name in names} for row in rows], columns=names, use="answer")
    if not len(part):
        raise DataError(f"{path} holds no row that can be answered")
    return part


def _write(
    model: Model,
    predictor: EncoderPredictor,
    runtime: Runtime,
    beside: Path,
    part: Part,
    say: Callable[[str], None],
) -> tuple[list[Step], Answers, int]:
    """The files of an export, step by step, each compared with the trained model."""
    for name in _BESIDE:
        if (model.folder / name).is_file():
            shutil.copyfile(model.folder / name, beside / name)

    def said(how: Runtime) -> Answers:
        return answers(
            load_exported(beside, how, model.task, model.labels, predictor.form), model.task, model.labels, part
        )

    say("  tracing the network")
    write_graph(predictor.network, runtime, beside / FILE)
    trained = answers(predictor, model.task, model.labels, part)
    steps = [compare("exported", said(runtime.model_copy(update={"form": "onnx"})), trained)]
    check_equal(steps[0], trained)
    if runtime.form == "onnx":
        return steps, trained, 0
    say("  making its weights integers")
    floats = (beside / FILE).rename(beside / "floats.onnx")
    quantise(floats, beside / FILE, reduced=runtime.reduced)
    floats.unlink()
    num_integer = check_integers(beside / FILE)
    return [*steps, compare("int8", said(runtime), trained)], trained, num_integer


def _describe(model: Model, runtime: Runtime, beside: Path, steps: list[Step], found: Parity) -> None:
    """deepen.json, by which Deepen reads the folder and knows if it is damaged, and README.md."""
    files = sorted(path.relative_to(beside).as_posix() for path in beside.rglob("*") if path.is_file())
    about = read_object(model.folder / "deepen.json") | {
        "runtime": runtime.model_dump(),
        "parity": asdict(found) | {"steps": [asdict(step) for step in steps], "machine": _machine()},
        "files": {name: sha256_file(beside / name) for name in files},
    }
    write_json(beside / "deepen.json", about)
    program = code(model.task, model.labels, runtime, _exportable(model).max_tokens)
    base = str(about.get("base_model", "an encoder"))
    base = Path(base).name if Path(base).is_absolute() else base  # a folder of this machine is nobody's business
    source = f"{model.task.name}, rung {model.rung}, of {base}"
    write_text(beside / "README.md", readme(program, runtime.form, source, steps, found))
    open_to_others(beside)


def _machine() -> str:
    right = "adds 8-bit integers right" if adds_integers_right() else "adds 8-bit integers with overflow"
    return f"{platform.system()}, {platform.machine()}, {right}"


def _tell(form: str, steps: list[Step], found: Parity, say: Callable[[str], None]) -> None:
    """The comparison in words."""
    for step in steps:
        say(
            f"  {step.name}: logits differ by {step.largest_gap:.2g} at most, {step.flipped} of {found.rows} answers "
            f"are others, {step.rows_per_second:,.0f} rows a second"
        )
    say(f"  {found.speedup:.1f} times as fast as the trained model on this machine")
    if form == "onnx-int8" and steps[-1].rows_per_second < steps[0].rows_per_second:
        times = steps[-1].rows_per_second / steps[0].rows_per_second
        slower = f"INT8 is slower than floats on this machine ({times:.2f} times their speed)"
        say(f"  note: {slower}: --form onnx is faster")
