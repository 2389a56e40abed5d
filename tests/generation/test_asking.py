"""What a model reads and what it learns: prompts, chat templates, and the tokens of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.writers import TEMPLATE

from deepen.core.errors import ModelError
from deepen.generation.asking import Asking, Ids
from deepen.generation.decode import answer_losses, write
from deepen.models.generator import load_reader, load_writer

Tiny = Callable[..., Path]
ASKING = Asking("translation", "{source} Translation :", encodes=False, chat=False, turns=False, max_tokens=16)
UNCLOSED = TEMPLATE.replace(" </s> ", " ")
REWRITTEN = "{% for m in messages %}{{ m['role'] if loop.last else 'gone' }} {{ m['content'] }} </s> {% endfor %}"
SOURCES, ANSWERS = ["the red cat sees", "a dog"], ["le rouge chat voit", "un chien ici maison arbre"]


def test_prompt_and_answer_are_the_whole_conversation(tiny_writer: Tiny) -> None:
    reader = load_reader(tiny_writer("llama", template=TEMPLATE))
    ids = Ids(reader, replace(ASKING, chat=True))
    said = [{"role": "user", "content": "a dog Translation :"}, {"role": "assistant", "content": "un chien"}]
    whole = reader(reader.apply_chat_template(said, tokenize=False), add_special_tokens=False)["input_ids"]
    assert ids.prompts(["a dog"])[0] + ids.answers(["a dog"], ["un chien"])[0] == whole
    assert ids.ends() == [reader.eos_token_id]


def test_turns_keep_their_roles(tiny_writer: Tiny) -> None:
    ids = Ids(load_reader(tiny_writer("llama", template=TEMPLATE)), replace(ASKING, chat=True, turns=True))
    read = ids.tokenizer.decode(ids.prompts(["user: a dog\nassistant: yes\nuser: is it open"])[0])
    assert read.split() == "<user> a dog </s> <assistant> yes </s> <user> is it open </s> <assistant>".split()


@pytest.mark.parametrize(("template", "said"), [(UNCLOSED, "does not close a turn"), (REWRITTEN, "in another way")])
def test_a_template_that_can_not_mark_an_answer_is_refused(tiny_writer: Tiny, template: str, said: str) -> None:
    ids = Ids(load_reader(tiny_writer("llama", template=template)), replace(ASKING, chat=True))
    with pytest.raises(ModelError, match=rf"{said}.*tasks\.translation\.chat=false"):
        ids.answers(["a dog"], ["un chien"])


def test_a_long_source_is_cut_at_its_end_and_turns_at_the_beginning(tiny_writer: Tiny) -> None:
    reader = load_reader(tiny_writer("llama"))
    assert Ids(reader, replace(ASKING, max_tokens=2)).cut("the red cat sees") == "the red"
    assert Ids(reader, replace(ASKING, max_tokens=2, turns=True)).cut("the red cat sees") == "cat sees"


@pytest.mark.parametrize("kind", ["t5", "marian", "llama", "gemma3_text"])
def test_a_batch_costs_what_its_rows_cost_and_what_transformers_says(tiny_writer: Tiny, kind: str) -> None:
    network, reader = load_writer(tiny_writer(kind))
    encodes = network.config.is_encoder_decoder
    ids = Ids(reader, replace(ASKING, encodes=encodes))
    prompts, answers = ids.prompts(SOURCES), ids.answers(SOURCES, ANSWERS)
    with torch.inference_mode():
        together = answer_losses(network, prompts, answers, encodes=encodes).sum(1)
        for at, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            alone = answer_losses(network, [prompt], [answer], encodes=encodes).sum()
            read = prompt if encodes else [*prompt, *answer]
            labels = answer if encodes else [*[-100] * len(prompt), *answer]
            said = network(input_ids=torch.tensor([read]), labels=torch.tensor([labels])).loss * len(answer)
            assert alone == pytest.approx(float(said), abs=1e-4)
            assert together[at] == pytest.approx(float(alone), abs=1e-4)


@pytest.mark.parametrize("kind", ["bart", "mistral"])
def test_a_batch_is_written_as_its_rows_are(tiny_writer: Tiny, kind: str) -> None:
    network, reader = load_writer(tiny_writer(kind))
    encodes = network.config.is_encoder_decoder
    prompts = Ids(reader, replace(ASKING, encodes=encodes)).prompts(SOURCES)
    how = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": [1], "pad_token_id": 0}
    together = write(network, prompts, how, encodes=encodes)
    assert together == [write(network, [one], how, encodes=encodes)[0] for one in prompts]
    assert all(1 <= len(row) <= 6 for row in together)
