from pathlib import Path

from .pair import Pair


def report(pair: Pair, folder: Path) -> bool:
    return False
