"""Five recommendations from five small catalogues, on which writing and verification are tried.

Each case has the recommended item, the history and other items of the catalogue, so that a wrong value is one that
another item has. `words` are the slots of the false texts in `attack.py`.
"""

import json
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from mmrec.explain import Knowledge, Packet, Recommendation, build_packet

Item = tuple[str, str, dict[str, object], list[str]]
"""Title, text, attributes and the themes of the image."""


@dataclass(frozen=True)
class Case:
    """A recommendation: item 1 of `items` to a user with items 2 to 1 + `history`, the oldest first.

    Args:
        name: short name.
        items: the catalogue.
        history: number of history items.
        neighbours: numbers of the history items to which retrieval holds the item to be close.
        words: slots of the false texts.
    """

    name: str
    items: list[Item]
    history: int
    neighbours: list[int]
    words: dict[str, str]

    @cached_property
    def knowledge(self) -> Knowledge:
        titles, texts, attributes, themes = zip(*self.items, strict=True)
        table = pl.DataFrame(
            {
                "item": range(len(self.items) + 1),
                "raw_id": [None, *(f"x{place}" for place in range(len(self.items)))],
                "title": [None, *titles],
                "text": [None, *(text or title for title, text in zip(titles, texts, strict=True))],
                "image": [None, *(f"{title}.jpg" for title in titles)],
                "attributes": [None, *map(json.dumps, attributes)],
            },
            schema_overrides={"item": pl.Int32, "image": pl.String},
        )
        return Knowledge(table, themes=lambda item: themes[item - 1])

    @property
    def recommendation(self) -> Recommendation:
        seen = list(range(2, 2 + self.history))
        signals = {"alpha": 0.56, "gate": 0.59}
        return Recommendation("ann", 1, 1, 0.83, seen, self.neighbours, signals, modalities=("text", "image"))

    @property
    def packet(self) -> Packet:
        return build_packet(self.recommendation, self.knowledge)


def _cloth(title: str, brand: str, sort: str, price: str, themes: list[str]) -> Item:
    collection, _, material, *_ = title.split()
    facts = {
        "brand": brand, "categories": ["Clothing", sort], "price": price, "material": material,
        "collection": collection.lower(),
    }  # fmt: skip
    return title, f"{title}. Cut for everyday wear.", facts, themes


def _garment(title: str, sort: str, colour: str, pattern: str, section: str, text: str) -> Item:
    facts = {
        "product_type_name": sort, "colour_group_name": colour, "graphical_appearance_name": pattern,
        "section_name": section, "index_group_name": "Ladieswear",
    }  # fmt: skip
    return title, text, facts, []


def _film(title: str, genres: list[str], director: str, actors: list[str], themes: list[str], text: str) -> Item:
    facts = {"genres": genres, "year": title[-5:-1], "director": director, "actors": actors}
    return title, text, facts, themes


