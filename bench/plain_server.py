"""What many would write first: FastAPI, Pillow and onnxruntime, each request answered where it arrives.

Run by uvicorn with two workers; each has one session with one thread. The rule is the same as the daemon's, computed
the plain way, so that both do the same work.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Request

from bench.preprocess import reference_input

MODEL = "BENCH_MODEL"
LABELS = "BENCH_LABELS"
RESIZE = "BENCH_RESIZE"
CROP = "BENCH_CROP"


def make_app() -> FastAPI:
    """Return the application for the model, the labels and the sides that the environment names."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(os.environ[MODEL], options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    labels = json.loads(Path(os.environ[LABELS]).read_text(encoding="utf-8"))
    resize, crop_side = int(os.environ[RESIZE]), int(os.environ[CROP])
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        tensor = reference_input(await request.body(), resize, crop_side)
        logits = session.run(None, {name: tensor[np.newaxis]})[0][0]
        probs = np.exp(logits - logits.max())
        probs /= probs.sum()
        best = int(probs.argmax())
        return {"label": labels[best], "score": float(probs[best]), "probs": [float(p) for p in probs]}

    return app
