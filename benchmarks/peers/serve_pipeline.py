"""The transformers pipeline behind FastAPI, as a peer of `deepen serve`: MODEL=FOLDER uvicorn serve_pipeline:app.

One computation at a time in a process, and a thread of the processor each; as many processes as there are cores.
"""

import os
import threading

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

torch.set_num_threads(int(os.environ.get("THREADS", "1")))
app = FastAPI()
one = threading.Lock()
classify = pipeline("text-classification", model=os.environ["MODEL"], device="cpu")


class Asked(BaseModel):
    """Texts of a request."""

    texts: list[str]


@app.post("/predict")
def predict(asked: Asked) -> list[dict]:
    """Labels with their probabilities."""
    with one:
        return classify(asked.texts, batch_size=len(asked.texts), truncation=True)
