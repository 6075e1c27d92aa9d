"""The shapes of the control API: what the window, the command line and tests exchange.

Everything is JSON; the paths are listed in `docs/API.md`. The counterparts are
`app/api/control.py`, which answers, and `app/ui/backend.py`, which asks. The
shapes of the OpenAI-compatible endpoints are that company's and stand in
`app/api/openai.py`.

Unknown is not zero: what a computer cannot tell is None.

Sentences for people are English. Beside each stands, under the same name with `said`, what
it says without a language (`app/sentences.py`): a stable code and typed values, from which
the window makes another language. It is None, or has the code "", where there are only words.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from app.reasons import LimitName, Part, PauseReason
from app.sentences import Said

API_PREFIX: Final = "/potluck/v1"
TOKEN_FILE: Final = "api-token"
"""In the data folder, readable by the owner alone; sent as `Authorization: Bearer`."""
NODE_FILE: Final = "node.json"
"""In the data folder: the running node's `api` address, among others."""

MAX_MESSAGE_CHARACTERS: Final = 200_000
MAX_TITLE_CHARACTERS: Final = 120
MAX_NAME_CHARACTERS: Final = 4096
"""A model's name, or the path of its manifest."""

Seed = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
MessageNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
UnitNumber = Annotated[int, msgspec.Meta(ge=0, le=1 << 20)]

State = Literal["starting", "sharing", "idle", "paused", "problem"]
"""What the tray icon shows. "idle": not asked to share, or no layers chosen yet."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What every shape has in common."""


class Pause(Shape, frozen=True):
    """Why sharing rests: `words` is the sentence shown; `until` is unix seconds or None.

    `can_override`: "Share anyway" may be offered.
    """

    reason: PauseReason
    words: str
    until: float | None = None
    can_override: bool = False
    said: Said | None = None


class LimitInForce(Shape, frozen=True):
    """A cap as it holds now: `asked` and `measured` in the unit named, None if unknown.

    `how` says what enforces it, such as "NVML power limit" or "duty cycle".
    """

    name: LimitName
    words: str
    unit: str
    asked: float | None
    measured: float | None
    how: str
    said: Said | None = None
    how_said: Said | None = None


class LayerHolder(Shape, frozen=True):
    """One helper of the model shown: its units `start` up to `stop`, and how far it is.

    `mine` marks this computer, `in_chain` the helpers of the chain used last. While not
    `ready`, its layers are still on their way to it, and it serves nobody.
    """

    peer_id: str
    start: int
    stop: int
    layers_per_second: float
    round_trip_seconds: float | None
    mine: bool
    in_chain: bool
    ready: bool = True


class ModelView(Shape, frozen=True):
    """The model this computer serves or would serve, and who holds which of its units.

    `my_start` and `my_stop` are None while this computer serves none of it; `chosen_start` and
    `chosen_stop` are what it serves whenever it may. `beside` says which units it serves besides
    or stands by for, "" without; its holder is `mine` too, under a name of its own.
    """

    name: str
    title: str
    model_id: str
    units: int
    my_start: int | None
    my_stop: int | None
    holders: list[LayerHolder]
    chosen_start: int = 0
    chosen_stop: int = 0
    beside: str = ""
    beside_said: Said | None = None


class Coverage(Shape, frozen=True):
    """Who serves a model that this computer knows, itself included.

    `replicas` has for each unit how many computers serve it; where that is 0, it stands in
    `missing` too. `computers` is how many serve any of it, `coming` how many more are fetching
    their part. `joins`: the parts meet, so that a chain can be made of them.

    `my_start` and `my_stop` are None while this computer serves none of it. `my_place` is then
    "none"; else "only" when nobody else serves some of its units, "second" when one other
    computer does, and "spare" when at least two others serve each of them.
    """

    name: str
    title: str
    model_id: str
    units: int
    replicas: list[int]
    missing: list[int]
    computers: int
    coming: int
    joins: bool
    my_start: int | None
    my_stop: int | None
    my_place: Literal["none", "only", "second", "spare"]


