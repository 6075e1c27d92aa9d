"""What the scripted node tells: a swarm of a few helpers, and two answers."""

from __future__ import annotations

import time
from typing import Literal

from app.api.shapes import (
    Conversation,
    ConversationOptions,
    Coverage,
    Credits,
    LayerHolder,
    LimitInForce,
    MessageView,
    ModelOffer,
    ModelView,
    Pause,
    Repairs,
    Snapshot,
    Speeds,
    Totals,
)
from app.ids import Span
from app.sentences import say
from app.swarm.coverage import meets, place_of, replicas

UNITS = 38
"""A model of 36 layers, and the two ends."""

ANSWER = """A chain of helpers works like a bucket brigade. Each one holds **some layers** of the \
model and hands its result straight on to the next.

1. Your words become numbers on your own computer.
2. Helper after helper computes its layers.
3. The last one names the likeliest next words, and your computer picks one.

```python
def answer(prompt: str, chain: list[Helper]) -> str:
    state = embed(prompt)
    for helper in chain:  # nothing comes back in between
        state = helper.compute(state)
    return pick(state)
```

One round of the chain writes one word, so helpers *close to you* make it fast.
"""

OTHER_ANSWER = """Think of a **relay race**: every helper runs its own stretch and passes the \
baton on.

| Part | Done by |
|:--|:--|
| Words to numbers | your computer |
| Layers 1 to 36 | the helpers |
| Choosing the word | your computer |

> A helper has to see the numbers it computes on. Do not send secrets.
"""

HOLDERS = [
    LayerHolder(
        peer_id="mine4x2v" + "a" * 44,
        start=1,
        stop=15,
        layers_per_second=412.0,
        round_trip_seconds=0.0,
        mine=True,
        in_chain=False,
    ),
    LayerHolder(
        peer_id="kq3vtz7m" + "b" * 44,
        start=0,
        stop=20,
        layers_per_second=655.0,
        round_trip_seconds=0.018,
        mine=False,
        in_chain=True,
    ),
    LayerHolder(
        peer_id="p5ad2wxe" + "c" * 44,
        start=20,
        stop=38,
        layers_per_second=583.0,
        round_trip_seconds=0.034,
        mine=False,
        in_chain=True,
    ),
    LayerHolder(
        peer_id="zt6h9b4q" + "d" * 44,
        start=12,
        stop=26,
        layers_per_second=201.0,
        round_trip_seconds=0.061,
        mine=False,
        in_chain=False,
    ),
    LayerHolder(
        peer_id="w2nn5c8r" + "e" * 44,
        start=26,
        stop=36,
        layers_per_second=148.0,
        round_trip_seconds=None,
        mine=False,
        in_chain=False,
    ),
]

OFFERS = [
    ModelOffer(
        name="qwen3-8b",
        title="Qwen3 8B",
        model_id="1" * 52,
        licence="Apache-2.0",
        units=UNITS,
        bytes=5_027_783_488,
        fits_units=14,
        suggested_start=1,
        suggested_stop=15,
        missing_bytes=1_820_000_000,
        held_bytes=0,
        expected_tokens_per_second=14.2,
        served_by=4,
        chosen=True,
        trust="in the catalogue",
        trust_said=say("from_catalogue").said,
    ),
    ModelOffer(
        name="guide-7m",
        title="Potluck guide",
        model_id="2" * 52,
        licence="Apache-2.0",
        units=8,
        bytes=7_326_016,
        fits_units=8,
        suggested_start=0,
        suggested_stop=8,
        missing_bytes=0,
        held_bytes=7_326_016,
        expected_tokens_per_second=None,
        served_by=1,
        chosen=False,
        trust="comes with Potluck",
        trust_said=say("from_catalogue").said,
    ),
    ModelOffer(
        name="llama-70b",
        title="Llama 3.3 70B",
        model_id="3" * 52,
        licence="Llama 3.3",
        units=82,
        bytes=42_520_000_000,
        fits_units=0,
        suggested_start=0,
        suggested_stop=0,
        missing_bytes=42_520_000_000,
        held_bytes=0,
        expected_tokens_per_second=None,
        served_by=4,
        chosen=False,
        trust="in the catalogue",
        trust_said=say("from_catalogue").said,
    ),
]

SHARING = say("sharing", layers=say("some_layers", count=14), model="Qwen3 8B")
NOT_YET = say("not_asked")

LIMITS = [
    LimitInForce(
        name="cpu",
        words="Processor while you use the computer",
        unit="%",
        asked=25.0,
        measured=22.0,
        how="4 threads with rests between batches",
        said=say("cpu_in_use").said,
        how_said=say("by_threads", threads=4).said,
    ),
    LimitInForce(
        name="upload",
        words="Upload while you use the computer",
        unit="Mbit/s",
        asked=10.0,
        measured=1.7,
        how=say("by_sending").words,
        said=say("upload_in_use").said,
        how_said=say("by_sending").said,
    ),
    LimitInForce(
        name="disk",
        words="Disk for models",
        unit="GB",
        asked=20.0,
        measured=4.1,
        how="checked before each download",
    ),
]


