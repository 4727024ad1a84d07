"""The limit: the daemon's own predictor and session in a closed loop, without a server, in a process of its own.

Reads ``lanes SECONDS`` or ``alone SECONDS`` from standard input, one a line, and answers each with a line of JSON.
``lanes``: a thread a core, each with its own picture and one-thread runs: the fastest way through on a CPU.
``alone``: one picture after the other, each run spread over all cores: the quickest single answer.
"""

import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.pictures import VGA, jpegs
from edge.bundle import open_bundle
from edge.predictor import Predictor
from edge.session import OnnxSession, open_session, usable_cores

WARMUP_S = 0.4
PICTURES = 24


def main() -> None:
    """Serve the command loop for the bundle that the command line names."""
    bundle = open_bundle(Path(sys.argv[1]))
    predictor, session = Predictor(bundle), open_session(bundle.model_path, device="cpu")
    pictures = jpegs(VGA, PICTURES)
    ways: dict[str, Callable[[float], dict[str, float]]] = {
        "lanes": lambda seconds: lanes(predictor, session, pictures, seconds),
        "alone": lambda seconds: alone(predictor, session, pictures, seconds),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        way, seconds = line.split()
        print(json.dumps(ways[way](float(seconds))), flush=True)


def lanes(predictor: Predictor, session: OnnxSession, pictures: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Return the pictures a second that all cores together answer, and how many there were with the warm-up."""
    began = time.perf_counter() + WARMUP_S
    counts, totals = [0] * usable_cores(), [0] * usable_cores()

    def lane(number: int) -> None:
        for data in itertools.cycle([*pictures[number:], *pictures[:number]]):
            predictor.predict(data, session.run)
            now = time.perf_counter()
            if now >= began + seconds:
                return
            counts[number] += now >= began
            totals[number] += 1

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"per_s": sum(counts) / seconds, "pictures": sum(totals)}


def alone(predictor: Predictor, session: OnnxSession, pictures: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Return the median milliseconds of one picture at a time."""
    until, spent = time.perf_counter() + WARMUP_S + seconds, []
    for data in itertools.cycle(pictures):
        began = time.perf_counter()
        predictor.predict(data, lambda batch: session.run(batch, alone=True))
        spent.append(time.perf_counter() - began)
        if began > until:
            break
    return {"p50_ms": statistics.median(spent[len(spent) // 5 :]) * 1e3}


if __name__ == "__main__":
    main()