class Repairs(Shape, frozen=True):
    """How often a helper was lost in the middle of one of the owner's answers and replaced."""

    today: int = 0
    ever: int = 0


class Download(Shape, frozen=True):
    """Layers on their way here; `origin` is the name of who sends them."""

    model: str
    done_bytes: int
    total_bytes: int
    bytes_per_second: float
    origin: str


class Speeds(Shape, frozen=True):
    """How fast it goes now: others' tokens through this computer's layers, the network's bytes."""

    tokens_per_second: float
    upload_bytes_per_second: float
    download_bytes_per_second: float


class Totals(Shape, frozen=True):
    """What was served: others' tokens through this computer's layers, and their conversations.

    The owner's own chats are in neither.
    """

    tokens_today: int
    tokens_ever: int
    conversations_now: int
    uploaded_bytes_month: int
    downloaded_bytes_month: int


class Credits(Shape, frozen=True):
    """What this computer gave to others and took from them, in layer-tokens, by its own count.

    One position through one layer is one layer-token. `given`, `taken` and `balance`, their
    difference, are of all time; they buy nothing, and what it computed for itself is in neither.
    """

    given: int
    taken: int
    balance: int
    given_today: int
    taken_today: int


class Snapshot(Shape, frozen=True):
    """Everything the dashboard and the tray show, at one moment.

    `headline` is the first line of the tray menu. `warnings` are sentences for the
    person, and `warnings_said` are the same in the same order. `consented` is None until
    the first run is over. `connected` says whether any other computer is there, None until
    the first that was asked has answered or has not; `computers` is how many are known.
    `coverage` has every model that this computer knows, in the order of the list of models.
    """

    state: State
    headline: str
    pause: Pause | None
    sharing_wanted: bool
    consented: bool | None
    peer_id: str
    listen: str
    version: str
    uptime_seconds: float
    model: ModelView | None
    download: Download | None
    speeds: Speeds
    totals: Totals
    credits: Credits
    limits: list[LimitInForce]
    gpu_paused: bool
    cpu_paused: bool
    slow_mode: bool
    disk_used_bytes: int
    disk_unused_bytes: int
    identity_kept_in: str
    warnings: list[str]
    headline_said: Said | None = None
    warnings_said: list[Said] = []
    connected: bool | None = None
    computers: int = 0
    coverage: list[Coverage] = []
    repairs: Repairs = Repairs()


class ConsentRequest(Shape, frozen=True):
    """The end of the first run: share or only chat, and what was chosen on its screens."""

    share: bool
    settings: dict[str, Any] = {}
    start_at_login: bool = False


class PauseRequest(Shape, frozen=True):
    """Pause by hand: for seconds, until tomorrow, or until resumed."""

    kind: Literal["seconds", "tomorrow", "resume"]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)] | None = None
    what: Part = "all"


class ResumeRequest(Shape, frozen=True):
    """End a pause by hand; "all" ends those of the graphics card and the processor too."""

    what: Part = "all"


