"""What the node and its worker say to each other over the worker's pipes.

Pure. A frame is a 4-byte little-endian length and that many bytes of MessagePack.
Every request carries a serial; its answer carries the same one. The counterparts
are `app/engine/worker.py` (the child) and `app/engine/child.py` (its parent).
Neither trusts the other: a worker can be broken by a broken driver.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from app.errors import BadInput

MAX_FRAME_BYTES: Final = 256 << 20
"""The largest frames carry a sequence's memory or a vocabulary of 262,144 words."""
MAX_PARTS: Final = 256
LENGTH_BYTES: Final = 4
MOST_STATE_BYTES: Final = 64 << 20
"""Of a sequence's memory, what is handed out: more than leaves a computer in the two seconds
that somebody who leaves has."""

Serial = Annotated[int, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]


class Frame(msgspec.Struct, frozen=True, tag_field="t", kw_only=True, omit_defaults=True):
    """What every frame has: a tag that names it, and a serial."""

    serial: Serial


class EmbeddingTable(msgspec.Struct, frozen=True, kw_only=True):
    """Where unit 0 lies: `rows` rows of `width` values of GGML type `kind`."""

    path: str
    offset: Size
    rows: Number
    width: Number
    kind: Number
    scale: float


class SliceFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A span of blocks as `app/engine/mount.py` wrote it, and how to load it."""

    files: list[str]
    width: Number
    blocks: Number
    has_head: bool
    kv_tokens: Number
    sequences: Number
    batch_rows: Number
    threads: Number
    gpu_layers: int
    repack: bool
    shared_room: bool


class Mount(Frame, tag="mount", frozen=True):
    """Load an embedding, a slice, or both, in place of what is loaded."""

    embedding: EmbeddingTable | None = None
    slice: SliceFiles | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Positions `position ..` of one sequence: tokens, or rows of 32-bit floats."""

    sequence: Number
    position: Number
    rows: Number
    outputs: Number = 0
    candidates: Number = 0
    tokens: list[Number] | None = None
    hidden: bytes = b""


class Compute(Frame, tag="compute", frozen=True):
    """Run parts of several sequences in one decode."""

    parts: Annotated[list[Part], msgspec.Meta(min_length=1, max_length=MAX_PARTS)]


class Forget(Frame, tag="forget", frozen=True):
    """Drop everything of a sequence at or after a position."""

    sequence: Number
    position: Number


class DescribeMemory(Frame, tag="describe_memory", frozen=True):
    """What do rows of memory look like? A sequence that is empty may be used to find out."""

    sequence: Number


class Save(Frame, tag="save", frozen=True):
    """Hand out the memory of the first positions of a sequence."""

    sequence: Number
    positions: Number


class Restore(Frame, tag="restore", frozen=True):
    """Replace the memory of a sequence with rows that were saved, here or elsewhere."""

    sequence: Number
    state: bytes


class Tune(Frame, tag="tune", frozen=True):
    """Try decodes with these thread counts and keep the fastest."""

    threads: Annotated[list[Number], msgspec.Meta(min_length=1, max_length=16)]


class UseThreads(Frame, tag="use_threads", frozen=True):
    """Compute with so many threads from now on."""

    threads: Annotated[int, msgspec.Meta(ge=1, le=512)]


class OpenVocabulary(Frame, tag="open_vocabulary", frozen=True):
    """Load the words of a model from its header alone."""

    path: str


class Tokenize(Frame, tag="tokenize", frozen=True):
    """Turn text into tokens; `special` lets it name control tokens."""

    text: str
    special: bool


class Render(Frame, tag="render", frozen=True):
    """Write messages (`role`, `content`) with the open vocabulary's chat template."""

    messages: list[dict[str, str]]


class Status(Frame, tag="status", frozen=True):
    """How is it going?"""


Request = (
    Mount
    | Compute
    | Forget
    | DescribeMemory
    | Save
    | Restore
    | Tune
    | UseThreads
    | OpenVocabulary
    | Tokenize
    | Render
    | Status
)


class Mounted(Frame, tag="mounted", frozen=True):
    """Loaded; one sequence may have this many positions."""

    tokens_per_sequence: Number
    vocabulary_size: Number


FaultCode = Literal["", "gap", "input", "no_room", "engine", "withdrawn", "late"]
"""Why a part failed: earlier positions are missing, what came is wrong, no room, or us; or it
was not computed, because nobody wanted it any more."""


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came out of a part: hidden rows, or candidates of each wanted row.

    `ids` are 32-bit integers and `logits` 32-bit floats, `outputs` rows of
    `candidates` each, best first. With `fault` set the part was not computed.
    """

    hidden: bytes = b""
    ids: bytes = b""
    logits: bytes = b""
    fault: str = ""
    code: FaultCode = ""


class Computed(Frame, tag="computed", frozen=True):
    """One result for each part, in order."""

    results: Annotated[list[PartResult], msgspec.Meta(min_length=1, max_length=MAX_PARTS)]
    seconds: float


class MemoryDescribed(Frame, tag="memory_described", frozen=True):
    """A row of memory has so many bytes; rows of the same digest mean the same."""

    position_bytes: Number
    digest: bytes


class Saved(Frame, tag="saved", frozen=True):
    """Rows of a sequence's memory."""

    state: bytes


class Tuned(Frame, tag="tuned", frozen=True):
    """The thread count kept, and seconds for one row with it."""

    threads: Number
    seconds: float


class Vocabulary(Frame, tag="vocabulary", frozen=True):
    """Every token's bytes, and the tokens with a meaning of their own (-1: none)."""

    pieces: list[bytes]
    ends: list[Number]
    control: list[Number]
    begin: int
    end: int
    add_begin: bool
    has_template: bool


class Tokens(Frame, tag="tokens", frozen=True):
    """The tokens of a text."""

    ids: list[Number]


class Rendered(Frame, tag="rendered", frozen=True):
    """The prompt."""

    text: str


class Done(Frame, tag="done", frozen=True):
    """It is done; there is nothing else to say."""


class Report(Frame, tag="report", frozen=True):
    """What the worker is and how it goes."""

    mounted: bool
    gpu: bool
    system: str
    resident_bytes: Size


class Failed(Frame, tag="failed", frozen=True):
    """It could not be done."""

    kind: Literal["no_room", "engine", "input", "bad_request"]
    reason: str


Answer = (
    Mounted
    | Computed
    | MemoryDescribed
    | Saved
    | Tuned
    | Vocabulary
    | Tokens
    | Rendered
    | Done
    | Report
    | Failed
)

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_answers: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(frame: Frame) -> bytes:
    """A frame with its length in front.

    Raises:
        ValueError: it is larger than `MAX_FRAME_BYTES`.
    """
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {len(body)} bytes is too large for the worker's pipe")
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def body_length(prefix: bytes) -> int:
    """How many bytes follow a length prefix.

    Raises:
        BadInput: more than a frame may have.
    """
    length = int.from_bytes(prefix, "little")
    if length > MAX_FRAME_BYTES:
        raise BadInput(f"a frame on the worker's pipe claims {length:,} bytes")
    return length


def decode_request(body: bytes) -> Request:
    """Read what the node sent.

    Raises:
        BadInput: it is no request.
    """
    try:
        return _requests.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput(f"the worker was sent no request it knows: {error}") from None


def decode_answer(body: bytes) -> Answer:
    """Read what the worker sent.

    Raises:
        BadInput: it is no answer.
    """
    try:
        return _answers.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput(f"the worker gave no answer that makes sense: {error}") from None
