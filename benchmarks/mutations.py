"""Mutations of a module's syntax tree: one operator swapped, one condition turned round, one constant changed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

Change = Callable[[], None]

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def mutations(tree: ast.Module) -> list[str]:
    """What each mutation does, as `LINE:COLUMN OLD -> NEW`, in a fixed order."""
    return [what for what, _ in _changes(tree)]


def mutated(text: str, number: int) -> str:
    """The module's text with the mutation of this number; its comments are lost."""
    tree = ast.parse(text)
    _, change = list(_changes(tree))[number]
    change()
    return ast.unparse(ast.fix_missing_locations(tree))


def _changes(tree: ast.Module) -> Iterator[tuple[str, Change]]:
    for node in _code(tree):
        for old, new, change in _of(node):
            at = next(each for each in ast.walk(node) if isinstance(each, ast.expr | ast.stmt))
            yield f"{at.lineno}:{at.col_offset} {old} -> {new}", change


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run: no annotations, no imports, and no `strict` of a zip, which only checks the code itself."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST) and not isinstance(child, ast.Import | ast.ImportFrom) and not _strict(child):
                yield child
                yield from _code(child)


def _strict(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _of(node: ast.AST) -> Iterator[tuple[str, str, Change]]:
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                yield _swap(node.ops, place, operator, COMPARED[type(operator)]())
        case ast.BinOp() if type(node.op) in COMPUTED and not _of_types(node):
            yield _put(node, "op", node.op, COMPUTED[type(node.op)]())
        case ast.BoolOp():
            yield _put(node, "op", node.op, ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.Constant() if isinstance(node.value, bool):
            yield _put(node, "value", node.value, not node.value)
        case ast.Constant() if isinstance(node.value, int | float):
            yield _put(node, "value", node.value, node.value + 1)
        case ast.If() | ast.IfExp() | ast.While() if not isinstance(node.test, ast.Compare | ast.BoolOp):
            yield _put(node, "test", node.test, ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension():
            for place, test in enumerate(node.ifs):
                if not isinstance(test, ast.Compare | ast.BoolOp):
                    yield _swap(node.ifs, place, test, ast.UnaryOp(ast.Not(), test))


def _of_types(node: ast.BinOp) -> bool:
    """Whether `|` stands between types, as in isinstance(x, A | B) and in aliases."""
    names = (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.Constant)
    return isinstance(node.op, ast.BitOr) and isinstance(node.left, names) and isinstance(node.right, names)


def _put(node: ast.AST, name: str, old: object, new: object) -> tuple[str, str, Change]:
    return _shown(old), _shown(new), lambda: setattr(node, name, new)


def _swap(nodes: list[ast.cmpop] | list[ast.expr], place: int, old: ast.AST, new: ast.AST) -> tuple[str, str, Change]:
    def change() -> None:
        nodes[place] = new  # type: ignore[call-overload]

    return _shown(old), _shown(new), change


def _shown(value: object) -> str:
    if isinstance(value, ast.expr):
        return ast.unparse(value)
    return type(value).__name__ if isinstance(value, ast.AST) else repr(value)
