"""Who may speak to the API: this computer's own programs, and no web page.

A page in the owner's browser can send requests to this computer's ports. Three
things keep it out: the Host must be a name of this computer (a page that points
its own name here does not pass), an Origin must be the API's own, and bodies must
be declared as JSON, which a page cannot do without asking first; it is never told
yes. Control also needs the token that only the owner can read.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from app.api.shapes import API_PREFIX, TOKEN_FILE, ErrorBody
from app.sentences import Said

logger = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 4 << 20
"""A message of the longest kind, every character escaped, fits twice."""
BODY_SECONDS: Final = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
T = TypeVar("T")

_HTTP_WORDS = {
    404: ("not_found", "There is nothing here; docs/API.md lists what there is."),
    405: ("wrong_method", "This address takes other methods; docs/API.md lists them."),
}
_OWN_HOST = re.compile(r"(?i)(?:localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?")
"""A name of this computer, with or without a port, and nothing before or after it."""
_STEP = re.compile(r"\w+|\[[^]]*]")
"""One step of the way to a wrong value, as msgspec writes it: a field, or into a list."""


class Denied(Exception):
    """A request that is not answered as asked.

    Attributes:
        status: HTTP's.
        code: a word for programs.
        words: a sentence for people.
        parameter: the field of the body that is wrong, if one is.
        said: the sentence without its language, where it has a code.
    """

    def __init__(
        self,
        status: int,
        code: str,
        words: str,
        *,
        parameter: str | None = None,
        said: Said | None = None,
    ) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.words = words
        self.parameter = parameter
        self.said = said


@dataclass(frozen=True)
class Admission:
    """What lets a request in.

    Attributes:
        token: what control asks for.
        key: what other computers have to show for the endpoints of OpenAI; "" keeps
            them out.
    """

    token: str
    key: str = ""


def guard(admission: Callable[[], Admission]) -> Any:
    """The middleware; `admission` is asked at every request, so a new key holds at once."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_control = request.path.startswith(API_PREFIX)
        try:
            _check_sender(request, admission(), is_control=is_control)
            return await handler(request)
        except Denied as denied:
            return refusal(denied, openai=not is_control)
        except web.HTTPException as error:
            code, words = _HTTP_WORDS.get(error.status, ("refused", error.reason))
            return refusal(Denied(error.status, code, words), openai=not is_control)

    return check


def refusal(denied: Denied, *, openai: bool) -> web.Response:
    """What a refused request is told, in the words of its half of the API."""
    body: Any = ErrorBody(code=denied.code, words=denied.words, said=denied.said)
    if openai:
        kind = "server_error" if denied.status >= 500 else "invalid_request_error"
        body = {
            "error": {
                "message": denied.words,
                "type": kind,
                "param": denied.parameter,
                "code": denied.code,
            }
        }
    headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
    return json_response(body, status=denied.status, headers=headers)


def json_response(
    body: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An answer in JSON."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


async def read_body(request: web.Request, kind: type[T]) -> T:
    """The request's body as a shape.

    Raises:
        Denied: it is not JSON, too large, too slow, or not of that shape.
    """
    if request.content_type != "application/json":
        raise Denied(415, "not_json", "Send JSON, with the header Content-Type: application/json.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Denied(415, "encoded", "Send the body as it is, without Content-Encoding.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise Denied(408, "too_slow", "The request did not arrive in time.") from None
    except web.HTTPRequestEntityTooLarge:
        raise Denied(
            413, "too_large", f"The request is larger than {MAX_BODY_BYTES >> 20} MB."
        ) from None
    return decode(data or b"{}", kind)


def decode(data: bytes, kind: type[T]) -> T:
    """JSON as a shape.

    Raises:
        Denied: it is not; the text says where.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        parameter = place.rstrip("`").lstrip(".") or None
        where = f" ({parameter})" if parameter else ""
        if text.startswith("Invalid enum value") and (allowed := _allowed(kind, place)):
            where += f"; allowed are {', '.join(allowed)}"
        raise Denied(400, "invalid_value", f"{text}{where}.", parameter=parameter) from None
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError, OverflowError) as error:
        raise Denied(400, "bad_json", f"This is not JSON: {str(error)[:200]}.") from None


def _allowed(kind: type, place: str) -> list[str]:
    """The words that may stand at a place of a shape, such as `.messages[0].role`."""
    found = [msgspec.inspect.type_info(kind)]
    for step in _STEP.findall(place):
        found = [inner for outer in _flat(found) for inner in _inside(outer, step)]
    literals = [one for one in _flat(found) if isinstance(one, msgspec.inspect.LiteralType)]
    return sorted(str(value) for one in literals for value in one.values)


def _flat(found: Iterable[msgspec.inspect.Type]) -> Iterator[msgspec.inspect.Type]:
    for one in found:
        if isinstance(one, msgspec.inspect.UnionType):
            yield from _flat(one.types)
        else:
            yield one


def _inside(outer: msgspec.inspect.Type, step: str) -> Iterator[msgspec.inspect.Type]:
    if isinstance(outer, msgspec.inspect.StructType):
        yield from (field.type for field in outer.fields if field.encode_name == step)
    elif isinstance(outer, msgspec.inspect.ListType):
        yield outer.item_type


def _check_sender(request: web.Request, admission: Admission, *, is_control: bool) -> None:
    is_local = _is_loopback(request.remote or "")
    if is_local and not _is_own_name(request.host):
        raise Denied(403, "wrong_host", "This address is not served under that name.")
    _check_origin(request)
    if is_control:
        if not is_local:
            raise Denied(403, "not_local", "Only programs on this computer may control Potluck.")
        if not _same(_bearer(request), admission.token):
            raise Denied(
                401, "no_token", f"Control needs the token from {TOKEN_FILE} in the data folder."
            )
    elif not is_local and (not admission.key or not _same(_bearer(request), admission.key)):
        raise Denied(
            401,
            "invalid_api_key",
            "Other computers need the key that the owner of this one has set.",
        )


def _check_origin(request: web.Request) -> None:
    """A browser names the page that asks; programs name none."""
    origin = request.headers.get("Origin")
    own = origin is None or origin.lower() == f"http://{request.host}".lower()
    if not own or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Denied(403, "foreign_origin", "Web pages may not use this address.")


def _is_own_name(host: str) -> bool:
    match = _OWN_HOST.fullmatch(host)
    return match is not None and int(match[1] or 0) < 1 << 16


def _bearer(request: web.Request) -> str:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _same(given: str, wanted: str) -> bool:
    shown = given.encode("utf-8", errors="surrogateescape")  # a header may hold any bytes
    return bool(wanted) and hmac.compare_digest(shown, wanted.encode())


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
