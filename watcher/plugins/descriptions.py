"""What the keys of a section mean, in the words below each in its source.

They are read where a schema is wanted: pydantic's own `use_attribute_docstrings` reads them whenever a model is
imported, which takes a twelfth of a start.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from textwrap import dedent


def descriptions(section: type) -> dict[str, str]:
    """Return the text below each field of a class and of its bases, by the field's name."""
    found: dict[str, str] = {}
    for each in reversed(section.__mro__):
        found |= _own_descriptions(each)
    return found


def _own_descriptions(section: type) -> dict[str, str]:
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(section))).body
    except (OSError, TypeError):  # made at run time, or not in Python
        return {}
    found: dict[str, str] = {}
    for field, below in pairwise(tree.body if isinstance(tree, ast.ClassDef) else ()):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
            case _:
                pass
    return found
