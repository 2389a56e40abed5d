"""The last token of a text, which in a decoder has seen all of it; other tools read it as they read `mean`."""

from __future__ import annotations

from functools import partial

from deepen.models.head import Grid, Head
from deepen.models.layouts import load_dense, save_dense
from deepen.models.pooling import at_end, padded_ends

HEAD = Head(
    "last",
    partial(at_end, last=True),
    save_dense,
    load_dense,
    is_row=True,
    grid=Grid(lambda hidden, mask, arrays: padded_ends(hidden, mask, arrays.get("windows"), last=True)),
)
