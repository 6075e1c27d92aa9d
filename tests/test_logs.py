"""A log that can be shown to others; see app/logs.py."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UsageError
from app.ids import PeerId, peer_text
from app.logs import MAX_LINES, OutputBound, RecentLines, held_back, private_words, redact
from app.window_file import OUTPUT_FILE

HOME = "/" + "home/ann"
PEER = peer_text(PeerId(bytes(range(32))))


def test_addresses_names_ids_and_secrets_go_and_times_stay() -> None:
    text = (
        f"12:30:45 WARNING {PEER} at 192.168.1.20:4040 and [2001:db8::1]:99 and fe80::1\n"
        f"08:01:02 INFO {HOME}/potluck of ann, key {'0f' * 32}, Bearer abc.def, ann@example.org"
    )
    shown, removed = redact(text, (HOME, "ann"))
    assert shown == (
        "12:30:45 WARNING [id] at [address] and [address] and [address]\n"
        "08:01:02 INFO [name]/potluck of [name], key [secret], [secret], [mail]"
    )
    assert removed == 9


OWN = (HOME, "ann", "anns-laptop")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"bad input from {PEER[:8]}: x", "bad input from [id]: x"),
        ("abcdefgh has left; ask zzzzzzzz, not a2cdefgh", "[id] has left; ask [id], not [id]"),
        (f"{PEER}@relay.example.org:4600", "[id]@[host]"),
        ("relay.ann-miller.de:4600 went", "[host] went"),
        ("anns-laptop.fritz.box, ANNS-LAPTOP", "[host], [name]"),
        ("x203.0.113.7 203.0.113.007 203.0.113.7/24", "x[address] [address] [address]/24"),
        ("203.0.113.7:4600: 203.0.113.7%3A4600", "[address]: [address]"),
        ("ip-203-0-113-7.isp.net", "[host]"),
        ("ip-203-0-113-7", "ip-[address]"),
        ("mac aa:bb:cc:dd:ee:ff AA-BB-CC-DD-EE-0F", "mac [address] [address]"),
        ("https://user:pass@host.net/x?token=abc", "https://[secret]@[host]/x?[query]"),
        ("wss://cdn/x?a=b fetched", "wss://[host]/x?[query] fetched"),
        ("access_token=abcdef123 tokens=4096", "access_token=[secret] tokens=4096"),
        ('api_key = "abcdefgh-ijkl_mnop1234"', 'api_key = "[secret]"'),
        ("hf_AbCdEfGhIjKlMnOp sk-1234567890abcdefAB", "[secret] [secret]"),
        ("ABCDEF0123456789" * 4, "[secret]"),
        ("YWJj" * 11 + "==", "[secret]"),
        ("AbCd/f01+3456789" * 3, "[secret]"),
        (f"{HOME.title().replace('Home', 'home')}/x", "[name]/x"),
        (f"/{'home'}/ann_old and /{'home'}/annabel/y", f"[name]_old and /{'home'}/[name]/y"),
        ("C:\\Users\\Zoe\\x C:/Users/Zoe/x", "C:\\Users\\[name]\\x C:/Users/[name]/x"),
        ("%2Fhome%2Fann%2Fx %2Fhome%2Fzoe%2Fx", "[name]%2Fx %2Fhome%2F[name]%2Fx"),
    ],
)
def test_what_tells_of_somebody_goes(text: str, shown: str) -> None:
    assert redact(text, OWN)[0] == shown


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3 took 0.5 s; units 0:10; 3 of 4 layers; annotated",
        "12:30:45 INFO    settings.toml was written; node.json too. 4096 tokens: 4096",
        'File "app/net/dht.py", line 3, in asyncio.tasks.wait: msgspec.ValidationError',
        "qwen3-8b-q4.gguf is whole (4,096 of 4,096 bytes), e.g. unit 3",
        "on 2024-11-21 12:30:45 the computer was received by everybody",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text, OWN) == (text, 0)


def test_no_line_takes_long() -> None:
    began = time.thread_time()
    for text in ("a_", "a.", "a-", "aa:", "1.", "A1/", "a@", "://", "token", "%2Fhome%2F", "ab2"):
        redact((text * 4000)[:4000] + "\n" + " ".join([text * 3] * 1000), OWN)
    assert time.thread_time() - began < 2


@given(st.ip_addresses())
def test_no_address_is_left(address: object) -> None:
    shown, removed = redact(f"from {address} came", ())
    assert str(address) not in shown.split()
    assert removed >= 1


def test_the_owner_is_among_what_is_removed() -> None:
    assert all(len(word) > 2 for word in private_words())


def test_only_the_last_lines_are_kept() -> None:
    lines = RecentLines()
    logger = logging.Logger("test")
    logger.addHandler(lines)
    for number in range(MAX_LINES + 2):
        logger.warning("line %d", number)
    kept = lines.text().splitlines()
    assert len(kept) == MAX_LINES
    assert kept[-1].endswith(f"WARNING line {MAX_LINES + 1}")


def test_the_file_of_a_window_is_begun_anew_when_it_is_too_long(tmp_path: Path) -> None:
    path, theirs = tmp_path / OUTPUT_FILE, tmp_path / "a-persons-own.log"
    for place in (path, theirs):
        with place.open("a") as output:
            logger = logging.Logger("test")
            logger.addHandler(logging.StreamHandler(output))
            bound = OutputBound(path, descriptor=output.fileno(), most_bytes=500)
            logger.addHandler(bound)
            for number in range(100):
                logger.error("line %d of many", number)
    lines = path.read_text().splitlines()
    assert len(lines) < 40
    assert lines[-1] == "line 99 of many"
    assert len(theirs.read_text().splitlines()) == 100


# ── while a node starts ──────────────────────────────────────────────────────────────────


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """A root logger with one handler, as on a terminal."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [logging.StreamHandler(stream)]
    root.setLevel(logging.INFO)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def start_that_ends_with(error: Exception) -> None:
    with held_back():
        logging.getLogger("app").info("on the way")
        raise error


def test_a_start_that_fails_leaves_its_one_line_alone(terminal: io.StringIO) -> None:
    with pytest.raises(UsageError):
        start_that_ends_with(UsageError("No room."))
    assert terminal.getvalue() == ""
    logging.getLogger("app").warning("and on it goes")
    assert terminal.getvalue() == "and on it goes\n"


def test_a_start_that_succeeds_shows_what_was_logged_in_order(terminal: io.StringIO) -> None:
    with held_back() as show_log:
        logging.getLogger("app").info("first")
        assert terminal.getvalue() == ""
        show_log()
        logging.getLogger("app").info("second")
        assert terminal.getvalue() == "first\nsecond\n"
    assert terminal.getvalue() == "first\nsecond\n"


def test_a_mistake_of_ours_shows_what_led_to_it(terminal: io.StringIO) -> None:
    with pytest.raises(ZeroDivisionError):
        start_that_ends_with(ZeroDivisionError())
    assert terminal.getvalue() == "on the way\n"
