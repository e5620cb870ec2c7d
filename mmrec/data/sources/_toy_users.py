"""The toy shop's customers: four planted tastes, each visible to one part of the model alone.

| taste | what the customer does | what it takes to see it |
|---|---|---|
| image | buys one colour and pattern | the photo: no text names a colour |
| text | buys one material | the text: no photo shows a material |
| order | buys from the collections in turn, fox, owl, bear, ... | the order: every collection is bought equally often |
| long_term | begins with one collection, then by turns 8 others, a hat, one return | the whole history (below) |

The newest 8 purchases of a long-term customer tell when to return (after a hat), but not where to.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from mmrec.data.sources._toy_shop import COLLECTIONS, GARMENTS, PER_TASTE, Product

TASTES = ("image", "text", "order", "long_term")
NOISE = 0.07  # share of purchases that follow no taste
STRETCH = 8  # other purchases before a long-term customer buys a hat and returns: as long as the toy's window


def make_histories(products: Sequence[Product], users: int, rng: random.Random) -> list[tuple[str, list[Product]]]:
    """Return each customer's taste and purchases, oldest first, no product twice; the last one follows the taste."""
    by_look = _group(products, lambda product: product.look)
    by_material = _group(products, lambda product: product.material)
    by_collection = _group(products, lambda product: product.collection)
    histories = []
    for number in range(users):
        taste, kind = TASTES[number % 4], number // 4 % len(COLLECTIONS)
        cart = _Cart(products, rng)
        if taste == "image":
            _buy_alike(cart, by_look[kind], rng)
        elif taste == "text":
            _buy_alike(cart, by_material[kind], rng)
        elif taste == "order":
            length = rng.randrange(12, 20)
            for step in range(length):
                cart.add(by_collection[(kind + step) % len(COLLECTIONS)], faithful=step == length - 1)
        else:
            _buy_and_return(cart, by_collection[kind], rng)
        histories.append((taste, cart.bought))
    return histories


class _Cart:
    def __init__(self, products: Sequence[Product], rng: random.Random) -> None:
        self.products, self.rng, self.bought = products, rng, list[Product]()

    def add(self, wanted: Sequence[Product], faithful: bool = False) -> None:
        """Buy one new product of those wanted, or any at all in a share of cases."""
        choice = wanted if faithful or self.rng.random() >= NOISE else self.products
        new = [product for product in choice if product not in self.bought]
        self.bought.append(self.rng.choice(new))


def _buy_alike(cart: _Cart, wanted: Sequence[Product], rng: random.Random) -> None:
    length = rng.randrange(7, PER_TASTE - 1)
    for step in range(length):
        cart.add(wanted, faithful=step == length - 1)


def _buy_and_return(cart: _Cart, wanted: Sequence[Product], rng: random.Random) -> None:
    others = [product for product in cart.products if product not in wanted]
    hats, rest = ([p for p in others if (GARMENTS[p.garment] == "hat") == hat] for hat in (True, False))
    for _ in range(4):
        cart.add(wanted)
    for _ in range(rng.randrange(4, 6)):
        for _ in range(STRETCH):
            cart.add(rest, faithful=True)
        cart.add(hats, faithful=True)
        cart.add(wanted, faithful=True)


def _group(products: Sequence[Product], key: Callable[[Product], int]) -> dict[int, list[Product]]:
    groups = defaultdict(list)
    for product in products:
        groups[key(product)].append(product)
    return groups
