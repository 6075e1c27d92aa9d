"""Every shape comes back as it went; see app/api/shapes.py."""

from __future__ import annotations

import inspect
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api import shapes
from app.policy import verdict

SHAPES = [
    shape
    for _, shape in inspect.getmembers(shapes, inspect.isclass)
    if issubclass(shape, shapes.Shape) and shape is not shapes.Shape
]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def some(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, within its bounds."""
    match msgspec.inspect.type_info(kind) if not isinstance(kind, msgspec.inspect.Type) else kind:
        case msgspec.inspect.StructType(cls=cls):
            return instances(cls)
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(some(item), max_size=2)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([some(one) for one in types])
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.StrType(min_length=least):
            return st.text(min_size=least or 0, max_size=20)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.IntType(ge=least, le=most):
            return st.integers(least if least is not None else -(2**50), most or 2**50)
        case msgspec.inspect.FloatType() as number:
            low = number.ge if number.ge is not None else number.gt
            return FINITE.map(abs).map(
                lambda value: min(max(value, (low or 0) + 0.5), number.le or value)
            )
        case msgspec.inspect.DictType():
            return st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=2)
        case msgspec.inspect.AnyType():
            return st.integers(0, 9) | st.text(max_size=5)
    raise NotImplementedError(kind)


def instances(shape: Any) -> st.SearchStrategy[Any]:
    """Instances of a shape."""
    fields = msgspec.inspect.type_info(shape).fields  # type: ignore[attr-defined]
    return st.builds(shape, **{field.name: some(field.type) for field in fields})


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_shape_comes_back_as_it_went(shape: Any) -> None:
    @settings(deadline=None, max_examples=15)
    @given(instances(shape))
    def there_and_back(value: Any) -> None:
        assert msgspec.json.decode(msgspec.json.encode(value), type=shape) == value

    there_and_back()


def test_what_is_out_of_bounds_is_no_shape() -> None:
    for body in (b'{"kind": "seconds", "seconds": 0}', b'{"kind": "never"}', b"{}"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=shapes.PauseRequest)
    assert math.isclose(shapes.ShareAnywayRequest().seconds, 3600)


def test_the_rules_and_the_window_know_the_same_reasons() -> None:
    assert set(shapes.PauseReason.__args__) == set(verdict.PauseReason.__args__)  # type: ignore[attr-defined]
