"""A trial's process that plays the script in its folder: ``python played_trial.py FOLDER PARENT``. No torch."""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, SIGKILL = 1, 9


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    folder = Path(sys.argv[1])
    with (folder / "pids").open("a") as file:
        file.write(f"{os.getpid()}\n")
    script = json.loads((folder / "script.json").read_text())
    told = []
    for epoch in script["epochs"]:
        told.append(epoch)
        print(json.dumps({"epoch": epoch}), flush=True)  # noqa: T201 - what the process is for
        if sys.stdin.readline().strip() != "on":
            script["ending"] = "asked"
            break
    if script["ending"] == "hang":
        time.sleep(600)
    if script["ending"] == "crash":
        sys.stderr.write("boom\n")
        sys.exit(3)
    if script["ending"] == "full":
        print(json.dumps({"broken": "no room", "disk": True}), flush=True)  # noqa: T201 - as above
        return
    if script["ending"] == "broken":
        print(json.dumps({"broken": "the loss became nan"}), flush=True)  # noqa: T201 - as above
        return
    best = max(told, key=lambda epoch: epoch["validation"]["accuracy"])
    print(json.dumps({"fitted": best, "asked": script["ending"] == "asked"}), flush=True)  # noqa: T201 - as above


main()
