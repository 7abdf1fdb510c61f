"""Canonical text of an angle expression: its structure, whatever order Qiskit printed it in.

Qiskit sorts the operands of sums and products by parameter names, so two builds of one circuit with renamed
parameters print differently. Values at probe points cannot replace the structure: |x + 5| and x + 5 agree on any
interval that one happens to probe.
"""

from __future__ import annotations

import ast

from qiskit.circuit import ParameterExpression


def canonical_text(expression: ParameterExpression) -> str:
    """Text that is equal for expressions of one structure.

    Parameters
    ----------
    expression : ParameterExpression
        In parameters whose names are identifiers and stand for positions (``v0``, ``v1``, …).

    Returns
    -------
    str
        The syntax tree with the operands of sums and products sorted; the printed form itself where it is no Python
        expression (complex constants). Qiskit prints numbers with as many digits as it takes to read them back.
    """
    printed = str(expression)
    try:
        return _text(ast.parse(printed, mode="eval").body)
    except (SyntaxError, RecursionError, TypeError):
        return printed


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=int() | float() as number):
            return repr(float(number))
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return f"{name}({_text(argument)})"
        case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.UnaryOp(op=ast.UAdd() | ast.USub()):
            return f"sum({','.join(sorted(_terms(node, 1)))})"
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return f"product({','.join(sorted(_factors(node, 1)))})"
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"power({_text(left)},{_text(right)})"
    raise TypeError(f"unknown syntax {ast.dump(node)}")


def _terms(node: ast.expr, sign: int) -> list[str]:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _terms(left, sign) + _terms(right, sign)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _terms(left, sign) + _terms(right, -sign)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _terms(operand, -sign)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _terms(operand, sign)
    return [("+" if sign > 0 else "-") + _text(node)]


def _factors(node: ast.expr, exponent: int) -> list[str]:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _factors(left, exponent) + _factors(right, exponent)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _factors(left, exponent) + _factors(right, -exponent)
    return [("*" if exponent > 0 else "/") + _text(node)]