def model_at_rest(*, shares: bool = True) -> ModelView:
    """A model of 36 layers, of which this computer serves 14 or none."""
    return ModelView(
        name="qwen3-8b",
        title="Qwen3 8B",
        model_id="1" * 52,
        units=UNITS,
        my_start=1 if shares else None,
        my_stop=15 if shares else None,
        holders=HOLDERS if shares else HOLDERS[1:],
        chosen_start=1,
        chosen_stop=15,
    )


def coverage_at_rest(*, shares: bool = True) -> list[Coverage]:
    """The models of `OFFERS`: one that four or five hold, one that is there twice, and one with
    a hole."""
    holders = model_at_rest(shares=shares).holders
    spans = {
        "qwen3-8b": [Span(holder.start, holder.stop) for holder in holders],
        "guide-7m": [Span(0, 8), Span(0, 8)],
        "llama-70b": [Span(0, 40), Span(0, 40), Span(60, 82), Span(60, 82)],
    }
    made = []
    for offer in OFFERS:
        mine = Span(1, 15) if shares and offer.name == "qwen3-8b" else None
        counts = replicas(spans[offer.name], offer.units)
        made.append(
            Coverage(
                name=offer.name,
                title=offer.title,
                model_id=offer.model_id,
                units=offer.units,
                replicas=counts,
                missing=[unit for unit, count in enumerate(counts) if not count],
                computers=len(spans[offer.name]),
                coming=0,
                joins=meets(spans[offer.name], offer.units),
                my_start=None if mine is None else mine.start,
                my_stop=None if mine is None else mine.stop,
                my_place=place_of(mine, counts),
            )
        )
    return made


def snapshot_at_rest(*, consented: bool | None = True) -> Snapshot:
    """A computer that shares some layers, or one that has not been asked yet."""
    shares = consented is True
    return Snapshot(
        state="sharing" if shares else "idle",
        headline=SHARING.words if shares else NOT_YET.words,
        headline_said=SHARING.said if shares else NOT_YET.said,
        pause=None
        if shares
        else Pause(reason="no_consent", words="Not sharing: you have not been asked yet"),
        sharing_wanted=shares,
        consented=consented,
        peer_id="mine4x2v" + "a" * 44,
        listen="0.0.0.0:47110",
        version="0.1.0",
        uptime_seconds=8130.0,
        model=model_at_rest(shares=shares),
        download=None,
        speeds=Speeds(
            tokens_per_second=14.2,
            upload_bytes_per_second=212_000.0,
            download_bytes_per_second=187_000.0,
        ),
        totals=Totals(
            tokens_today=12_480,
            tokens_ever=1_903_221,
            conversations_now=2,
            uploaded_bytes_month=6_400_000_000,
            downloaded_bytes_month=7_900_000_000,
        ),
        credits=Credits(given=12_340, taken=2_100, balance=10_240, given_today=310, taken_today=90),
        limits=LIMITS,
        gpu_paused=False,
        cpu_paused=False,
        slow_mode=False,
        disk_used_bytes=4_100_000_000,
        disk_unused_bytes=1_300_000_000,
        identity_kept_in="the system's keyring",
        warnings=[],
        connected=True,
        computers=4,
        coverage=coverage_at_rest(shares=shares),
        repairs=Repairs(today=1, ever=23),
    )


def old_conversations() -> list[Conversation]:
    """Conversations of the last days, for pictures."""
    now = time.time()
    made = []
    for number, (title, hours) in enumerate(
        (
            ("How does a chain of helpers work?", 0.1),
            ("A birthday poem for grandmother", 3.0),
            ("Why is the sky blue", 27.0),
            ("Plan for the vegetable garden", 50.0),
        )
    ):
        at = now - hours * 3600
        state: Literal["done", "stopped"] = "stopped" if number == 1 else "done"
        question = MessageView(id=100 * number + 1, role="user", content=title, created_at=at)
        answer = MessageView(
            id=100 * number + 2,
            role="assistant",
            content=OTHER_ANSWER if state == "stopped" else ANSWER,
            created_at=at,
            state=state,
            model="Qwen3 8B",
            chain=["kq3vtz7m", "p5ad2wxe"],
            readers=["kq3vtz7m", "p5ad2wxe"],
            tokens=148,
            tokens_per_second=14.2,
            first_token_seconds=0.4,
        )
        made.append(
            Conversation(
                id=f"old{number}",
                title=title,
                created_at=at,
                changed_at=at,
                options=ConversationOptions(),
                messages=[question, answer],
            )
        )
    return made
