"""The models of the data folder, opened once each: reading a large header takes a second."""

from __future__ import annotations

import asyncio

from app.engine.catalogue import KnownModel
from app.engine.manifest import check_consistency
from app.errors import BadInput, UsageError
from app.folder.data_folder import DataFolder, OpenModel
from app.ids import ModelId
from app.sentences import say


class KnownModels:
    """Gives models by name or id; the same object each time.

    Attributes:
        chosen: the model that is meant when none is named, besides the embedded one.
    """

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._open: dict[ModelId, OpenModel] = {}
        self.chosen: ModelId | None = None

    def all(self) -> list[KnownModel]:
        """Every model this computer knows."""
        return self._data.shelf.all()

    def keep(self, model: OpenModel) -> OpenModel:
        """Remember one that was opened elsewhere."""
        return self._open.setdefault(model.id, model)

    async def find(self, text: str | None) -> OpenModel:
        """A model by its name or id; None is the chosen one, else the embedded one.

        Never a file: the name may come from another program.

        Raises:
            Refusal: there is none such, or several.
            UsageError: its manifest is damaged, or Potluck carries none.
        """
        if text is None:
            chosen = None if self.chosen is None else self._data.shelf.get(self.chosen)
            if chosen is None:
                return self.keep(await asyncio.to_thread(self._data.model, None))
            return await self.open(chosen)
        return await self.open(self._data.shelf.find(text))

    async def open(self, known: KnownModel) -> OpenModel:
        """A known model, checked and cut.

        Raises:
            UsageError: its manifest is damaged.
        """
        if known.model not in self._open:
            try:
                plan = await asyncio.to_thread(check_consistency, known.manifest)
            except BadInput as error:
                name = known.manifest.shown_name
                raise UsageError(say("manifest_damaged", model=name, reason=str(error))) from None
            self._open.setdefault(known.model, OpenModel(known, plan))
        return self._open[known.model]
