"""Which layers of a model, in a person's words: one way for everybody who tells of them.

Units are counted from 0 and written `a:b` only where programs read them: after `--units`, in
JSON and between computers. People count layers from 1, and a model's two ends are none: unit 0
is its input, the last unit its output. The counterpart in the window is `app/ui/sentences.py`,
which says the same in other languages.

    layers_of(Span(0, 4), 9)         the input and layers 1 to 3
    layers_of(Span(0, 10), 9)        all 8 layers
    layers_among([3, 5, 6, 9], 9)    layers 3, 5-6 and the output
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from app.ids import Span
from app.sentences import Sentence, say


def layers_of(span: Span, head_unit: int | None) -> Sentence:
    """The layers of a span.

    Args:
        head_unit: the number of the model's last unit, None if unknown: it is then taken for a
            layer, as any other.
    """
    if head_unit is not None and span.start == 0 and span.stop > head_unit:
        return say("all_layers", count=head_unit - 1)
    return layers_among(range(span.start, span.stop), head_unit)


def layers_among(units: Iterable[int], head_unit: int | None) -> Sentence:
    """Some of a model's units, at least one, each named.

    Args:
        head_unit: as for `layers_of`.
    """
    numbers = sorted(set(units))
    parts = []
    if 0 in numbers:
        parts.append(say("the_input"))
    layers = [unit for unit in numbers if unit not in (0, head_unit)]
    if layers:
        parts.append(_numbered(layers))
    if head_unit in numbers:
        parts.append(say("the_output"))
    if len(parts) == 3:
        return say("three_parts", first=parts[0], second=parts[1], third=parts[2])
    return parts[0] if len(parts) == 1 else say("two_parts", first=parts[0], second=parts[1])


def _numbered(layers: list[int]) -> Sentence:
    if len(layers) == 1:
        return say("layer_one", layer=layers[0])
    if len(layers) == layers[-1] - layers[0] + 1:
        return say("layer_range", first=layers[0], last=layers[-1])
    return say("layer_list", layers=", ".join(_runs(layers)))


def _runs(layers: list[int]) -> Iterable[str]:
    """Neighbours together: 3, 5, 6 as "3", "5-6"."""
    for _, same in groupby(enumerate(layers), key=lambda place: place[1] - place[0]):
        run = [layer for _, layer in same]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
