"""What is public is written down: `__all__` is complete, in order, and every name in it explains itself."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"


def public_modules() -> list[str]:
    """Every module that defines `__all__`, and the package itself."""
    found = {"syncline"}
    for file in (SOURCE / "syncline").rglob("*.py"):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if "__all__" in file.read_text("utf-8") and "._" not in name:
            found.add(name)
    return sorted(found)


@pytest.fixture(params=public_modules())
def module(request):
    return importlib.import_module(request.param)


def own_docstring(thing):
    """The docstring somebody wrote: neither inherited nor made up by `dataclass`."""
    text = vars(thing).get("__doc__") or ""
    return "" if text.startswith(f"{getattr(thing, '__name__', '')}(") else text.strip()


def explains_itself(thing) -> bool:
    documented = inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)
    return not documented or bool(own_docstring(thing) if inspect.isclass(thing) else inspect.getdoc(thing))


def test_all_is_in_order(module):
    assert list(module.__all__) == sorted(set(module.__all__))


def test_every_name_exists(module):
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_public_name_has_a_docstring(module):
    assert [name for name in module.__all__ if not explains_itself(getattr(module, name, None))] == []


def imported_for_types(module) -> dict[str, str]:
    """The names that a type checker sees, each with its module."""
    tree = ast.parse(inspect.getsource(module))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    return {alias.name: node.module for node in block.body for alias in node.names}


@pytest.mark.parametrize("name", ["syncline", "syncline.server", "syncline.sync"])
def test_names_that_are_imported_when_asked_for_come_from_where_their_types_do(name):
    module = importlib.import_module(name)
    assert {each: f"{name}.{home}" for each, home in module._HOME.items()} == imported_for_types(module)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018
