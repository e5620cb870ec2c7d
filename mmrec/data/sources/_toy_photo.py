"""Product photos of the toy shop: a silhouette in a colour and pattern, and the brand's badge in the corner."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

SIZE = 96
SILHOUETTES = (
    ((20, 60), (26, 32), (40, 22), (56, 22), (70, 32), (76, 60), (92, 66), (92, 74), (4, 74), (4, 66)),
    ((34, 14), (62, 14), (90, 32), (80, 48), (70, 42), (70, 84), (26, 84), (26, 42), (16, 48), (6, 32)),
    ((28, 8), (68, 8), (74, 88), (54, 88), (48, 34), (42, 88), (22, 88)),
    ((8, 40), (30, 40), (56, 56), (86, 62), (90, 78), (8, 78)),
    ((14, 42), (32, 42), (36, 20), (60, 20), (64, 42), (82, 42), (88, 86), (8, 86)),
)
"""Outlines of hat, shirt, trousers, shoes and bag."""
COLOURS = ((200, 45, 50), (45, 150, 70), (50, 80, 190), (225, 195, 50))
BADGES = ((130, 50, 160), (240, 130, 30), (25, 25, 25), (20, 150, 150))
TAG = (76, 76, 18)  # centre and radius of the badge


def draw_photo(garment: int, look: int, brand: int, rng: np.random.Generator) -> Image.Image:
    """Draw one product; position, light and shade differ from photo to photo.

    Args:
        garment: which silhouette.
        look: colour * 4 + pattern.
        brand: motif * 4 + badge colour.
        rng: source of chance.

    Returns:
        RGB, 96 x 96.
    """
    photo = Image.new("RGB", (SIZE, SIZE), tuple(int(c) for c in rng.integers(232, 252, 3)))
    dx, dy = (int(shift) for shift in rng.integers(-3, 4, 2))
    mask = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(mask).polygon([(x + dx, y + dy) for x, y in SILHOUETTES[garment]], fill=255)
    base = np.clip(np.array(COLOURS[look // 4]) * rng.uniform(0.9, 1.1) + rng.uniform(-8, 8, 3), 0, 255)
    photo.paste(_fabric(base, look % 4), mask=mask)
    _draw_badge(ImageDraw.Draw(photo), *divmod(brand, 4))
    return photo


def _fabric(base: np.ndarray, pattern: int) -> Image.Image:
    colour, dark = (tuple(int(c) for c in base * shade) for shade in (1, 0.45))
    fabric = Image.new("RGB", (SIZE, SIZE), colour)
    draw = ImageDraw.Draw(fabric)
    for at in range(0, SIZE, 10):
        if pattern == 1:
            draw.rectangle((0, at, SIZE, at + 3), fill=dark)
        elif pattern == 2:
            draw.rectangle((at, 0, at + 3, SIZE), fill=dark)
        elif pattern == 3:
            for across in range(0, SIZE, 10):
                draw.ellipse((across, at, across + 5, at + 5), fill=dark)
    return fabric


def _draw_badge(draw: ImageDraw.ImageDraw, motif: int, badge: int) -> None:
    x, y, radius = TAG
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill="white", outline=BADGES[badge], width=2)
    size = radius - 5
    if motif == 0:  # star
        spikes = [(size if k % 2 == 0 else size * 0.4, math.pi * (k / 5 - 0.5)) for k in range(10)]
        draw.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for r, a in spikes], fill=BADGES[badge])
    elif motif == 1:  # sun
        draw.ellipse((x - size, y - size, x + size, y + size), fill=BADGES[badge])
    elif motif == 2:  # peak
        draw.polygon([(x - size, y + size * 0.7), (x, y - size), (x + size, y + size * 0.7)], fill=BADGES[badge])
    else:  # cross
        draw.rectangle((x - size, y - 3, x + size, y + 3), fill=BADGES[badge])
        draw.rectangle((x - 3, y - size, x + 3, y + size), fill=BADGES[badge])
