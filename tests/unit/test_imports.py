"""Arrows between packages and folders point one way (docs/development.md)."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "fractal_common": ROOT / "libs" / "common",
    "fractal_auth": ROOT / "services" / "auth",
    "fractal_jobs": ROOT / "services" / "jobs",
    "fractal_agent": ROOT / "services" / "runner-agent",
    "fractal_server": ROOT / "services" / "standalone",
}
MAY_IMPORT = {
    "fractal_common": set[str](),
    "fractal_auth": {"fractal_common"},
    "fractal_jobs": {"fractal_common"},
    "fractal_agent": {"fractal_common"},
    "fractal_server": set(PACKAGES) - {"fractal_server"},
}
# Folder or module of a service → what it never imports.
NEVER = {
    "fractal_jobs.domain": (
        "fastapi",
        "sqlalchemy",
        "nats",
        "fractal_jobs.api",
        "fractal_jobs.engine",
        "fractal_jobs.queries",
    ),
    "fractal_auth.domain": ("fastapi", "sqlalchemy", "nats", "fractal_auth.api", "fractal_auth.queries"),
    "fractal_jobs.queries": ("fastapi", "nats", "fractal_jobs.api", "fractal_jobs.engine"),
    "fractal_auth.queries": ("fastapi", "nats", "fractal_auth.api"),
    "fractal_jobs.engine": ("fastapi", "nats", "fractal_jobs.api"),
    "fractal_jobs.api": ("nats", "fractal_jobs.engine"),
    "fractal_agent": ("fastapi", "sqlalchemy", "psycopg", "nats", "fractal_common.database"),
}
NATS_ONLY_IN = "fractal_common.bus"


def modules() -> Iterator[tuple[str, Path]]:
    for package, folder in PACKAGES.items():
        for file in sorted((folder / package).rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def violations() -> Iterator[str]:
    for module, file in modules():
        own = module.split(".", maxsplit=1)[0]
        for name in imports(file):
            package = name.split(".", maxsplit=1)[0]
            if package in PACKAGES and package != own and package not in MAY_IMPORT[own]:
                yield f"{module} imports {name}"
            for folder, forbidden in NEVER.items():
                if below(module, folder) and any(below(name, one) for one in forbidden):
                    yield f"{module} imports {name}"
            if package == "nats" and module != NATS_ONLY_IN:
                yield f"{module} imports {name}"


def test_arrows_point_one_way() -> None:
    assert len(list(modules())) > 100, "the packages were not found"
    assert sorted(set(violations())) == []


def test_the_worker_needs_the_standard_library_only() -> None:
    import sys

    worker = [file for module, file in modules() if below(module, "fractal_agent.worker")]
    assert len(worker) > 5, "the worker was not found"
    names = {name for file in worker for name in imports(file) if not below(name, "fractal_agent.worker")}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
