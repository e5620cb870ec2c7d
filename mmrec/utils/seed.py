"""The seed of the process, as `seed_everything` has set it."""

import os


def global_seed() -> int:
    """Return the seed that Lightning's `seed_everything` set, or 0 if it was not called."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
