"""Whether this computer knows others is said; see app/node/reach.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.ids import Span, peer_text
from app.net.identity import new_identity
from app.node import service as service_module
from tests.helpers.running_node import RunningNode, adopt_guide, running_node, until

pytestmark = pytest.mark.real


def connected(running: RunningNode) -> bool | None:
    return running.node.service.snapshot().connected


def alone(warnings: list[str]) -> list[str]:
    return [warning for warning in warnings if warning.startswith("Not connected")]


async def test_a_computer_that_knows_nobody_says_so_and_what_to_do(
    tmp_path: Path, guide: Path
) -> None:
    async with running_node(tmp_path, manifest=guide, units=Span(0, 10)) as running:
        status = await running.ask("GET", "/status")
        assert (status["connected"], status["computers"]) == (False, 0)
        assert status["headline"].endswith("; not connected to other computers yet")
        (warning,) = alone(status["warnings"])
        assert "under Computers to ask first" in warning


async def test_those_who_answer_are_counted(tmp_path: Path, guide: Path) -> None:
    async with running_node(
        tmp_path / "a", manifest=guide, units=Span(0, 10), public=True
    ) as first:
        assert alone((await first.ask("GET", "/status"))["warnings"])[0].count("has come here")
        bootstrap = f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}"
        async with running_node(tmp_path / "b", bootstraps=(bootstrap,)) as second:
            await until(lambda: connected(second))
            status = await second.ask("GET", "/status")
            assert status["computers"] == 1
            assert alone(status["warnings"]) == []
            # The other one was found, so it knows somebody too.
            assert connected(first)
            assert (await first.ask("GET", "/status"))["headline"].startswith("Sharing all 8")


async def test_bootstraps_of_whom_none_answers_are_told_from_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.net.dialling.DIAL_SECONDS", 0.05)
    nobody = f"{peer_text(new_identity().peer_id)}@127.0.0.1:9"
    async with running_node(tmp_path, bootstraps=(nobody,)) as running:
        await until(lambda: connected(running) is False)
        (warning,) = alone((await running.ask("GET", "/status"))["warnings"])
        assert "none of those named" in warning


async def test_another_computer_to_ask_first_holds_at_once(
    tmp_path: Path, guide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "HOUSEKEEPING_SECONDS", 60.0)
    async with (
        running_node(tmp_path / "a", public=True) as first,
        running_node(tmp_path / "b", manifest=guide, units=Span(0, 10)) as second,
    ):
        assert connected(second) is False
        bootstrap = f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}"
        view = await second.ask("PATCH", "/settings", {"bootstrap": [bootstrap]})
        assert not [remark for remark in view["remarks"] if "the next time" in remark]
        await until(lambda: connected(second))
        # What it shares is told there without waiting for the next turn.
        kept = first.node.network.directory.machine.store
        await until(lambda: kept.keeps_for(second.node.identity.peer_id))
        await second.ask("PATCH", "/settings", {"bootstrap": []})
        assert second.node.network.directory.bootstraps == ()


async def test_whom_the_command_line_named_the_settings_do_not_replace(tmp_path: Path) -> None:
    given, other = (f"{peer_text(new_identity().peer_id)}@127.0.0.1:9" for _ in range(2))
    async with running_node(tmp_path, bootstraps=(given,)) as running:
        view = await running.ask("PATCH", "/settings", {"bootstrap": [other]})
        assert any("Computers to ask first" in remark for remark in view["remarks"])
        assert len(running.node.network.directory.bootstraps) == 1


async def test_the_owner_s_own_chat_is_no_help_given(tmp_path: Path, guide: Path) -> None:
    async with running_node(tmp_path, manifest=guide, units=Span(0, 10)) as running:
        options = {"max_tokens": 8, "over_swarm": True}  # however fast it is alone
        made = await running.ask("POST", "/conversations", options, expect=201)
        path = f"/conversations/{made['id']}/messages"
        told = [event async for event in running.events("POST", path, {"content": "Hello."})]
        assert told[-1][1]["state"] == "done"
        assert running.node.sharing.positions_computed > 0
        status = await running.ask("GET", "/status")
        totals, speeds = status["totals"], status["speeds"]
        assert (totals["tokens_today"], totals["conversations_now"]) == (0, 0)
        assert speeds["tokens_per_second"] == 0.0
        # Its own chat comes over the network, and is nobody else all the same.
        assert (status["connected"], status["computers"]) == (False, 0)


@pytest.mark.usefixtures("heard_in_the_end")
async def test_another_s_chat_is_help_given(tmp_path: Path, guide: Path) -> None:
    adopt_guide(tmp_path / "b", guide)
    async with running_node(
        tmp_path / "a", manifest=guide, units=Span(0, 10), public=True
    ) as first:
        bootstrap = f"{first.node.ready_line()['peer_id']}@{first.node.endpoint.address}"
        async with running_node(tmp_path / "b", bootstraps=(bootstrap,)) as second:
            answer = await second.openai(
                "/v1/completions", {"model": "guide", "prompt": "Hello", "max_tokens": 8}
            )
            assert answer["usage"]["completion_tokens"] > 0
            totals = (await first.ask("GET", "/status"))["totals"]
            assert totals["tokens_today"] >= 8
            assert totals["conversations_now"] == 1
