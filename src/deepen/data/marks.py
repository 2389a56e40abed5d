"""Marks that a table carries on its rows: which split one is for, and whether a person accepted it."""

SPLIT_NAMES: dict[str, str] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("dev", "devel", "valid", "validation", "val"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval"), "test"),
}
