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
from deepen.exporting import text
from deepen.exporting.graph import runtime_of, write_graph
from deepen.exporting.guide import code, readme
from deepen.exporting.integers import check_integers, quantise
from deepen.exporting.parity import Answers, Parity, Step, answers, check_equal, compare, parity
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference.exported import ExportedPredictor, load_exported
from deepen.inference.model import Model, load_model
from deepen.inference.refusing import told_unkept
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
    *("asking.json", "chat_template.jinja", "generation_config.json"),
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
    """Writes a rung's model so that another program runs it, after it has been compared with the model on this machine.

    `run` is a finished run's folder, `out` one that is not there yet, or empty; `rung` None is the chosen one.
    ModelError if it has no network that can be exported, or the export does not say the same.
    """
    _check_form(form)
    folder = path_of(run, kind=DataError)
    _check_out(out)
    with using(_CPU):
        model = load_model(folder, rung=rung)
        told_unkept(model.refusing, "an export", say)
        if form == "ctranslate2":
            return _export_text(model, out, folder, say)
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
        program = code(model.task, model.labels, runtime, predictor.max_tokens)
        _describe(model, runtime, beside, steps, found, readme(program, form, _title(model), steps, found))
    _tell(form, steps, found, say)
    return Exported(str(out), form, found)


def _export_text(model: Model, out: Path, folder: Path, say: Callable[[str], None]) -> Exported:
    """A network that writes, for CTranslate2."""
    runtime = Runtime(form="ctranslate2")
    part = _rows(model, folder, most=text.MOST_ROWS, targets=True)
    with replacing(out) as beside:
        beside.mkdir()
        _copy(model, beside)
        steps, scores, found = text.write_network(model, beside, part, say)
        about = text.readme(model, f"{_title(model)}, as ctranslate2", steps, scores, found)
        _describe(model, runtime, beside, steps, found, about)
    for step, score in zip(steps, scores[1:], strict=True):
        say(
            f"  {step.name}: {step.flipped} of {found.rows} answers are in other words, score {score:.4f} "
            f"(trained {scores[0]:.4f}), {step.rows_per_second:,.1f} rows a second"
        )
    say(f"  {found.speedup:.1f} times as fast as the trained model on this machine")
    return Exported(str(out), runtime.form, found)


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
        raise ModelError(f"{model.folder} answers in text: --form ctranslate2 is for it")
    if isinstance(model.predictor, EncoderPredictor) and model.predictor.exits:
        raise ModelError(
            f"{model.folder}: rows leave its network early, which no graph does: export the run it is from"
        )
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


def _rows(model: Model, folder: Path, *, most: int = MOST_ROWS, targets: bool = False) -> Part:
    """Validation rows of the run, as its predictions have kept them; with what is right on request."""
    if model.run_folder is None:
        said = "is a model by itself: an export is compared with its model on the run's validation rows"
        raise SettingError(f"{folder} {said}, so name the run")
    path = open_run(folder).rung(model.rung) / "predictions-validation.jsonl"
    found = [(row.get("inputs"), row.get("target")) for row in islice(read_jsonl(path), most)]
    rows = [{**row, **({TARGET: right} if targets else {})} for row, right in found if isinstance(row, dict)]
    if not rows:
        raise DataError(f"{path} holds no rows to compare an export with its model on")
    names = {need.name: need.name for need in model.task.needs if need.name in rows[0]}
    how: Any = {"need_target": True} if targets else {"use": "answer"}
    part = model.read([{name: row.get(name) for name in names} for row in rows], columns=names, **how)
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
    _copy(model, beside)

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


def _copy(model: Model, beside: Path) -> None:
    for name in _BESIDE:
        if (model.folder / name).is_file():
            shutil.copyfile(model.folder / name, beside / name)


def _title(model: Model) -> str:
    """Of what an export is made."""
    base = str(read_object(model.folder / "deepen.json").get("base_model", "an encoder"))
    base = Path(base).name if Path(base).is_absolute() else base  # a folder of this machine is nobody's business
    return f"{model.task.name}, rung {model.rung}, of {base}"


def _describe(model: Model, runtime: Runtime, beside: Path, steps: list[Step], found: Parity, page: str) -> None:
    """deepen.json, by which Deepen reads the folder and knows if it is damaged, and README.md."""
    files = sorted(path.relative_to(beside).as_posix() for path in beside.rglob("*") if path.is_file())
    about = read_object(model.folder / "deepen.json") | {
        "runtime": runtime.model_dump(),
        "parity": asdict(found) | {"steps": [asdict(step) for step in steps], "machine": _machine()},
        "files": {name: sha256_file(beside / name) for name in files},
    }
    write_json(beside / "deepen.json", about)
    write_text(beside / "README.md", page)
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
