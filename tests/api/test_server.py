"""Where the API listens, and what becomes of it; see app/api/server.py."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import aiohttp
import pytest

from app.api.server import PORTS_TO_TRY
from app.errors import UsageError
from app.node.node import DEFAULT_API
from tests.helpers.running_node import running_node

pytestmark = pytest.mark.real


def taken(port: int = 0) -> socket.socket:
    """A port that somebody else holds."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", port))
    holder.listen()
    return holder


async def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with taken() as holder:
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"{address} is taken by another program"):
            async with running_node(tmp_path, api=address):
                pass


async def test_the_next_free_port_does_when_nobody_named_one(tmp_path: Path) -> None:
    with taken() as holder:
        port = holder.getsockname()[1]
        (tmp_path / "settings.toml").write_text(f'api = "127.0.0.1:{port}"\n')
        async with running_node(tmp_path, api=DEFAULT_API) as running:
            assert port < running.port <= port + PORTS_TO_TRY
            assert (await running.ask("GET", "/status"))["state"] == "idle"


@pytest.mark.parametrize(
    "address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "no.such.host.invalid:1"]
)
async def test_an_address_that_is_none_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError) as caught:
        async with running_node(tmp_path, api=address):
            pass
    assert "\n" not in str(caught.value)


async def test_a_node_open_to_all_names_an_address_that_its_own_programs_can_use(
    tmp_path: Path,
) -> None:
    async with running_node(tmp_path, api="0.0.0.0:0") as running:
        assert running.url == f"http://127.0.0.1:{running.port}"
        assert (await running.ask("GET", "/status"))["state"] == "idle"


async def test_what_programs_get_wrong_about_http_stays_out_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = (
        b"\x16\x03\x01 tls\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    )
    async with running_node(tmp_path) as running:
        for data in wrong:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(data)
            assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.")
            writer.close()
            await writer.wait_closed()
        assert (await running.ask("GET", "/status"))["state"] == "idle"
    assert "Traceback" not in caplog.text
    assert "Error handling" not in caplog.text


async def test_a_node_that_was_killed_starts_again_where_it_was(
    tmp_path: Path, guide: Path
) -> None:
    """A real process: consent, a choice and a conversation outlive it."""
    (tmp_path / "settings.toml").write_text("keyring = false\n")

    async def start() -> tuple[asyncio.subprocess.Process, dict[str, str]]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "node", "--data-dir", str(tmp_path)),
            *("--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        return process, json.loads(line)

    async with aiohttp.ClientSession() as http:

        async def ask(ready: dict[str, str], method: str, path: str, body: object = None) -> object:
            token = (tmp_path / "api-token").read_text().strip()
            url = f"{ready['api']}/potluck/v1{path}"
            headers = {"Authorization": f"Bearer {token}"}
            async with http.request(method, url, json=body, headers=headers) as response:
                assert response.status < 300, await response.text()
                return await response.json()

        process, ready = await start()
        await ask(ready, "POST", "/consent", {"share": True})
        await ask(ready, "POST", "/models/choose", {"model": str(guide), "start": 0, "stop": 5})
        made = await ask(ready, "POST", "/conversations", {})
        await ask(ready, "POST", "/pause", {"kind": "resume"})
        process.kill()
        await process.wait()
        assert (tmp_path / "node.json").exists()

        process, again = await start()
        try:
            status = await ask(again, "GET", "/status")
            assert isinstance(status, dict)
            assert (status["consented"], status["pause"]["reason"]) == (True, "manual")
            model = status["model"]
            assert (model["my_start"], model["chosen_start"], model["chosen_stop"]) == (None, 0, 5)
            listing = await ask(again, "GET", "/conversations")
            assert isinstance(listing, list)
            assert isinstance(made, dict)
            assert [head["id"] for head in listing] == [made["id"]]
            assert json.loads((tmp_path / "node.json").read_text())["api"] == again["api"]
            await ask(again, "POST", "/quit")
            assert await asyncio.wait_for(process.wait(), 60) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert not (tmp_path / "node.json").exists()
