"""Where everything of one Potluck lies on the disk, and how its parts are opened.

DATA/settings.toml     the owner's settings
DATA/identity...       this computer's key, unless the keyring has it
DATA/manifests/        models handed over as files
DATA/units/            the layers held, one file each
DATA/mounts/           small files that make layers loadable; made again at each start
DATA/contacts.json     computers that were there the last time
DATA/engine.json       which ways of loading failed on this computer
DATA/node.json         what the running node is and does
DATA/chosen.json       the model and layers to share
DATA/served.json       how much was served, today and ever
DATA/sharing.json      what the owner decided by hand: to share, to pause
DATA/conversations.sqlite3   the owner's conversations
DATA/api-token         what the window shows when it asks the node
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.clock import Clock, SystemClock
from app.engine.catalogue import KnownModel, load_catalogue
from app.engine.download import Downloader
from app.engine.ladder import Ladder
from app.engine.manifest import RESOURCE, Manifest, check_consistency
from app.engine.mounting import MountRequest
from app.engine.progress import Progress
from app.engine.shelf import ModelShelf
from app.engine.slicing import Plan
from app.engine.soundness import Soundness
from app.engine.store import UnitStore
from app.errors import BadInput, UsageError
from app.ids import ModelId, PeerId, Span
from app.net.addresses import parse_bootstrap
from app.net.identity import Identity, load_or_create_identity
from app.sentences import say
from app.settings import Settings, default_data_folder, load_settings

DEFAULT_MODEL: Final = "guide"
QUIET_SECONDS: Final = 1.0


def resources_folder() -> Path:
    """What ships with the program: icons, the catalogue, the embedded model."""
    frozen = getattr(sys, "_MEIPASS", None)
    root = Path(frozen) if frozen else Path(__file__).resolve().parents[2]
    return root / "resources"


@dataclass(frozen=True)
class OpenModel:
    """A model this computer knows, checked and cut."""

    known: KnownModel
    plan: Plan

    @property
    def id(self) -> ModelId:
        """What it is called on the network."""
        return self.known.model

    @property
    def is_embedded(self) -> bool:
        """Whether it comes with Potluck itself, so that nothing has to be downloaded."""
        urls = self.manifest.urls
        return bool(urls) and all(url.startswith(RESOURCE) for url in urls)

    @property
    def manifest(self) -> Manifest:
        """Where its units come from and what they must be."""
        return self.known.manifest


class DataFolder:
    """One data folder, opened."""

    def __init__(self, folder: Path, settings: Settings, shelf: ModelShelf) -> None:
        self.folder = folder
        self.settings = settings
        self.shelf = shelf
        self.store = UnitStore(folder / "units", quota_bytes=settings.disk_quota_bytes)
        self.soundness = Soundness(self.store)

    @classmethod
    def open(cls, folder: Path | None) -> DataFolder:
        """Open a folder, making it if it is new; None means the usual place.

        Raises:
            UsageError: it cannot be made or written, or this program is damaged.
        """
        folder = (folder or default_data_folder()).absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be used as a data folder: {error.strerror or error}."
            ) from None
        try:
            catalogue = load_catalogue(resources_folder())
        except (BadInput, OSError) as error:
            raise UsageError(
                f"Potluck's own files are damaged ({error}); install it again."
            ) from None
        shelf = ModelShelf(catalogue, folder / "manifests")
        shelf.load()
        return cls(folder, load_settings(folder).settings, shelf)

    def use_settings(self, settings: Settings) -> None:
        """Other settings from now on, for whatever is begun after this."""
        self.settings = settings
        self.store.quota_bytes = settings.disk_quota_bytes

    async def identity(self) -> Identity:
        """This computer's key.

        Raises:
            UsageError: its file is damaged or cannot be used.
        """
        return await load_or_create_identity(self.folder, keyring=self.settings.keyring)

    def model(self, text: str | None) -> OpenModel:
        """The model a person named: a name, an id, a manifest's file; None is the embedded one.

        Raises:
            UsageError, Refusal, UnsupportedModel: there is none such, or it cannot be used.
        """
        known = self._embedded() if text is None else self.shelf.find_or_adopt(text)
        try:
            return OpenModel(known, check_consistency(known.manifest))
        except BadInput as error:
            name = known.manifest.shown_name
            raise UsageError(say("manifest_damaged", model=name, reason=str(error))) from None

    def _embedded(self) -> KnownModel:
        for known in self.shelf.all():
            name = known.manifest.name
            if name.startswith(DEFAULT_MODEL) and "draft" not in name:
                return known
        raise UsageError(say("no_embedded_model"))

    def downloader(self, *, limit: Callable[[int], Awaitable[None]] | None = None) -> Downloader:
        """Brings units here; use it with `async with`. `limit` is as `Downloader`'s."""
        return Downloader(
            self.store,
            resources_folder(),
            limit=limit,
            stall_seconds=self.settings.origin_timeout_seconds,
        )

    def mount_request(
        self,
        model: OpenModel,
        span: Span,
        *,
        kv_tokens: int,
        sequences: int,
        name: str,
        gpu: bool = True,
        threads: int = 0,
    ) -> MountRequest:
        """How to mount units that are all in the store.

        Args:
            name: keeps mounts apart.
            gpu: whether a graphics card may compute, if the settings let it too.
            threads: as in `MountRequest`; 0 takes what the settings say.
        """
        manifest = model.manifest
        return MountRequest(
            plan=model.plan,
            span=span,
            unit_files={
                unit: self.store.path(manifest.units[unit].sha256)
                for unit in range(span.start, span.stop)
            },
            shared=manifest.shared,
            folder=self.folder / "mounts" / name,
            kv_tokens=kv_tokens,
            sequences=sequences,
            threads=threads or self.settings.threads,
            gpu=gpu and self.settings.gpu == "auto",
        )

    def ladder(self) -> Ladder:
        """The ways of loading that work on this computer."""
        return Ladder(self.folder / "engine.json")

    def bootstraps(self, given: Sequence[str]) -> list[tuple[PeerId, str]]:
        """The computers to ask first: those given, else those of the settings.

        Raises:
            UsageError: one of them is not written as PEERID@HOST:PORT.
        """
        try:
            return [parse_bootstrap(text) for text in (given or self.settings.bootstrap)]
        except ValueError as error:
            raise UsageError(f"{error}.") from None


