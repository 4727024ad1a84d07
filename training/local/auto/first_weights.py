"""Which networks can begin with weights that were trained before."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.errors import UsageError
from training.image_models import nearest
from training.local.auto.portfolio import TUNED
from training.local.pretrained.finding import AUTO, find
from training.recipe import NO_WEIGHTS


def wanted_weights(texts: Sequence[str]) -> dict[str, str]:
    """Return where weights are looked for, by network, of ``none``, ``auto`` or any number of ``NETWORK=WEIGHTS``.

    Raises:
        UsageError: another form, or a network for which there is no such recipe.
    """
    if list(texts) == [NO_WEIGHTS]:
        return {}
    if list(texts) == [AUTO]:
        return dict.fromkeys(TUNED, AUTO)
    return dict(_wanted(text) for text in texts)


def _wanted(text: str) -> tuple[str, str]:
    model, separator, where = (part.strip() for part in text.partition("="))
    if not separator or not where:
        raise UsageError(f"--pretrained {text}: give none, auto, or NETWORK=WEIGHTS once or more")
    if model not in TUNED:
        close = nearest(model, TUNED)
        meant = f"did you mean {close}?" if close else f"AutoMode fine-tunes {', '.join(TUNED)}"
        raise UsageError(f"--pretrained {text}: {meant}")
    return model, where


def at_hand(
    wanted: Mapping[str, str], say: Callable[[str], object], in_time: Callable[[], bool] = lambda: True
) -> dict[str, str]:
    """Return where the weights are, so that the same are found again; ``say`` hears why there are none.

    After one that the hub does not give, or once it is not ``in_time``, no more are asked for.

    Raises:
        DataError: weights that were named cannot be had or read.
        UsageError: they are neither a file nor a repository's name.
    """
    found: dict[str, str] = {}
    for model, where in wanted.items():
        if where == AUTO and not in_time():
            say(f"no time to ask for weights for {model} and what comes after it")
            break
        weights = find(where, model, say)
        if weights.weights is None:
            say(weights.source)
            break
        found[model] = str(Path(where).absolute()) if Path(where).exists() else weights.source
    return found