CASES: dict[str, Case] = {
    "shop": Case(
        "shop",
        [
            _cloth("Robin collection corduroy trousers", "Atelier Nine", "Trousers", "$56.99", ["blue", "bright"]),
            _cloth("Moose collection cotton shoes", "Atelier Nine", "Shoes", "$40.00", ["white"]),
            _cloth("Falcon collection leather trousers", "Halcyon", "Trousers", "$80.50", ["blue"]),
            _cloth("Robin collection corduroy shirt", "Miro", "Shirt", "$33.50", ["red"]),
            _cloth("Marten collection hemp trousers", "Atelier Nine", "Trousers", "$61.00", ["green"]),
            _cloth("Moose collection wool hat", "Casa Verde", "Hat", "$20.00", ["red"]),
            _cloth("Lynx collection canvas hat", "Nordlicht", "Hat", "$18.00", ["black"]),
            _cloth("Otter collection silk shirt", "Brook and Sons", "Shirt", "$89.95", ["pink"]),
            _cloth("Swan collection velvet shoes", "Nordlicht", "Shoes", "$71.50", ["black"]),
        ],
        5,
        [5],
        {
            "title": "Robin collection corduroy trousers", "h": "Moose collection wool hat",
            "h2": "Falcon collection leather trousers", "noun": "trousers", "kind": "material", "v": "corduroy",
            "wrong": "velvet", "past": "wool", "maker": "Atelier Nine", "other": "Nordlicht", "by": "made by",
            "stranger": "Adidas", "foreign": "Die Hose ist aus Wolle.", "near": "fleece", "did": "bought",
            "number": "56.99",
        },
    ),
    "fashion": Case(
        "fashion",
        [
            _garment("Tilda tank", "Vest top", "Dark Blue", "Stripe", "Womens Everyday Basics",
                     "Striped vest top in soft organic cotton jersey with a round neckline."),
            _garment("Jade slim", "Trousers", "Dark Blue", "Solid", "Womens Tailoring",
                     "Slim trousers in woven twill with a crease."),
            _garment("Strap top", "Vest top", "Black", "Solid", "Womens Everyday Basics",
                     "Jersey top with narrow shoulder straps."),
            _garment("Luna jumper", "Sweater", "White", "Stripe", "Womens Casual",
                     "Fine-knit jumper in organic cotton."),
            _garment("Basic tee", "T-shirt", "Dark Blue", "Solid", "Womens Everyday Basics",
                     "T-shirt in soft organic cotton."),
            _garment("Rosa dress", "Dress", "Light Pink", "All over pattern", "Divided Collection",
                     "Short dress in airy viscose."),
            _garment("Karl coat", "Coat", "Greenish Khaki", "Check", "Mens Outerwear", "Padded coat in nylon."),
            _garment("Mila bag", "Bag", "Beige", "Embroidery", "Womens Accessories", "Small bag in imitation suede."),
        ],
        4,
        [3],
        {
            "title": "Tilda tank", "h": "Luna jumper", "h2": "Strap top", "noun": "top", "kind": "colour",
            "v": "dark blue", "wrong": "beige", "past": "black", "maker": "Womens Everyday Basics",
            "other": "Divided Collection", "by": "from", "stranger": "Zara", "foreign": "Das Oberteil ist schwarz.",
            "near": "crimson", "did": "bought", "number": "19.99",
        },
    ),
    "films": Case(
        "films",
        [
            _film("Long Shadow, The (1997)", ["Crime", "Drama"], "Ana Lopez", ["Tom Reed", "Mia Novak"],
                  ["a city at night"], "A detective returns to a harbour town where a banker has disappeared."),
            _film("Night Train (1994)", ["Crime"], "Ana Lopez", ["Joe Park"], ["a train"],
                  "A detective follows a thief on a train."),
            _film("Quiet Harbour (1997)", ["Drama"], "Ivo Brandt", ["Mia Novak"], ["the sea"],
                  "A family runs a harbour inn."),
            _film("Red Desert Sky (1986)", ["Western"], "Paul Grant", ["Sam Hill"], ["a horse"],
                  "A sheriff waits for rain."),
            _film("Glass Tower (1990)", ["Crime", "Thriller"], "Ivo Brandt", ["Lena Fox"], ["a city at night"],
                  "A banker is blackmailed."),
            _film("Laughing Stock (1988)", ["Comedy"], "Rita Moss", ["Bob Lane"], ["a party"], "A clown inherits."),
            _film("Deep Signal (2001)", ["Sci-Fi", "Horror"], "Kei Sato", ["Ada Wong"], ["outer space"],
                  "A ship hears a voice."),
            _film("Two for Paris (1979)", ["Romance", "Musical"], "Jean Roux", ["Eve Blanc"], ["dancing"],
                  "Two singers fall in love."),
        ],
        4,
        [2, 5],
        {
            "title": "The Long Shadow", "h": "Red Desert Sky", "h2": "Quiet Harbour", "noun": "film",
            "kind": "genre", "v": "crime", "wrong": "comedy", "past": "western", "maker": "Ana Lopez",
            "other": "Kei Sato", "by": "directed by", "stranger": "Spielberg", "foreign": "C'est un film comique.",
            "near": "rom-com", "did": "watched", "number": "1997",
        },
    ),
    "beauty": Case(
        "beauty",
        [
            ("OPI Nail Lacquer, Simmer and Shimmer", "", {"brand": "OPI", "category": ["Makeup", "Nails", "Polish"]},
             []),
            ("OPI Red Shatter Crackle", "", {"brand": "OPI", "category": ["Makeup", "Nails", "Polish"]}, []),
            ("Essie Base Coat", "", {"brand": "Essie", "category": ["Makeup", "Nails", "Base Coats"]}, []),
            ("Great Lash Mascara", "", {"brand": "Maybelline", "category": ["Makeup", "Eyes", "Mascara"]}, []),
            ("Argan Hair Oil", "", {"brand": "Moroccan Moon", "category": ["Hair Care", "Oils"]}, []),
            ("Rosewater Toner", "", {"brand": "Thayers", "category": ["Skin Care", "Toners"]}, []),
            ("Ceramic Flat Iron", "", {"brand": "Conair", "category": ["Tools", "Irons"]}, []),
        ],
        3,
        [2],
        {
            "title": "OPI Nail Lacquer, Simmer and Shimmer", "h": "Great Lash Mascara", "h2": "Essie Base Coat",
            "noun": "polish", "kind": "brand", "v": "nails", "wrong": "toners", "past": "mascara", "maker": "OPI",
            "other": "Conair", "by": "made by", "stranger": "Chanel", "foreign": "Es un aceite para el pelo.",
            "near": "hair dye", "did": "chose", "number": "8.50",
        },
    ),
    "lamps": Case(
        "lamps",
        [
            ("Aurora desk lamp", "A slim lamp with a wooden foot.",
             {"maker": "Lumen", "price": "€49.00", "power": "12 W", "country": "Portugal"}, ["white"]),
            ("Brio floor lamp", "A tall lamp with a paper shade.",
             {"maker": "Lumen", "price": "€129.00", "power": "40 W", "country": "Italy"}, ["black"]),
            ("Cork tray", "A round tray of cork.", {"maker": "Casco", "price": "€18.00", "country": "Portugal"}, []),
            ("Steel kettle", "A kettle.", {"maker": "Vulcan", "price": "€39.00", "country": "Sweden"}, ["grey"]),
            ("Glass jug", "A jug.", {"maker": "Vulcan", "price": "€22.00", "country": "Sweden"}, ["white"]),
        ],
        2,
        [],
        {
            "title": "Aurora desk lamp", "h": "Brio floor lamp", "h2": "Cork tray", "noun": "lamp", "kind": "country",
            "v": "Portugal", "wrong": "Sweden", "past": "Italy", "maker": "Lumen", "other": "Vulcan", "by": "made by",
            "stranger": "Philips", "foreign": "Fabriqué en Suède.", "near": "Scandinavia", "did": "chose",
            "number": "49.00",
        },
    ),
}  # fmt: skip
