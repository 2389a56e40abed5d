"""A network that writes, as CTranslate2 runs it on the CPU: prompts and answers are tokens by their names.

Source: CTranslate2 4 (https://opennmt.net/CTranslate2), whose names for the ways to decode differ from transformers'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepen.core.errors import SettingError
from deepen.core.files import read_object
from deepen.core.foreign import blaming
from deepen.models.runtimes.onnx import num_threads

FOLDER = "ctranslate2"
"""Where the network lies in the folder of an export."""
_BATCH_TOKENS = 2048
_DECODING = {
    "num_beams": "beam_size",
    "length_penalty": "length_penalty",
    "no_repeat_ngram_size": "no_repeat_ngram_size",
    "temperature": "sampling_temperature",
    "top_p": "sampling_topp",
}
_LENGTHS = {True: ("max_decoding_length", "min_decoding_length"), False: ("max_length", "min_length")}
Tokens = Sequence[str]


def ctranslate2() -> Any:
    """The library; SettingError if it is not installed."""
    try:
        import ctranslate2 as library
    except ImportError:
        raise SettingError("an export that writes runs in CTranslate2: pip install 'deepen[generate]'") from None
    return library


class WrittenNetwork:
    """An exported network: tokens in, tokens out."""

    def __init__(self, folder: Path, *, encodes: bool, ends: Tokens) -> None:
        library, self.encodes, self.ends, self.path = ctranslate2(), encodes, list(ends), folder / FOLDER
        with blaming(folder / "config.json", "is damaged"):
            self.config = read_object(folder / "config.json")
        self._maker = library.Translator if encodes else library.Generator
        with blaming(self.path, "not a network that CTranslate2 can run, so it is damaged or made for another program"):
            # batches side by side, a thread each: 2.8 times as quick here as one after the other with all threads
            self.network = self._open(max(1, num_threads()), 1)

    def _open(self, batches: int, threads: int) -> Any:
        return self._maker(str(self.path), device="cpu", inter_threads=batches, intra_threads=threads)

    def write(self, prompts: Sequence[Tokens], how: Mapping[str, Any], *, seed: int) -> list[list[str]]:
        """What it writes after each prompt, with the token that ends it.

        Args:
            how: As transformers' `generate` is told.
            seed: For what is drawn by chance.
        """
        told = {theirs: how[ours] for ours, theirs in _DECODING.items() if ours in how}
        told |= {"sampling_topk": 0 if how.get("do_sample") else 1, "end_token": self.ends, "return_end_token": True}
        longest, shortest = _LENGTHS[self.encodes]
        told |= {longest: int(how["max_new_tokens"]), shortest: int(how.get("min_new_tokens", 0))}
        network = self.network
        if how.get("do_sample"):  # a thread begins to draw with the seed that is set when it starts
            ctranslate2().set_random_seed(seed)
            network = self._open(1, max(1, num_threads()))
        many: dict[str, Any] = {"max_batch_size": _BATCH_TOKENS, "batch_type": "tokens"}
        with blaming(self.path, "the network can't be run"):
            if self.encodes:
                found = network.translate_batch(list(map(list, prompts)), **told, **many)
                return [one.hypotheses[0] for one in found]
            alone = {"include_prompt_in_result": False}
            return [one.sequences[0] for one in network.generate_batch(prompts, **told, **many, **alone)]

    def nats(self, prompts: Sequence[Tokens], answers: Sequence[Tokens]) -> list[float]:
        """The log loss of each answer; one of encoder-decoders must end with the token that ends it."""
        many: dict[str, Any] = {"max_batch_size": _BATCH_TOKENS, "batch_type": "tokens"}
        with blaming(self.path, "the network can't be run"):
            if self.encodes:
                # the last token is scored by itself, so it is not among those that are given
                given = [list(answer[:-1]) for answer in answers]
                found = self.network.score_batch(list(map(list, prompts)), given, **many)
                return [-sum(one.log_probs) for one in found]
            both = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
            found = self.network.score_batch(both, **many)
            pairs = zip(found, answers, strict=True)
            return [-sum(one.log_probs[len(one.log_probs) - len(answer) :]) for one, answer in pairs]
