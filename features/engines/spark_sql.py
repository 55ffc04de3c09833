"""Ibis' SQL for Spark, mended where ibis 12 cannot say something, or says what DuckDB would not do.

Not mended, so not for transformations: as-of joins, ``first`` and ``last`` with an order (``argmin`` and
``argmax`` do the same), frames of ranges over dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import ibis.expr.datatypes as dt
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.base import NULL
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

_VALUE: Final = "value"
_ONE: Final = "one"
_OTHER: Final = "other"


class SparkCompiler(PySparkCompiler):  # type: ignore[misc] # Ibis ships no types
    """Ibis' own compiler but for a handful of operations."""

    __slots__ = ()

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        """A number with a point is a decimal of few digits to Spark: a float has to say that it is one."""
        if dtype.is_floating():
            return self.cast(repr(float(value)), dt.float64)
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:
        return self.cast(self.f.anon.pmod(self.f.anon.unix_micros(arg), 1_000_000), op.dtype)

    def visit_CountStar(self, op: Any, *, arg: Any, where: Any) -> Any:
        """Ibis counts by a sum, which is null of no rows."""
        return super().visit_CountStar(op, arg=arg, where=None) if where is None else self.f.anon.count_if(where)

    def visit_ArrayIndex(self, op: Any, *, arg: Any, index: Any) -> Any:
        """From the end too, and null beyond it."""
        return self.f.anon.try_element_at(arg, self.if_(index < 0, index, index + 1))

    def visit_IntegerRange(self, op: Any, *, start: Any, stop: Any, step: Any) -> Any:
        """Ibis leaves out brackets; Spark's sequence holds its end, and is never empty."""
        start, stop, step = (self.cast(bound, dt.int64) for bound in (start, stop, step))
        ahead = self.cast(self.f.signum(step), dt.int64)
        return self.if_(
            sge.paren(stop - start) * ahead > 0,
            self.f.anon.sequence(start, stop - ahead, step),
            self.cast(self.f.array(), op.dtype),
        )

    def visit_ArrayCollect(
        self, op: Any, *, arg: Any, where: Any, order_by: Sequence[Any], include_null: bool, distinct: bool
    ) -> Any:
        """A list in an order too, which Spark has not; of no values it is null."""
        if order_by and not (include_null or distinct):
            listed = self._in_order(arg, where, order_by)
        else:
            listed = super().visit_ArrayCollect(
                op, arg=arg, where=where, order_by=order_by, include_null=include_null, distinct=distinct
            )
        return self.if_(self.f.anon.size(listed) > 0, listed, NULL)

    def _in_order(self, arg: Any, where: Any, order_by: Sequence[Any]) -> Any:
        """Collect the values that are not null with their keys, sort by the keys, and leave these out."""
        fields = {_VALUE: arg, **{_key(place): key.this for place, key in enumerate(order_by)}}
        pairs = [sge.PropertyEQ(this=sg.to_identifier(name), expression=field) for name, field in fields.items()]
        row = sge.Struct(expressions=pairs)
        wanted = arg.is_(sg.not_(NULL)) if where is None else sg.and_(arg.is_(sg.not_(NULL)), where)
        rows = self.f.anon.collect_list(self.if_(wanted, row, NULL))
        one, other = sg.to_identifier(_ONE), sg.to_identifier(_OTHER)
        in_order = self.f.anon.array_sort(rows, sge.Lambda(this=_comparison(order_by), expressions=[one, other]))
        return self.f.anon.transform(in_order, sge.Lambda(this=_field(_ONE, _VALUE), expressions=[one]))


def _comparison(order_by: Sequence[Any]) -> Any:
    """-1, 0 or 1: which of two rows comes first by their keys."""
    cases = sge.Case()
    for place, key in enumerate(order_by):
        one, other = _field(_ONE, _key(place)), _field(_OTHER, _key(place))
        null, small = (-1 if key.args.get("nulls_first") else 1), (1 if key.args.get("desc") else -1)
        cases = cases.when(sg.and_(one.is_(NULL), other.is_(sg.not_(NULL))), sge.convert(null))
        cases = cases.when(sg.and_(one.is_(sg.not_(NULL)), other.is_(NULL)), sge.convert(-null))
        cases = cases.when(one < other, sge.convert(small)).when(one > other, sge.convert(-small))
    return cases.else_(sge.convert(0))


def _key(place: int) -> str:
    return f"key{place}"


def _field(row: str, name: str) -> Any:
    return sge.Dot.build([sg.to_identifier(row), sg.to_identifier(name)])
