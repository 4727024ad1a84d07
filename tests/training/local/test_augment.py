"""Random views: of the right form, reproducible, never inverted."""

import pytest

torch = pytest.importorskip("torch")

from training.local.augment import Augment, AugmentRange, normalise  # noqa: E402 - torch may be absent

STILL = AugmentRange(area=(1, 1), aspect=(1, 1), contrast=(1, 1), brightness=(0, 0))


def _augment(seed: int, size: int = 32, ranges: AugmentRange | None = None) -> Augment:
    return Augment(size, torch.Generator().manual_seed(seed), ranges)


def test_views_have_the_asked_size() -> None:
    """Pictures of any size and aspect become normalised squares."""
    pictures = [torch.randint(0, 256, (3, h, w), dtype=torch.uint8) for h, w in ((40, 40), (20, 90), (200, 33), (8, 8))]
    views = _augment(0)(pictures)
    assert views.shape == (4, 3, 32, 32)
    assert views.dtype == torch.float32
    assert views.isfinite().all()


def test_same_seed_same_views() -> None:
    """The seed alone decides what is drawn."""
    pictures = [torch.randint(0, 256, (3, 50, 50), dtype=torch.uint8)] * 3
    assert torch.equal(_augment(1)(pictures), _augment(1)(pictures))
    assert not torch.equal(_augment(1)(pictures), _augment(2)(pictures))


def test_orientations_are_the_eight_of_a_square() -> None:
    """Without crop and light, a view is the picture in one of its eight orientations; all of them occur."""
    picture = torch.arange(3 * 4 * 4, dtype=torch.uint8).view(3, 4, 4)
    turned = [torch.rot90(base, k, (1, 2)) for base in (picture, picture.flip(2)) for k in range(4)]
    expected = [normalise(one[None].float() / 255)[0] for one in turned]
    seen = {
        next(i for i, one in enumerate(expected) if torch.allclose(view, one, atol=1e-5))
        for view in _augment(0, 4, STILL)([picture] * 100)
    }
    assert seen == set(range(8))


def test_dark_stays_darker_than_bright() -> None:
    """Light and contrast change, but a dark half never becomes the bright one."""
    picture = torch.full((3, 40, 40), 40, dtype=torch.uint8)
    picture[:, :, 20:] = 200
    for view in _augment(3)([picture] * 20):
        values = view[0].flatten().sort().values
        assert values[-1] - values[0] > 1
