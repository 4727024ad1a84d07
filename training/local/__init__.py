"""The local trainer. The only room that imports torch, and only when a fit really starts.

torch's threads spin while they wait for each other: a time slice for each layer, where others use the cores, too. Two
epochs on two threads beside two busy loops took 11 s so, and more than 100 s with libgomp's own count; on idle cores
both took the same. libgomp looks once, when torch is loaded, so it is told here, before any module that imports torch.
The user's own value counts.
"""

import os

SPINS = "1000"

os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # noqa: TID251 - told to libgomp, which knows no other way; not read
