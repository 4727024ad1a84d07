"""Stopping by signal, in processes of their own."""

import signal
import subprocess
import sys
import time

import pytest

from edge.daemon.signals import StopSignals

SLOW_STOP = """
import time
from edge.daemon.signals import StopSignals
with StopSignals() as stop:
    print("up", flush=True)
    stop.wait(lambda: True)
    print("asked", flush=True)
    time.sleep(float({stop_s}))
print("clean", flush=True)
"""


def test_the_wait_ends_with_what_it_waits_beside() -> None:
    """When the part that must live has died, the wait tells so."""
    with StopSignals() as stop:
        assert not stop.wait(lambda: False)


def started(stop_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW_STOP.format(stop_s=stop_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_stops_cleanly(number: signal.Signals) -> None:
    """The first signal lets the process finish."""
    with started(0) as process:
        process.send_signal(number)
        assert [line(process), line(process), process.wait(10)] == ["asked", "clean", 0]


def test_a_signal_passed_on_twice_is_one_request() -> None:
    """The same signal again right away, as make passes it on, still lets the process finish."""
    with started(0.2) as process:
        process.send_signal(signal.SIGTERM)
        assert line(process) == "asked"
        process.send_signal(signal.SIGTERM)
        assert [line(process), process.wait(10)] == ["clean", 0]


def test_a_later_signal_ends_at_once() -> None:
    """Who asks again while the stop takes long gets the end without delay."""
    with started(60) as process:
        process.send_signal(signal.SIGTERM)
        assert line(process) == "asked"
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        assert process.wait(1) == 128 + signal.SIGTERM
