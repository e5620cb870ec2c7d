"""The toy shop's products: attributes drawn independently of each other, their records, and their photos."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

COLOURS = {
    "red": (205, 40, 45), "orange": (240, 140, 30), "yellow": (240, 215, 50), "green": (50, 150, 70),
    "turquoise": (60, 195, 195), "blue": (45, 80, 190), "violet": (135, 65, 170), "black": (45, 45, 50),
}  # fmt: skip
PATTERNS = ("plain", "striped", "dotted")
MATERIALS = (
    *("linen", "wool", "silk", "cotton", "denim", "leather", "velvet", "cashmere"),
    *("flannel", "corduroy", "satin", "tweed", "mohair", "hemp", "suede", "fleece"),
    *("chiffon", "jersey", "canvas", "poplin", "alpaca", "bamboo", "viscose", "twill"),
)
COLLECTIONS = (
    *("fox", "owl", "bear", "wolf", "deer", "hare", "seal", "swan"),
    *("crane", "otter", "lynx", "badger", "raven", "heron", "bison", "moose"),
    *("falcon", "beaver", "robin", "marten", "stork", "ibex", "puffin", "gecko"),
)
GARMENTS = ("hat", "shirt", "trousers", "shoes")
BRANDS = ("Nordlicht", "Casa Verde", "Atelier Nine", "Halcyon", "Brook and Sons", "Miro")
FILLER = (
    *("made to last", "cut for everyday wear", "a regular fit"),
    *("easy to care for", "finished by hand", "a gift that pleases"),
    *("for the city and the country", "tested by our team"),
)
PER_TASTE = 12
"""Number of products of one colour and pattern, of one material, and of one collection: a known taste leaves 12."""
SIDE = 96


@dataclass(frozen=True, eq=False)
class Product:
    """One product; colour and pattern show only in the photo, the material only in the text, the collection in both."""

    asin: str
    look: int
    material: int
    collection: int
    garment: int
    brand: int
    filler: tuple[int, int]


def make_products(rng: random.Random) -> list[Product]:
    """Make 288 products: 24 looks, 24 materials and 24 collections, each on 12 of them, shuffled independently."""
    looks, materials, collections = (_shuffle(rng, 24) for _ in range(3))
    asins = rng.sample(range(10**7), len(looks))
    return [
        Product(
            f"B{asin:09d}",
            look,
            material,
            collection,
            rng.randrange(4),
            rng.randrange(6),
            (rng.randrange(8), rng.randrange(8)),
        )
        for asin, look, material, collection in zip(asins, looks, materials, collections, strict=True)
    ]


def make_record(product: Product, rng: random.Random) -> dict[str, Any]:
    """Return the product's metadata in the 2018 format."""
    material, collection = MATERIALS[product.material], COLLECTIONS[product.collection]
    garment = GARMENTS[product.garment]
    return {
        "asin": product.asin,
        "title": f"{collection.title()} collection {material} {garment}",
        "brand": BRANDS[product.brand],
        "category": ["Clothing", garment.title()],
        "feature": [f"Material: {material}", f"Collection: {collection}"],
        "description": [". ".join(FILLER[place].capitalize() for place in product.filler) + "."],
        "price": f"${rng.randrange(12, 90)}.{rng.choice((50, 95, 99))}",
        "imageURLHighRes": [],
    }


def draw_photo(product: Product, rng: random.Random) -> Image.Image:
    """Draw the garment in its colour and pattern, with the collection's emblem at its place on a 6 x 4 grid."""
    colour = list(COLOURS.values())[product.look % 8]
    grey = rng.randrange(222, 240)
    image = Image.new("RGB", (SIDE, SIDE), (grey, grey, grey))
    fabric = Image.new("RGB", (SIDE, SIDE), colour)
    _draw_pattern(ImageDraw.Draw(fabric), PATTERNS[product.look // 8], tuple(value // 3 for value in colour))
    mask = Image.new("L", (SIDE, SIDE), 0)
    _draw_outline(ImageDraw.Draw(mask), GARMENTS[product.garment])
    image.paste(fabric, (rng.randrange(-2, 3), rng.randrange(-2, 3)), mask)
    row, column = divmod(product.collection, 6)
    x, y = 4 + 16 * column, 6 + 24 * row
    ImageDraw.Draw(image).rectangle((x, y, x + 8, y + 8), fill="white", outline="black", width=2)
    return image


def _shuffle(rng: random.Random, kinds: int) -> list[int]:
    values = [kind for kind in range(kinds) for _ in range(PER_TASTE)]
    rng.shuffle(values)
    return values


def _draw_pattern(draw: ImageDraw.ImageDraw, pattern: str, ink: tuple[int, ...]) -> None:
    if pattern == "striped":
        for x in range(0, SIDE, 12):
            draw.rectangle((x, 0, x + 4, SIDE), fill=ink)
    if pattern == "dotted":
        for x in range(4, SIDE, 12):
            for y in range(4, SIDE, 12):
                draw.ellipse((x, y, x + 5, y + 5), fill=ink)


def _draw_outline(draw: ImageDraw.ImageDraw, garment: str) -> None:
    if garment == "hat":
        draw.ellipse((24, 24, 72, 72), fill=255)
        draw.rectangle((8, 56, 88, 72), fill=255)
    elif garment == "shirt":
        draw.polygon(
            [(30, 14), (66, 14), (90, 36), (78, 48), (70, 40), (70, 86), (26, 86), (26, 40), (18, 48), (6, 36)],
            fill=255,
        )
    elif garment == "trousers":
        draw.polygon([(26, 10), (70, 10), (76, 88), (54, 88), (48, 34), (42, 88), (20, 88)], fill=255)
    else:
        draw.polygon([(8, 40), (30, 40), (44, 56), (84, 64), (90, 78), (8, 78)], fill=255)
