"""The models that may be shared: what fits, how fast it would be, what has to be fetched."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMessageBox, QVBoxLayout

from app.api.shapes import ChooseModelRequest, ErrorBody, ModelOffer, Snapshot
from app.ui import theme as looks
from app.ui import words
from app.ui.backend import Backend
from app.ui.controls import (
    Banner,
    Card,
    EmptyState,
    IconButton,
    Page,
    button,
    clear,
    label,
    plain_box,
)
from app.ui.sentences import error_words, layers, told
from app.ui.theme import Theme
from app.ui.translations import counted, tr

PURPOSES: Final = {
    "guide-7m-q8_0": "Comes with Potluck and explains it. It is small, and often wrong.",
    "guide-draft-q8_0": "Tiny. It is meant to guess ahead for Potluck Guide, not to be asked.",
}
"""What the models are for that come with Potluck; others are known by their names."""


class OfferCard(Card):
    """One model: everything to know before choosing it."""

    choose = Signal(str)

    def __init__(self, offer: ModelOffer) -> None:
        super().__init__()
        self.offer = offer
        row = QHBoxLayout()
        row.setSpacing(looks.LARGE)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(offer.title, "strong", wrap=True))
        if offer.name in PURPOSES:
            texts.addWidget(label(tr(PURPOSES[offer.name]), wrap=True))
        texts.addWidget(label(fit_words(offer), wrap=True))
        texts.addWidget(label(detail_words(offer), "muted", wrap=True))
        row.addLayout(texts, 1)
        if offer.chosen:
            row.addWidget(label(tr("Chosen"), "muted"))
        else:
            take = button(tr("Share this"), lambda: self.choose.emit(offer.name))
            take.setAccessibleName(tr("Share {model}").format(model=offer.title))
            take.setEnabled(offer.fits_units > 0)
            row.addWidget(take)
        self.setAccessibleName(offer.title)
        self.body.setContentsMargins(looks.LARGE, looks.LARGE, looks.LARGE, looks.LARGE)
        self.body.addLayout(row)


def fit_words(offer: ModelOffer) -> str:
    """Whether it fits, and which part is proposed."""
    if offer.fits_units <= 0:
        return tr("Does not fit: not even one layer has room in memory.")
    if offer.fits_units >= offer.units:
        return tr("Fits whole")
    start, stop = offer.suggested_start, offer.suggested_stop
    return tr("Fits: {fits} of {all} layers; needed most: {layers}").format(
        fits=words.layer_count(start, stop, offer.units),
        all=max(0, offer.units - 2),
        layers=layers(start, stop, offer.units),
    )


def detail_words(offer: ModelOffer) -> str:
    """Size, expected speed, who serves it, licence and who vouches for it."""
    speed = (
        tr("speed not measured yet")
        if offer.expected_tokens_per_second is None
        else tr("about {speed}").format(speed=words.token_speed(offer.expected_tokens_per_second))
    )
    fetch = (
        tr("{size} to download").format(size=words.size(offer.missing_bytes))
        if offer.missing_bytes
        else tr("nothing to download")
    )
    parts = [
        tr("{size} in all").format(size=words.size(offer.bytes)),
        fetch,
        speed,
        counted(offer.served_by, "served by {n} computer", "served by {n} computers"),
    ]
    licence = words.licence(offer.licence)
    if licence:
        parts.append(tr("licence {name}").format(name=licence))
    if offer.trust:
        parts.append(told(offer.trust, offer.trust_said))
    return " · ".join(parts)


class ModelsPage(Page):
    """The list; `chosen` after the node has taken over a choice."""

    chosen = Signal()

    def __init__(self, theme: Theme, backend: Backend) -> None:
        super().__init__(tr("Models"))
        self._requests = backend.asked_by(self)
        self.trouble = Banner("danger")
        self.cards: list[OfferCard] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(looks.MEDIUM)
        self.empty = EmptyState(
            theme,
            "models",
            tr("No models yet"),
            tr("Add one from the file that its publisher gave you; the first comes with Potluck."),
        )
        self.again = IconButton(theme, "again", tr("Look again"), self.refresh)
        self.add = button(tr("Add a model…"), self._pick)
        self.add.setToolTip(tr("From the file that its publisher gave you, such as model.json"))
        note = label(
            tr("Your computer computes for this model when it shares. Chat can use any of them."),
            "muted",
            wrap=True,
        )
        row = QHBoxLayout()
        row.addWidget(note, 1)
        row.addWidget(self.add)
        row.addWidget(self.again)
        self.body.addLayout(row)
        self.body.addWidget(self.trouble)
        self.body.addLayout(self._list)
        self.body.addWidget(self.empty)
        self.body.addStretch(1)

    @property
    def offers(self) -> list[ModelOffer]:
        """What is listed."""
        return [card.offer for card in self.cards]

    def refresh(self) -> None:
        """Ask the node again."""
        self._requests.models(self.show_offers, self._failed)

    def show_offers(self, offers: list[ModelOffer]) -> None:
        """List these models."""
        self.trouble.say("")
        clear(self._list)
        self.cards = [OfferCard(offer) for offer in sorted(offers, key=_order)]
        for card in self.cards:
            card.choose.connect(self._ask)
            self._list.addWidget(card)
        self.empty.setVisible(not offers)

    def take_file(self, path: str) -> None:
        """Have the node know the model of this file; what is wrong with it is said in one line."""
        self._requests.add_model(path, self.show_offers, self._failed)

    def _pick(self) -> None:
        title, kinds = tr("Add a model"), tr("Lists of a model's layers (*.json)")
        path, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        if path:
            self.take_file(path)

    def _ask(self, name: str) -> None:
        """Only one model is shared at a time: say which one is given up for it."""
        titles = {card.offer.name: card.offer.title for card in self.cards}
        given_up = next((card.offer for card in self.cards if card.offer.chosen), None)
        if given_up is None:
            self._choose(name)
            return
        box = plain_box(
            self,
            "Potluck",
            tr("Share {model} instead of {other}?").format(
                model=titles.get(name, name), other=given_up.title
            ),
            tr("Others then lack your layers of {other}. You can change back at any time.").format(
                other=given_up.title
            ),
        )
        change = box.addButton(tr("Change model"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(change)
        box.accepted.connect(lambda: self._choose(name))
        box.finished.connect(lambda _: box.deleteLater())
        box.open()

    def _choose(self, name: str) -> None:
        def taken(_: Snapshot) -> None:
            self.chosen.emit()
            self.refresh()

        self._requests.choose_model(ChooseModelRequest(model=name), taken, self._failed)

    def _failed(self, error: ErrorBody) -> None:
        self.trouble.say(error_words(error))


def _order(offer: ModelOffer) -> tuple[bool, bool, int]:
    """The chosen one, then what fits, the larger before the smaller."""
    return (not offer.chosen, offer.fits_units <= 0, -offer.bytes)
