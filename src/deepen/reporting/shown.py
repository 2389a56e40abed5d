"""How a run's rows and answers are shown: as its ladder says, which in runs of 0.1.0 only names the task."""

from __future__ import annotations

from deepen.core.ladder import Ladder, Shown

_EARLIER = {
    "classification": Shown(pipeline="text-classification", code="texts"),
    "tagging": Shown(pipeline="token-classification", code="words", encodes=False, confused="tags", answer="tags"),
    "matching": Shown(example={"sentence1": "a text", "sentence2": "another text"}, pipeline="text-classification"),
    "multilabel": Shown(pipeline="text-classification", confused="", answer="many"),
    "relation": Shown(example="the <e1>cat</e1> sat on the <e2>mat</e2>"),
    "span_qa": Shown(
        example={"context": "The cat sat on the mat.", "question": "Where did the cat sit?"},
        confused="answered",
        answer="span",
    ),
    "ranking": Shown(noun="documents", confused="", answer="document"),
}


def shown(ladder: Ladder) -> Shown:
    """How the rows and answers of a run are shown."""
    return ladder.shown or _EARLIER.get(ladder.task, Shown())
