"""What a task needs of a table, the names that columns usually have, and the columns that were found."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Literal

from deepen.core.errors import SettingError
from deepen.data.source import Form

TARGET = "label"

# In the order of preference where a file has several.
TEXT_NAMES = (
    "text sentence review content comment question query utterance tweet message body description document post "
    "passage title headline abstract summary statement input words "
    "文本 评论 内容 句子 正文 文章 问题 摘要 描述 标题 语句 评价 微博"
).split()
LABEL_NAMES = (
    "label labels category class target sentiment intent topic stars rating polarity emotion tag gold annotation cat y "
    "标签 类别 分类 情感 标注 类型 意图 主题 情感倾向 评分 星级"
).split()
_OTHER_NAMES = "id idx index guid split lang language date url user quality score 编号 序号 日期".split()
_PAIR_NAMES = (
    "text_a text_b sentence1 sentence2 sentence_a sentence_b question1 question2 premise hypothesis string1 string2"
).split()
WORD_NAMES = frozenset("word words token tokens form 词 字".split())
_SENTENCE_NAME = re.compile(r"(sentence|sent|sid|utterance|seq)s?(_?(#|id|ids|idx|no|num|number|nr|index))?")
KNOWN_NAMES = frozenset((*TEXT_NAMES, *LABEL_NAMES, *_OTHER_NAMES, *_PAIR_NAMES))


@dataclass(frozen=True)
class Need:
    """A column that a task needs: `names` are usual names for it, the first preferred. `label` is the target.

    Of the kinds, `texts` is a target that is text: one cell is one reference, a list is several.
    """

    name: str
    kind: Literal["text", "category", "labels", "number", "tokens", "tags", "answers", "texts"]
    names: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True)
class Columns:
    """Which source columns (names, or numbers from 0 without a header) make up each input and the target, and why.

    Several are joined by a line end. `first_code` is the code of the first of the names that `--labels` gives (0 or 1),
    found on the training file; None without such names. `form` is how that file is written; None if it is not known, as
    in runs of 0.1.0. `spelled` says how labels that are whole numbers or truth values are written there. `values` are
    cells of its target, as they were written, if they recur: they tell a column of labels in another file.
    """

    inputs: dict[str, tuple[str | int, ...]]
    target: tuple[str | int, ...] | None
    reasons: dict[str, str]
    first_code: int | None = None
    form: Form | None = None
    spelled: dict[str, str] | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskedColumns:
    """Columns that a person names for a file, beside those of the training data, in whose form it is read."""

    columns: Mapping[str, str]
    like: Columns


def columns_to_json(columns: Columns) -> dict[str, Any]:
    """Columns as a mapping that JSON and YAML can hold; `columns_from_json` is the way back."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(columns)))
    return plain


def columns_from_json(value: Mapping[str, Any]) -> Columns:
    """The way back from `columns_to_json`."""
    target, form = value.get("target"), value.get("form")
    return Columns(
        {name: tuple(parts) for name, parts in value["inputs"].items()},
        tuple(target) if target is not None else None,
        dict(value.get("reasons", {})),
        value.get("first_code"),
        _form(form) if form is not None else None,
        dict(value["spelled"]) if value.get("spelled") is not None else None,
        _texts(value.get("values", ())),
    )


def _form(value: Mapping[str, Any]) -> Form:
    known = {field.name for field in fields(Form)}
    kept = {key: part for key, part in value.items() if key in known}
    kept["names"] = _texts(kept["names"]) if kept.get("names") is not None else None
    form = Form(**kept)
    delimiter, flags = form.delimiter, (form.header, form.quoting)
    if delimiter is not None and (not isinstance(delimiter, str) or not delimiter or set(delimiter) & set('"\r\n')):
        raise ValueError(f"the delimiter {delimiter!r} is none")
    if type(form.width) is not int or not all(flag is None or isinstance(flag, bool) for flag in flags):
        raise ValueError("the form of the training file is not what was saved")
    return form


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError("a list of texts is not what was saved")
    return tuple(value)


def parse_columns(text: str) -> dict[str, str]:
    """The words after `--columns`, with names, or numbers from 0 for a file without a header.

    Example:
        >>> parse_columns("text=title+description,label=stars")
        {'text': 'title+description', 'label': 'stars'}
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        name, sep, value = (piece.strip() for piece in part.partition("="))
        if not sep or not name or not value:
            raise SettingError(f"--columns {text!r}: write it as text=title+description,label=stars")
        if name in found:
            raise SettingError(f"--columns {text!r}: '{name}' is given twice")
        found[name] = value
    return found


@lru_cache(4096)
def plain_name(name: str) -> str:
    """A column name for comparing: lower case, `_` for spaces, hyphens and points."""
    return re.sub(r"[\s\-._]+", "_", name.strip().lower().lstrip("#")).strip("_")


def numbers_sentences(name: str) -> bool:
    """Whether a column is called as one that tells which sentence a word belongs to: `Sentence #`, `sent_id`."""
    return _SENTENCE_NAME.fullmatch(plain_name(name)) is not None


def expected_names(columns: Columns | Mapping[str, str] | None, needs: Sequence[Need]) -> frozenset[str]:
    """Names that a header can be told by, as asked for or in another file; those of the needs in plain form."""
    found = {plain_name(name) for need in needs for name in need.names if len(name) > 1}
    if isinstance(columns, Columns):
        for parts in (*columns.inputs.values(), columns.target or ()):
            found.update(part for part in parts if isinstance(part, str))
    elif columns is not None:
        for value in columns.values():
            found.update(part for part in (value, *value.split("+")) if not part.strip().isdecimal())
    return frozenset(found)