class ShareAnywayRequest(Shape, frozen=True):
    """Overrule an automatic pause for a while."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 3600.0


class SlowModeRequest(Shape, frozen=True):
    """Switch the alternative, slow bandwidth caps on or off."""

    on: bool


class SettingView(Shape, frozen=True):
    """One setting, from its one declaration in `app/settings.py`, with its value.

    `section` groups them on the screen; `unit` stands behind the field. `now` is a sentence
    about what holds at present, where the value alone does not tell; else "".
    """

    name: str
    label: str
    words: str
    section: str
    kind: str
    unit: str
    value: Any
    default: Any
    least: float | None
    most: float | None
    choices: list[str]
    now: str = ""
    now_said: Said | None = None


class SettingsView(Shape, frozen=True):
    """All settings, and what is to be said about them (such as rules that allow no work).

    `remarks_said` are the remarks again, in the same order.
    """

    settings: list[SettingView]
    remarks: list[str]
    remarks_said: list[Said] = []


class ModelOffer(Shape, frozen=True):
    """A model that may be chosen, and what to expect of it before it is.

    `fits_units` of `units` fit this computer; `missing_bytes` would be downloaded;
    `expected_tokens_per_second` is None while nothing was measured.
    """

    name: str
    title: str
    model_id: str
    licence: str
    units: int
    bytes: int
    fits_units: int
    suggested_start: int
    suggested_stop: int
    missing_bytes: int
    held_bytes: int
    expected_tokens_per_second: float | None
    served_by: int
    chosen: bool
    trust: str
    trust_said: Said | None = None


class ChooseModelRequest(Shape, frozen=True):
    """Serve this model; without a span, what fits and is needed most."""

    model: Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS)]
    start: UnitNumber | None = None
    stop: UnitNumber | None = None


class AddModelRequest(Shape, frozen=True):
    """Know the model whose manifest lies in this file of this computer; nothing is shared by it."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class MessageView(Shape, frozen=True):
    """One message. `model` is the title of the model that wrote an answer, "" where nobody noted
    it; `chain` is who computed it: "this computer" or helpers' short names;
    `readers` which helpers could read it. `remark` is a sentence for the person, such as that
    the beginning of the conversation was left out or that this computer alone was faster.

    `state` "writing" while it is being written, "stopped" when it was cut short.
    """

    id: int
    role: Literal["system", "user", "assistant"]
    content: str
    created_at: float
    state: Literal["done", "writing", "stopped", "failed"] = "done"
    error: str = ""
    model: str = ""
    chain: list[str] = []
    readers: list[str] = []
    tokens: int = 0
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    repairs: int = 0
    remark: str = ""
    error_said: Said | None = None
    remark_said: Said | None = None


class ConversationHead(Shape, frozen=True):
    """A conversation in the list, newest first."""

    id: str
    title: str
    created_at: float
    changed_at: float
    messages: int


class ConversationOptions(Shape, frozen=True):
    """How answers of a conversation are written; `alone` uses this computer only, `over_swarm`
    a chain even when this computer is faster by itself; what it shares may be part of it."""

    model: str | None = None
    system: Annotated[str, msgspec.Meta(max_length=MAX_MESSAGE_CHARACTERS)] = ""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.0
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.95
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)] = 256
    seed: Seed | None = None
    alone: bool = False
    over_swarm: bool = False


class Conversation(Shape, frozen=True):
    """A conversation with all its messages."""

    id: str
    title: str
    created_at: float
    changed_at: float
    options: ConversationOptions
    messages: list[MessageView]


class ConversationChange(Shape, frozen=True):
    """What to change about a conversation; None leaves it."""

    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARACTERS)] | None = None
    options: ConversationOptions | None = None


class SayRequest(Shape, frozen=True):
    """A message of the person. With `replaces`, that message and all after it go first."""

    content: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MESSAGE_CHARACTERS)]
    replaces: MessageNumber | None = None


class AnswerDelta(Shape, frozen=True):
    """Event "delta" of an answer's stream: `text` comes after what came before."""

    message: int
    text: str


class AnswerWaiting(Shape, frozen=True):
    """Event "waiting" of an answer's stream: why no text comes for a moment.

    It holds until the next "delta" or the end; `words` "" ends it before.
    """

    message: int
    words: str
    said: Said | None = None


class ErrorBody(Shape, frozen=True):
    """What every refused request says: what happened, what was kept, what to do."""

    code: str
    words: str
    said: Said | None = None


class WarningTold(Shape, frozen=True):
    """Event "warning": a sentence for the person, at the moment it becomes true."""

    words: str
    said: Said | None = None


class LogsView(Shape, frozen=True):
    """The log as it would be exported, addresses and names removed."""

    text: str
    removed: int
