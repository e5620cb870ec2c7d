"""A setting of glibc's allocator: freed memory is kept for the next step.

glibc returns large blocks to the system as soon as they are freed. So in every training step on a CPU the kernel would
map and zero the same hundreds of megabytes again, page by page.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to serve large blocks from the heap and never to shrink it; do nothing with other libraries.

    Returns:
        whether the allocator accepted the settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST), (M_TOP_PAD, 2**26))
    return all(mallopt(option, value) == 1 for option, value in settings)
