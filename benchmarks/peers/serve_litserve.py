"""LitServe with batches, as a peer of `deepen serve`: MODEL=FOLDER PORT=8001 python serve_litserve.py."""

import os

import litserve
import torch
from transformers import pipeline


class Classify(litserve.LitAPI):
    """The transformers pipeline in batches, as LitServe's documents have it."""

    def setup(self, device: str) -> None:
        """Reads the model."""
        torch.set_num_threads(1)
        self.classify = pipeline("text-classification", model=os.environ["MODEL"], device="cpu")

    def decode_request(self, request: dict) -> list[str]:
        """Texts of a request."""
        return request["texts"]

    def predict(self, batch: list[list[str]]) -> list[list[dict]]:
        """Labels with their probabilities."""
        texts = [text for texts in batch for text in texts]
        found = iter(self.classify(texts, batch_size=len(texts), truncation=True))
        return [[next(found) for _ in texts] for texts in batch]

    def encode_response(self, output: list[dict]) -> dict:
        """The answer."""
        return {"answers": output}


if __name__ == "__main__":
    api = Classify(max_batch_size=32, batch_timeout=0.005)
    cores = len(os.sched_getaffinity(0))
    litserve.LitServer(api, accelerator="cpu", workers_per_device=cores).run(
        host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning"
    )