async def fetch_units(
    data: DataFolder, model: OpenModel, span: Span, show: ProgressLine | None = None
) -> None:
    """Bring the units of a span here, unless they are here already.

    Raises:
        Refusal: there is no room.
        DownloadFailed: no origin delivers.
    """
    entries = model.manifest.units
    wanted = [u for u in range(span.start, span.stop) if not data.store.has(entries[u])]
    if wanted:
        async with data.downloader() as downloader:
            await downloader.fetch(model.manifest, wanted, show.update if show else None)


class ProgressLine:
    """Says how a download is doing, on standard error; nothing about one that is over at once."""

    def __init__(self, name: str, *, clock: Clock | None = None) -> None:
        self._name = name
        self._clock = clock or SystemClock()
        self._started = self._clock.monotonic()
        self._shown = -1

    @contextmanager
    def begun(self) -> Iterator[None]:
        """While nothing has come for a moment: that it has begun. An origin may be away."""

        def say_so() -> None:
            if self._shown < 0:
                print(f"downloading {self._name} ...", file=sys.stderr, flush=True)

        timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, say_so)
        try:
            yield
        finally:
            timer.cancel()

    def update(self, progress: Progress) -> None:
        """Show another percent, if there is one."""
        percent = 100 * progress.done_bytes // max(1, progress.total_bytes)
        live = sys.stderr.isatty()
        quick = self._shown < 0 and self._clock.monotonic() - self._started < QUIET_SECONDS
        if quick or percent == self._shown or (percent % 10 and not live):
            return
        self._shown = percent
        rate = progress.bytes_per_second / 1e6
        print(
            f"downloading {self._name}: {percent} % of {progress.total_bytes / 1e6:.1f} MB"
            f" ({rate:.1f} MB/s)   ",
            end="\r" if live and percent < 100 else "\n",
            file=sys.stderr,
            flush=True,
        )
