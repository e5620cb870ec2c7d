"""One seed for everything random, from `seed_everything`."""

import os


def global_seed() -> int:
    """Return the seed that Lightning's `seed_everything` set, 0 if none."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))
