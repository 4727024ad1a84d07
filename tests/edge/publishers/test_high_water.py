"""The file beside the outbox that numbers are reserved in."""

from pathlib import Path

import pytest

from edge.publishers.high_water import RESERVED, SLOT_BYTES, SLOTS, HighWater, HighWaterFile, Reserve

SOME = HighWater(seq_bound=7, seq_floor=3, id_bound=9, newest_id="01K", state="behind", boot="b", clock_offset_ms=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "outbox.mark"


def test_what_was_written_last_is_read(path: Path) -> None:
    """Also by another process, and after many rounds; the file stays as small as it is."""
    for seq in range(1, 6):
        HighWaterFile(path).read()
        file = HighWaterFile(path)
        file.read()
        file.write(HighWater(seq_bound=seq), force=False)
    file.write(SOME, force=True)
    assert HighWaterFile(path).read() == SOME
    assert path.stat().st_size == SLOTS * SLOT_BYTES


@pytest.mark.parametrize("torn", range(SLOTS))
def test_a_torn_slot_leaves_the_other(path: Path, torn: int) -> None:
    """At worst what was written before is read."""
    file = HighWaterFile(path)
    for seq in (1, 2):
        file.write(HighWater(seq_bound=seq), force=False)
    data = bytearray(path.read_bytes())
    data[torn * SLOT_BYTES + 20] ^= 0xFF
    path.write_bytes(data)
    found = HighWaterFile(path).read()
    assert found is not None
    assert found.seq_bound in {1, 2}


@pytest.mark.parametrize("data", [b"", b"garbage", bytes(SLOTS * SLOT_BYTES), b"\n" * 5000])
def test_a_file_that_says_nothing_is_like_none(path: Path, data: bytes) -> None:
    """And is written again."""
    path.write_bytes(data)
    file = HighWaterFile(path)
    assert file.read() is None
    file.write(SOME, force=False)
    assert HighWaterFile(path).read() == SOME


def test_numbers_are_reserved_ahead_and_exact_once_it_ends(path: Path) -> None:
    """Running, more than what was given; closed or behind, what was given."""
    reserve = Reserve(path)
    assert reserve.low(0, 0)
    reserve.extend(HighWater(seq_bound=10, id_bound=20))
    left = HighWaterFile(path).read()
    assert left is not None
    assert (left.seq_bound, left.id_bound) == (10 + RESERVED, 20 + RESERVED)
    assert not reserve.exceeded(10 + RESERVED, 0)
    assert reserve.exceeded(11 + RESERVED, 0)
    assert reserve.low(11 + RESERVED // 2, 0)
    reserve.write(HighWater(seq_bound=11, state="closed"))
    assert HighWaterFile(path).read() == HighWater(seq_bound=11, state="closed")


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    """The outbox's own file tells."""
    reserve = Reserve(tmp_path / "nowhere" / "outbox.mark")
    reserve.extend(SOME)
    assert reserve.read() is None
