"""This machine as the place of trials: a process each."""

import threading
from pathlib import Path
from queue import Empty, Queue

from training.local.sweep.places import Broken, Fitted, News
from training.local.sweep.process import Program, TrialProcess, trial_program

JOIN_S = 10.0


class Here:
    """Runs each trial in a process of its own, which a thread waits for."""

    def __init__(self, program: Program = trial_program) -> None:
        self._program = program
        self._news: Queue[News] = Queue()
        self._processes: dict[int, TrialProcess] = {}
        self._threads: list[threading.Thread] = []

    def begin(self, number: int, folder: Path) -> None:
        """Begin a trial, or go on with it."""
        started = threading.Event()
        thread = threading.Thread(
            target=self._attend, args=(number, folder, started), name=f"trial {number}", daemon=True
        )
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()
        started.wait()

    def _attend(self, number: int, folder: Path, started: threading.Event) -> None:
        try:
            process = self._processes[number] = TrialProcess(number, folder, self._program(folder))
        except OSError as error:  # no other trial would fare better
            self._news.put(Broken(number, f"no process can be started ({error.strerror})", disk=True))
            return
        finally:
            started.set()
        with process:
            for news in process.news():
                if isinstance(news, Fitted | Broken):
                    self._processes.pop(number, None)
                self._news.put(news)

    def next_news(self, timeout_s: float) -> News | None:
        """Wait for the next that a trial tells."""
        try:
            return self._news.get(timeout=timeout_s)
        except Empty:
            return None

    def answer(self, number: int, *, going: bool) -> None:
        """Tell a trial whether it goes on."""
        process = self._processes.get(number)
        if process is not None:
            process.answer(going=going)

    def close(self) -> None:
        """End all processes."""
        for process in list(self._processes.values()):
            process.kill()
        for thread in self._threads:
            thread.join(JOIN_S)
