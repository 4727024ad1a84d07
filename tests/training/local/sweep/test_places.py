"""What every place of trials does: the one for tests, this machine, and a Dask cluster on it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.training.local.sweep.plays import Stage, epoch, played_program, write_script
from training.local.sweep.here import Here
from training.local.sweep.places import Broken, Fitted, News, Reported, Workplace

distributed = pytest.importorskip("distributed")

from training.local.sweep.dask_place import OnDask, settle  # noqa: E402 - Dask may be absent

WAIT_S = 30.0
Opened = Callable[[], Workplace]


def started(module: str, *options: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", module, *options], stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a scheduler on the loopback that has two workers, each a process, as a user starts them."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    local = ("--host", "127.0.0.1", "--no-dashboard")
    worker = (*local, "--scheduler-file", str(file), "--no-nanny", "--nthreads", "2")
    with ExitStack() as stack:
        processes = [started("distributed.cli.dask_scheduler", *local, "--port", "0", "--scheduler-file", str(file))]
        processes += [started("distributed.cli.dask_worker", *worker) for _ in range(2)]
        for process in processes:
            stack.enter_context(process)
            stack.callback(process.terminate)
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=WAIT_S)
            client.submit(len, "warm").result()
            yield address


def heard(place: Workplace) -> News:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        news = place.next_news(0.2)
        if news is not None:
            return news
    pytest.fail("nothing was heard")


class Contract:
    """What every place does; ``opened`` opens it."""

    def test_a_trial_tells_each_epoch_and_its_end(self, opened: Opened, tmp_path: Path) -> None:
        """After each epoch it waits for an answer."""
        place = opened()
        place.begin(3, write_script(tmp_path, [0.5, 0.7, 0.6]))
        for number, value in enumerate([0.5, 0.7, 0.6], 1):
            assert heard(place) == Reported(3, epoch(number, value))
            place.answer(3, going=True)
        assert heard(place) == Fitted(3, epoch(2, 0.7), asked=False)

    def test_a_trial_ends_when_it_is_told_so(self, opened: Opened, tmp_path: Path) -> None:
        """Its best epoch until then counts."""
        place = opened()
        place.begin(0, write_script(tmp_path, [0.5, 0.7, 0.6]))
        heard(place)
        place.answer(0, going=False)
        assert heard(place) == Fitted(0, epoch(1, 0.5), asked=True)

    def test_a_trial_that_cannot_go_on_says_why(self, opened: Opened, tmp_path: Path) -> None:
        """In its own words."""
        place = opened()
        place.begin(0, write_script(tmp_path, [], "broken"))
        assert heard(place) == Broken(0, "the loss became nan")

    def test_a_trial_whose_disk_is_full_says_so(self, opened: Opened, tmp_path: Path) -> None:
        """So that the others need not try."""
        place = opened()
        place.begin(0, write_script(tmp_path, [], "full"))
        assert heard(place) == Broken(0, "no room", disk=True)

    def test_a_trial_that_crashes_is_told(self, opened: Opened, tmp_path: Path) -> None:
        """With its last words; the others go on."""
        place = opened()
        place.begin(0, write_script(tmp_path / "0", [], "crash"))
        assert heard(place) == Broken(0, "ended with exit code 3: boom")
        place.begin(1, write_script(tmp_path / "1", [0.5]))
        assert heard(place) == Reported(1, epoch(1, 0.5))

    def test_trials_run_beside_each_other(self, opened: Opened, tmp_path: Path) -> None:
        """One that is not answered holds up no other."""
        place = opened()
        place.begin(0, write_script(tmp_path / "0", [0.1, 0.2]))
        assert heard(place) == Reported(0, epoch(1, 0.1))
        place.begin(1, write_script(tmp_path / "1", [0.3]))
        assert heard(place) == Reported(1, epoch(1, 0.3))
        place.answer(1, going=True)
        assert heard(place) == Fitted(1, epoch(1, 0.3), asked=False)
        place.answer(0, going=True)
        assert heard(place) == Reported(0, epoch(2, 0.2))

    def test_nothing_to_tell_is_told(self, opened: Opened, tmp_path: Path) -> None:
        """After the time that was given."""
        place = opened()
        place.begin(0, write_script(tmp_path, [], "hang"))
        assert place.next_news(0.1) is None

    def test_what_was_ended_can_be_begun_again(self, opened: Opened, tmp_path: Path) -> None:
        """In a place of its own, as the same command does after a kill: it tells of its epochs again."""
        place = opened()
        place.begin(0, write_script(tmp_path, [0.5, 0.7]))
        heard(place)
        place.close()
        again = opened()
        again.begin(0, tmp_path)
        assert heard(again) == Reported(0, epoch(1, 0.5))


class TestStage(Contract):
    """The place for tests."""

    @pytest.fixture
    def opened(self) -> Opened:
        return Stage


class TestHere(Contract):
    """This machine."""

    @pytest.fixture
    def opened(self) -> Iterator[Opened]:
        with ExitStack() as stack:
            yield lambda: closed(stack, Here(played_program))

    def test_closing_ends_the_processes(self, opened: Opened, tmp_path: Path) -> None:
        """Nothing is left that trains."""
        check_closing(opened(), tmp_path)


class TestDask(Contract):
    """A cluster on this machine."""

    @pytest.fixture
    def opened(self, scheduler: str, tmp_path: Path) -> Iterator[Opened]:
        with ExitStack() as stack:

            def opening() -> Workplace:
                client = stack.enter_context(distributed.Client(scheduler, set_as_default=False))
                return closed(stack, OnDask(client, tmp_path, played_program))

            yield opening

    def test_closing_ends_the_processes(self, opened: Opened, tmp_path: Path) -> None:
        """Nothing is left that trains."""
        check_closing(opened(), tmp_path)


def closed(stack: ExitStack, place: Workplace) -> Workplace:
    stack.callback(place.close)
    return place


def pids(folder: Path) -> list[int]:
    until = time.monotonic() + WAIT_S
    while not (folder / "pids").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return [int(line) for line in (folder / "pids").read_text().split()]


def is_gone(pid: int) -> bool:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def check_closing(place: Workplace, folder: Path) -> None:
    place.begin(0, write_script(folder, [], "hang"))
    (pid,) = pids(folder)
    place.close()
    assert is_gone(pid)


def test_a_killed_trial_says_that_memory_may_have_run_out(tmp_path: Path) -> None:
    """The kernel gives no reason; that is the likely one."""
    place = Here(played_program)
    place.begin(0, write_script(tmp_path, [], "hang"))
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    news = heard(place)
    assert isinstance(news, Broken)
    assert "memory" in news.reason
    place.close()


def test_where_no_process_can_be_started_no_other_trial_is_tried(tmp_path: Path) -> None:
    """It is no fault of the trial's."""
    place = Here(lambda _: ("/there/is/none",))
    place.begin(0, tmp_path)
    news = heard(place)
    assert isinstance(news, Broken)
    assert news.disk
    assert "no process can be started" in news.reason
    place.close()


