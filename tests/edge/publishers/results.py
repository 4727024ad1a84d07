"""Made-up results for tests of publishers."""

from datetime import UTC, datetime

from edge.results import Classification, Failure, ModelRef, Outcome, Prediction, Result, Timing

MODEL = ModelRef("parts", "1")
GOOD = Classification("good", 0.75, ("good", "bad"), (0.75, 0.25))
BROKEN = Failure("ImageDecodeError", "not a picture")


def make_result(seq: int, *, source: str = "camera", prediction: Prediction = GOOD, name: str | None = None) -> Result:
    """Return a result with ``seq``, unique by its id."""
    return Result(
        id=f"{seq:026d}",
        seq=seq,
        device="press-1",
        source=source,
        captured_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        outcome=Outcome(prediction, MODEL, "CPUExecutionProvider", Timing(inference_ms=4.0)),
        name=name,
    )
