"""To come."""

from ..pair import Pair


def run(pair: Pair) -> None:
    pass
