"""What other programs may rely on, as lists of keys. Changing one is a decision record and a CHANGELOG line."""

from __future__ import annotations

SCORE = {"name", "value", "unit", "low", "high", "n", "label", "higher_is_better"}
GAIN = {"value", "low", "high"}
LADDER_ROW = {
    *("rung", "status", "reason", "score", "gain", "seconds", "forecast_seconds", "num_trained_parameters"),
    *("peak_memory_bytes", "seconds_per_1000_predictions"),
}
RUNGS = ("majority", "lexical", "frozen", "top_layers", "full")
"""Those of a climb that names none, on rows that are not few."""
TRAIN = {"run", "task", "model", "chosen", "cheapest_not_worse", "seconds", "rungs", "test"}
EVALUATE = {"run", "rung", "data", "num_examples", "scores"}
PREDICTION = {
    *("id", "inputs", "target", "output", "probabilities", "rung", "num_tokens", "truncated", "seconds", "row"),
}
ROW = {"id", "file", "line"}
GAP = {"row", "skipped"}
PREDICTION_OPTIONAL = {"inputs", "target", "probabilities", "entities"}
EXPLANATION = {"id", "rung", "sure", "answers", "notes"}
EXPLAINED_ANSWER = {
    *("output", "confidence", "start", "end", "depth", "rungs", "method", "words", "total", "error", "analogies"),
}
RUNG_ANSWER = {"rung", "output", "confidence", "same"}
WORD_SHARE = {"start", "end", "text", "value"}
ANALOGY = {"id", "text", "label", "similarity", "agrees", "start", "end"}
TRAINING = {"id", "epoch", "margin", "loss"}
METRIC = {"step", "name", "value", "loss", "seconds"}
ENVIRONMENT = {"versions", "machine", "command", "seed", "data", "git_commit"}
CLASSIFICATION_SCORES = {
    *("accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "log_loss", "ece"),
    *("precision", "recall", "f1"),
}
RUN_FILES = {
    "recipe.yaml",
    "recipe.schema.json",
    "environment.json",
    "ladder.json",
    "metrics.jsonl",
    "slices.json",
    "rungs",
    "model",
    "report.html",
}
RUNG_FILES = {"model", "predictions-validation.jsonl"}
ENCODER_FILES = {
    *("config.json", "labels.json", "model.safetensors", "modules.json", "sentence_bert_config.json", "deepen.json"),
    *("config_sentence_transformers.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.txt"),
}
