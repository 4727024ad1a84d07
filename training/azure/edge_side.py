"""What the edge says of a picture: a running daemon, or a bundle that is run here exactly as the edge runs it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from edge.bundle import Bundle, Preprocessing, cropped, open_bundle
from edge.errors import InferenceError, InputError
from edge.predictor import Image, Predictor
from edge.preprocess.decode import decode
from edge.results import prediction_json
from training.azure.orientation import UPRIGHT, orientation_of, turned
from training.azure.posting import Poster
from training.azure.scoring import AnswerError, Prediction
from training.errors import UsageError


class EdgeSide(Protocol):
    """Who answers for the edge. Its text names it."""

    def predict(self, picture: bytes) -> Prediction:
        """Return the prediction. Raises AnswerError where the picture gets none."""
        ...

    def otherwise(self, picture: bytes) -> Iterator[tuple[str, Prediction]]:
        """Yield what the same model would say under what is known to differ elsewhere, and in words what that is."""
        ...


class EdgeBundle:
    """A bundle, proven and run here on the CPU. Raises EdgeError for one that does not load."""

    def __init__(self, folder: Path) -> None:
        from edge.proof import load_and_prove  # noqa: PLC0415 - a daemon as the edge needs no onnxruntime here

        self._bundle = open_bundle(folder)
        self._preprocessing = cropped(self._bundle.manifest)
        self._model, _ = load_and_prove(self._bundle, device="cpu")

    def __str__(self) -> str:
        return f"bundle {self._bundle.manifest.name}:{self._bundle.manifest.version}"

    def predict(self, picture: bytes) -> Prediction:
        """Return the prediction. Raises AnswerError."""
        return self._predict(self._bundle, picture)

    def otherwise(self, picture: bytes) -> Iterator[tuple[str, Prediction]]:
        """Yield the other resize rule, no border cut off, EXIF's orientation applied."""
        for words, preprocessing in _others(self._preprocessing):
            manifest = self._bundle.manifest.model_copy(update={"preprocessing": preprocessing})
            yield words, self._predict(replace(self._bundle, manifest=manifest), picture)
        orientation = orientation_of(picture)
        if orientation != UPRIGHT:
            pixels = turned(decode(picture), orientation)
            yield "it turned the picture as its EXIF orientation says", self._predict(self._bundle, pixels)

    def _predict(self, bundle: Bundle, picture: Image) -> Prediction:
        try:
            return prediction_json(Predictor(bundle).predict(picture, self._model.session.run))
        except (InputError, InferenceError) as error:
            raise AnswerError(f"the edge cannot use the picture: {error}") from error


def _others(own: Preprocessing) -> Iterator[tuple[str, Preprocessing]]:
    if own.rule != "square" and own.resize >= own.crop:
        yield "it resized to a square, whatever the picture's shape", own.model_copy(update={"rule": "square"})
    if own.rule != "shorter-side":
        yield "it resized the shorter side, as AutoML trains", own.model_copy(update={"rule": "shorter-side"})
    if own.resize != own.crop:
        yield f"it resized to {own.crop} and cut no border off", own.model_copy(update={"resize": own.crop})


class EdgeDaemon:
    """A running daemon, asked over HTTP. Raises UsageError for what is no URL of one."""

    def __init__(self, poster: Poster, token: str | None = None) -> None:
        self._poster = poster
        headers = {"Content-Type": "application/octet-stream"}
        self._headers = {**headers, "Authorization": f"Bearer {token}"} if token else headers

    def __str__(self) -> str:
        return f"daemon at {self._poster.url.removesuffix('/v1/predict')}"

    def predict(self, picture: bytes) -> Prediction:
        """Return the prediction. Raises AnswerError, UsageError for a token, AzureUnavailableError for silence."""
        reply = self._poster.post(picture, self._headers)
        try:
            answer = json.loads(reply.text)
            if reply.status == 200:
                prediction: Prediction = answer["predictions"][0]
                return prediction
            detail = str(answer["detail"])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise UsageError(f"what answers at {self._poster.url} is no daemon (status {reply.status})") from error
        if reply.status in (401, 403):
            raise UsageError(f"the daemon refuses: {detail}; give a token with --token-file or EDGE_HTTP__TOKEN")
        raise AnswerError(f"the edge cannot use the picture: {detail}")

    def otherwise(self, picture: bytes) -> Iterator[tuple[str, Prediction]]:  # noqa: ARG002 - the port's signature
        """Yield nothing: a daemon runs its model in one way."""
        yield from ()


def predict_url(url: str) -> str:
    """Return where a daemon at ``url`` takes pictures. Raises UsageError."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--edge {url}: is no URL of a daemon, such as http://127.0.0.1:8080")
    return f"{url.rstrip('/')}/v1/predict"
