"""Places of pictures in all the ways that labels' files write them."""

import pytest

from training.dataset.entries import azure_url, path_of, place_of, size_from

LONG = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/store/paths/a/b c.png"


@pytest.mark.parametrize(
    ("reference", "path", "place"),
    [
        ("a/b.png", "a/b.png", None),
        ("./a/../b.png", "a/b.png", None),
        ("C:\\data\\b.png", "C:/data/b.png", None),
        ("/data/b.png", "data/b.png", None),
        ("https://account.blob.core.windows.net/box/a/b%20c.png?sig=x", "box/a/b c.png", None),
        ("AmlDatastore://store/a/b c.png", "a/b c.png", ("store", "a/b c.png")),
        ("azureml://datastores/store/paths/a/b c.png", "a/b c.png", ("store", "a/b c.png")),
        (LONG, "a/b c.png", ("store", "a/b c.png")),
    ],
)
def test_paths_and_places(reference: str, path: str, place: tuple[str, str] | None) -> None:
    """The path that a file is looked for by, and the place in Azure if it is one."""
    assert path_of(reference) == path
    assert place_of(reference) == place
    assert azure_url(reference) == (reference if place else None)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (400, 258, (400, 258)),
        ("400px", "258px", (400, 258)),
        (4032.0, "3024", (4032, 3024)),
        (0, 5, None),
        ("wide", 5, None),
        (float("inf"), 5, None),
    ],
)
def test_sizes(width: object, height: object, size: tuple[int, int] | None) -> None:
    """As number or text, with and without px; what is no size is none."""
    assert size_from({"width": width, "height": height}) == size
    assert size_from({}) is None
