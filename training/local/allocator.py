"""How the C library keeps the memory that a step frees, so that the next step need not ask the kernel for it again.

Every step frees and takes the same hundreds of megabytes. glibc gives such blocks back at once, and the kernel zeroes
them anew, page by page: a quarter of the time of a fit on CPU, as measured in docs/reference/benchmarks.md.
"""

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""``mallopt(3)``."""
LARGEST = 2**31 - 1
TOP_PAD_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Let this process keep what it frees until it ends; False where the C library is none that can (musl, macOS)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    wanted = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, TOP_PAD_BYTES))
    return mallopt is not None and all(mallopt(*setting) == 1 for setting in wanted)
