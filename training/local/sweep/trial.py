"""The process of one trial: ``python -m training.local.sweep.trial FOLDER PARENT``.

It fits the run in the folder. On standard output it tells of each epoch, a line of JSON, and reads a line in return:
``on``, or anything else to end. The last line tells how it ended. It never outlives who waits for it.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from edge.errors import EdgeError
from edge.limits import be_modest, die_with, limit_memory
from training.errors import StorageError, TrainingError
from training.local.run import Epoch, read_run

ON = "on"


def main(folder: Path, talk: IO[str]) -> None:
    """Fit the run in a folder and tell of it on ``talk``."""
    try:
        from training.local.accelerator import choose  # noqa: PLC0415 - torch may be what fails
        from training.local.fit import fit_run  # noqa: PLC0415 - as above

        if choose("auto").device.type == "cpu":
            limit_memory()  # too large a batch shall fail, and be halved, before the system ends the process for it
        fitted = fit_run(read_run(folder), folder, lambda _: None, epoch_done=lambda epoch: _ask(talk, epoch))
        _tell(talk, {"fitted": asdict(fitted.best), "asked": fitted.how == "asked"})
    except StorageError as error:
        _tell(talk, {"broken": " ".join(str(error).split()), "disk": True})
    except (TrainingError, EdgeError) as error:
        _tell(talk, {"broken": " ".join(str(error).split())})
    except MemoryError:
        _tell(talk, {"broken": "out of memory; set a smaller training_batch_size, or fewer trials at a time"})
    except OSError as error:
        _tell(talk, {"broken": f"{error.filename or folder}: {error.strerror}", "disk": True})


def _ask(talk: IO[str], epoch: Epoch) -> bool:
    _tell(talk, {"epoch": asdict(epoch)})
    answer = sys.stdin.readline()
    if not answer:
        os._exit(1)  # nobody is there any more
    return answer.strip() == ON


def _tell(talk: IO[str], said: Mapping[str, Any]) -> None:
    talk.write(json.dumps(said) + "\n")
    talk.flush()


def _own_output() -> IO[str]:
    """Return standard output for ourselves; what packages print goes where complaints go."""
    talk = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return talk


if __name__ == "__main__":
    die_with(int(sys.argv[2]))
    be_modest(0)
    main(Path(sys.argv[1]), _own_output())
