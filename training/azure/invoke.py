"""Pictures sent to an online endpoint, a few at a time."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from edge.azureml.unwaited import begin
from edge.preprocess.decode import SUFFIXES
from training.azure import endpoints
from training.azure.posting import Poster
from training.azure.scoring import AnswerError, Prediction, parse_reply, refusal, request_body
from training.azure.session import Session
from training.dataset.locate import Pictures, is_read
from training.dataset.records import read_bytes
from training.errors import AzureError, DataError, UsageError

AT_ONCE = 4
HOPELESS = (401, 403, 404)
"""What the next picture will be answered too."""
DEPLOYMENT = "azureml-model-deployment"
"""The header that chooses a deployment, and by which the answer names the one that gave it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a picture: a prediction, or an error as a line for a person."""

    picture: Path
    prediction: Prediction | None = None
    error: str | None = None
    deployment: str | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return what programs read."""
        told = {"path": str(self.picture), "deployment": self.deployment, "seconds": round(self.seconds, 3)}
        return {**told, **(self.prediction or {}), **({"error": self.error} if self.error else {})}


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Return the files as given, and the pictures below folders by name. Raises DataError for none at all."""
    found = [picture for path in paths for picture in (_below(path) if path.is_dir() else [path])]
    if not found:
        raise DataError(f"no pictures in {', '.join(map(str, paths))}; they end in {' '.join(sorted(SUFFIXES))}")
    return found


def _below(folder: Path) -> list[Path]:
    return [folder / name for name in Pictures(folder).names if is_read(name)]


class Invocation:
    """Sends pictures to an endpoint, to one deployment of it where that is named.

    Raises AzureError where there is no such endpoint or Azure gives no key for it, UsageError for a deployment that is
    not there.
    """

    def __init__(self, session: Session, name: str, deployment: str | None = None) -> None:
        self.endpoint = endpoints.look_up(session, name)
        known = {one.name.lower() for one in self.endpoint.deployments}
        if deployment is not None and deployment.lower() not in known:
            raise UsageError(
                f"the endpoint {name} has no deployment {deployment}; there are {', '.join(sorted(known))}"
            )
        if deployment is None and not self.endpoint.traffic:
            raise UsageError(
                f"no deployment of {name} has traffic: name one with --deployment, or deploy with --traffic"
            )
        if not self.endpoint.url:
            raise AzureError(f"the endpoint {name} has no address yet ({self.endpoint.state}) [{session.place}]")
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {_secret(session, name)}",
            **({DEPLOYMENT: deployment} if deployment else {}),
        }

    def answers(self, pictures: Sequence[Path]) -> Iterator[Answer]:
        """Yield an answer for each picture, in order.

        Raises AzureUnavailableError where the first gets no connection, AzureError where no picture will be answered;
        what goes wrong after the first takes no answer away that is there.
        """
        with Poster(self.endpoint.url) as poster:
            first = _ask(
                poster, self._headers, pictures[0]
            )  # alone: a wrong address is told once, and a cold start met
            yield first
            yield from _several(poster, self._headers, pictures[1:])


def _several(poster: Poster, headers: Mapping[str, str], pictures: Sequence[Path]) -> Iterator[Answer]:
    rest = iter(pictures)
    asked = deque(_begun(poster, headers, picture) for picture in islice(rest, AT_ONCE))
    while asked:
        yield asked.popleft().result()
        asked.extend(_begun(poster, headers, picture) for picture in islice(rest, 1))


def _begun(poster: Poster, headers: Mapping[str, str], picture: Path) -> Future[Answer]:
    """Ask; nobody waits for a silent endpoint, which may take minutes, when the command is interrupted."""
    return begin(lambda: _safely(poster, headers, picture), "invoke")


def _safely(poster: Poster, headers: Mapping[str, str], picture: Path) -> Answer:
    try:
        return _ask(poster, headers, picture)
    except AzureError as error:
        return Answer(picture, error=str(error))


def _ask(poster: Poster, headers: Mapping[str, str], picture: Path) -> Answer:
    try:
        body = request_body(read_bytes(picture))
    except DataError as error:
        return Answer(picture, error=str(error))
    started = monotonic()
    reply = poster.post(body, headers)
    deployment, seconds = reply.headers.get(DEPLOYMENT), monotonic() - started
    if reply.status in HOPELESS:
        raise AzureError(f"{poster.url}: {refusal(reply)}")
    try:
        return Answer(picture, parse_reply(reply), None, deployment, seconds)
    except AnswerError as error:
        return Answer(picture, None, str(error), deployment, seconds)


def _secret(session: Session, name: str) -> str:
    """Return the endpoint's key, or a token for it. It is shown nowhere."""
    with session.asking(f"getting the key of the endpoint {name}"):
        keys: Any = session.client.online_endpoints.get_keys(name)
    return str(getattr(keys, "primary_key", None) or keys.access_token)
