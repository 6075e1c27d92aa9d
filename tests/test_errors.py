"""The tree of errors: drawn in the docstring as it is in the code."""

import re

import pytest

import app.errors as errors


def drawn_tree() -> dict[str, str]:
    """Each error in the docstring's drawing with the one it hangs from."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ├└─]*)([A-Z][A-Za-z]+)(\s|$)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        parents[match[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    in_code = {
        name: kind.__bases__[0].__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    assert drawn_tree() == in_code


def test_a_refusal_shows_its_reason_word_for_word() -> None:
    refusal = errors.Refusal("This computer is paused.", code="paused", retry_after_seconds=60.0)
    assert str(refusal) == refusal.reason == "This computer is paused."
    assert (refusal.code, refusal.retry_after_seconds) == ("paused", 60.0)


@pytest.mark.parametrize(
    ("refusal", "code", "retry"),
    [
        (errors.Refusal("No."), "refused", None),
        (errors.NoRoom("All full."), "no_room", 5.0),
        (errors.UnsupportedModel("Too odd."), "unsupported_model", None),
    ],
)
def test_programs_can_tell_refusals_apart(
    refusal: errors.Refusal, code: str, retry: float | None
) -> None:
    assert refusal.code == code
    assert refusal.retry_after_seconds == retry


def test_a_gap_in_the_chain_names_its_units() -> None:
    gap = errors.NotServed("Nobody serves units 3 and 4.", missing=(3, 4))
    assert gap.missing == (3, 4)
    assert str(gap) == "Nobody serves units 3 and 4."