def test_trials_die_with_the_sweep(tmp_path: Path) -> None:
    """Also with one that is killed."""
    write_script(tmp_path, [], "hang")
    code = (
        "import sys, time; from pathlib import Path\n"
        "from tests.training.local.sweep.plays import played_program\n"
        "from training.local.sweep.here import Here\n"
        "Here(played_program).begin(0, Path(sys.argv[1])); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as sweep:
        (pid,) = pids(tmp_path)
        sweep.kill()
    assert is_gone(pid)


def test_a_lost_worker_s_trial_goes_on_elsewhere(scheduler: str, tmp_path: Path) -> None:
    """It tells of its epochs again, from its folder, and is answered there."""
    with distributed.Client(scheduler, set_as_default=False) as client:
        place = OnDask(client, tmp_path, played_program)
        place.begin(0, write_script(tmp_path, [0.5, 0.7]))
        assert heard(place) == Reported(0, epoch(1, 0.5))
        (pid,) = pids(tmp_path)
        worker = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(worker, signal.SIGKILL)
        assert heard(place) == Reported(0, epoch(1, 0.5))
        assert len(pids(tmp_path)) == 2
        place.answer(0, going=True)
        assert heard(place) == Reported(0, epoch(2, 0.7))
        place.close()


def test_what_a_killed_sweep_left_on_workers_ends_when_it_goes_on(scheduler: str, tmp_path: Path) -> None:
    """The client that is gone says nothing any more; the next one says that it is another."""
    with distributed.Client(scheduler, set_as_default=False) as client:
        OnDask(client, tmp_path, played_program).begin(0, write_script(tmp_path, [], "hang"))
        (pid,) = pids(tmp_path)
        settle(client, tmp_path)
        assert is_gone(pid)
