"""What a change of levers costs: quantities as formulas, times what one of them costs.

A quantity is arithmetic on names, such as `calls.applications * outreach * months / interval`. Names are levers,
`months` and `years` from the start date to the goal's, parameters by their dotted path (their mean as things are), and
metrics of the runs (their mean on the goal's day). What is known without the runs is a plan's cost; what they decide
is told beside it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}
Values = Mapping[str, float]


class Line(NamedTuple):
    """A line of a bill: quantities with and without the change, the cost of one (Rs million), and of the change."""

    name: str
    label: str
    before: float
    after: float
    amount: float
    cost: float
    source: str


@cache
def names(formula: str) -> frozenset[str]:
    """Names in a formula, or ValueError if it is none."""
    return frozenset(node.id for node in ast.walk(_parse(formula)) if isinstance(node, ast.Name))


def evaluate(formula: str, values: Values) -> float:
    """Value of a formula: numbers, names, + - * / and brackets; ValueError if it divides by 0."""
    return _value(_parse(formula).body, values)


def bill(items: Mapping[str, Mapping[str, Any]], before: Values, after: Values) -> list[Line]:
    """What a change costs, item by item; items whose names are not all known are left out.

    ValueError if a quantity is less than 0.

    Parameters
    ----------
    items : mapping
        Name -> label, quantity (a formula), amount (Rs million for one) and source.
    before, after : mapping
        Values of the names without the change and with it.
    """
    lines = []
    for name, item in items.items():
        formula, amount = str(item["quantity"]), float(item["amount"])
        if names(formula) <= before.keys() & after.keys():
            x, y = evaluate(formula, before), evaluate(formula, after)
            if min(x, y) < 0:
                raise ValueError(f"the quantity of {name} should not be less than 0, got {min(x, y):g}")
            lines.append(Line(name, str(item["label"]), x, y, amount, amount * (y - x), str(item["source"])))
    return lines


def total(lines: list[Line]) -> float:
    """Cost of a bill, Rs million."""
    return sum(line.cost for line in lines)


class _Dotted(ast.NodeTransformer):
    """Makes a dotted name one name."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        before = self.visit(node.value)
        return ast.Name(f"{before.id}.{node.attr}", node.ctx) if isinstance(before, ast.Name) else node


@cache
def _parse(formula: str) -> ast.Expression:
    try:
        tree = _Dotted().visit(ast.parse(formula, mode="eval"))
    except SyntaxError:
        tree = None
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name, ast.Load, *OPERATORS)
    if tree is None or not all(isinstance(node, allowed) for node in ast.walk(tree)):
        raise ValueError(f"should be numbers and names with + - * / and brackets, got {formula!r}")
    if any(isinstance(node, ast.Constant) and type(node.value) not in (int, float) for node in ast.walk(tree)):
        raise ValueError(f"should hold numbers and names only, got {formula!r}")
    return tree


def _value(node: ast.expr, values: Values) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return float(values[name])
        case ast.BinOp(left=left, op=op, right=right):
            try:
                return OPERATORS[type(op)](_value(left, values), _value(right, values))
            except ZeroDivisionError:
                raise ValueError(f"{ast.unparse(node)} divides by 0") from None
        case ast.UnaryOp(operand=operand):
            return -_value(operand, values)
    raise AssertionError(ast.dump(node))
