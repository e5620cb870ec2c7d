"""The toy shop's customers: four planted tastes, each visible to one part of the model only.

| taste | behaviour of the customer | where it is visible |
|---|---|---|
| image | buys one colour and pattern | the photo: no text names a colour |
| text | buys one material | the text: no photo shows a material |
| order | buys from the collections in turn, fox, owl, bear, ... | the order: every collection is bought equally often |
| long_term | begins with one collection, then by turns 8 basics and one return to it | the whole history (below) |

Basics are the last four collections. A long-term customer returns once the newest 8 purchases are all basics: these
show when, but only the purchases before them show to which collection.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from mmrec.data.sources.toy.shop import COLLECTIONS, PER_TASTE, Product

TASTES = ("image", "text", "order", "long_term")
NOISE = 0.07  # share of purchases that follow no taste
BASICS_IN_A_ROW = 8  # before a long-term customer returns: as many as the toy's window holds
TASTEFUL = len(COLLECTIONS) - 4  # collections that a taste can be for; the others are the basics


def make_histories(products: Sequence[Product], users: int, rng: random.Random) -> list[tuple[str, list[Product]]]:
    """Return each customer's taste and purchases, oldest first, no product twice; the last one follows the taste."""
    by_look = _group(products, lambda product: product.look)
    by_material = _group(products, lambda product: product.material)
    by_collection = _group(products, lambda product: product.collection)
    histories = []
    for number in range(users):
        taste, kind = TASTES[number % 4], number // 4
        cart = _Cart(products, rng)
        if taste == "image":
            _buy_alike(cart, by_look[kind % len(by_look)], rng)
        elif taste == "text":
            _buy_alike(cart, by_material[kind % len(by_material)], rng)
        elif taste == "order":
            length = rng.randrange(12, 20)
            for step in range(length):
                cart.add(by_collection[(kind + step) % TASTEFUL], faithful=step == length - 1)
        else:
            basics = [product for product in products if product.collection >= TASTEFUL]
            _buy_and_return(cart, by_collection[kind % TASTEFUL], basics, rng)
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


def _buy_and_return(cart: _Cart, wanted: Sequence[Product], basics: Sequence[Product], rng: random.Random) -> None:
    for _ in range(4):
        cart.add(wanted)
    for _ in range(rng.randrange(4, 6)):
        for _ in range(BASICS_IN_A_ROW):
            cart.add(basics, faithful=True)
        cart.add(wanted, faithful=True)


def _group(products: Sequence[Product], key: Callable[[Product], int]) -> dict[int, list[Product]]:
    groups = defaultdict(list)
    for product in products:
        groups[key(product)].append(product)
    return groups
