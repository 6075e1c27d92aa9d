"""Everything the desktop program is made of, put together: node, tray, window.

Owns no rule of its own: it carries what the node says to those who show it, and what the
person wants to the node.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.api.shapes import ConsentRequest, ErrorBody, SettingsView, Snapshot
from app.ui.autostart import Autostart
from app.ui.backend import Backend
from app.ui.node_process import NodeProcess
from app.ui.notifications import Notifier
from app.ui.pausing import Pausing
from app.ui.sentences import error_words
from app.ui.theme import Theme
from app.ui.translations import Language, tr
from app.ui.tray import Tray
from app.ui.window import Window

TRAY_WAIT_MILLISECONDS: Final = 3000
"""At login the tray may come later than we do; a window hidden in none is shown then."""
QUIT_MILLISECONDS: Final = 8000
QUIT_LOOK_MILLISECONDS: Final = 100


class Desktop(QObject):
    """The running program; `start` shows it, `quit` ends it together with the node."""

    def __init__(
        self,
        application: QApplication,
        theme: Theme,
        language: Language,
        folder: Path,
        node: NodeProcess,
        autostart: Autostart,
    ) -> None:
        super().__init__(application)
        self._application = application
        self._theme = theme
        self._language = language
        self._autostart = autostart
        self._login: bool | None = None
        self._waits = 0
        self._gave_up = ""
        """Why there is no node, until the person has it tried again."""
        self.backend = Backend(self)
        self.pausing = Pausing(self.backend.asked_by(self), self._failed)
        self.node = node
        self.tray = Tray(theme, self.pausing)
        self.window = Window(theme, self.backend, self.pausing, folder, Tray.is_there)
        self.notifier = Notifier(self._notify)
        self._quit_timer = QTimer(self, interval=QUIT_LOOK_MILLISECONDS)
        wait = TRAY_WAIT_MILLISECONDS
        self._tray_timer = QTimer(self.window, singleShot=True, interval=wait)
        self._start_timer = QTimer(self, singleShot=True, interval=0)
        self._connect()

    def _connect(self) -> None:
        self.node.ready.connect(self._found)
        self.node.restarting.connect(self._trouble)
        self.node.failed.connect(self._node_failed)
        self.backend.connected.connect(self.window.refresh)
        self.backend.snapshot.connect(self._snapshot)
        self.backend.lost.connect(self._lost)
        self.backend.still_lost.connect(self._still_lost)
        self.backend.warning.connect(self.notifier.warning)
        self.tray.wanted.connect(self._wanted)
        self.tray.quit_wanted.connect(self.quit)
        self.window.quit_wanted.connect(self.quit)
        self.window.explained.connect(self._explain_tray)
        self.window.decided.connect(self._decided)
        self.window.saw_settings.connect(self._settings)
        self._language.changed.connect(self._retranslate)
        self._quit_timer.timeout.connect(self._look_whether_gone)
        self._tray_timer.timeout.connect(self._look_for_tray)
        self._start_timer.timeout.connect(self.node.start)

    def start(self, *, hidden: bool) -> None:
        """Show the tray and, unless hidden in it, the window; then find or start the node."""
        self.tray.show()
        if not hidden:
            self.window.show()
        elif not self.tray.is_there():
            self._tray_timer.start()
        # The window is drawn first: what it shows does not wait for the node.
        self._start_timer.start()

    def quit(self) -> None:
        """End the node and then ourselves; whatever hangs is ended, not waited for."""
        if self._quit_timer.isActive():
            return
        self.window.prepare_to_quit()
        self._start_timer.stop()
        self._tray_timer.stop()  # or it would bring the window back while we leave
        self.window.hide()
        self.tray.show_trouble(tr("Quitting"))
        self.node.forget()
        self._waits = 0
        self._quit_timer.start()
        if self.backend.is_connected:
            self.backend.quit_node(lambda _: None, lambda _: self.node.kill())
        elif self.node.is_running():
            self.node.kill()
        else:
            self._end()

    # ── what the node says ───────────────────────────────────────────────────

    def _found(self, address: str, token: str) -> None:
        self._gave_up = ""
        self.backend.open(address, token)

    def _snapshot(self, snapshot: Snapshot) -> None:
        self.tray.show_snapshot(snapshot)
        self.window.show_snapshot(snapshot)
        self.notifier.snapshot(snapshot)

    def _lost(self) -> None:
        if not self._quit_timer.isActive():
            self._trouble(tr("No connection to Potluck's node; trying again."), quiet=True)
            self.node.check()

    def _still_lost(self) -> None:
        if not self._quit_timer.isActive():
            self.node.check_again()

    def _node_failed(self, sentence: str) -> None:
        self._gave_up = sentence
        self._trouble(sentence)

    def _try_again(self) -> None:
        self._gave_up = ""
        self._trouble(tr("Potluck's node is being started."), quiet=True)
        self.node.try_again()

    def _trouble(self, sentence: str, *, quiet: bool = False) -> None:
        self.tray.show_trouble(sentence)
        if self._gave_up:
            self.window.show_trouble(sentence, tr("Try again"), self._try_again)
        else:
            self.window.show_trouble(sentence)
        if not quiet:
            self.notifier.node_trouble(sentence)

    def _failed(self, error: ErrorBody) -> None:
        """Something asked for from the tray or the overview did not work."""
        if self.window.isVisible():
            self.window.dashboard.trouble.say(error_words(error))
        else:
            self._notify("Potluck", error_words(error))

    def _settings(self, view: SettingsView) -> None:
        """Follow the settings that the window itself carries out."""
        values = {setting.name: setting.value for setting in view.settings}
        if values.get("theme") in ("system", "light", "dark"):
            self._theme.choose(values["theme"])
        if isinstance(language := values.get("language"), str):
            # Later: the page that tells of it is among those that are made anew.
            QTimer.singleShot(0, self, lambda: self._language.use(language))
        self.notifier.settings(view)
        wanted = values.get("start_at_login")
        if isinstance(wanted, bool):
            # Only a change is carried out: what the person did elsewhere stays.
            if self._login is not None and wanted != self._login:
                self._start_at_login(on=wanted)
            self._login = wanted

    def _retranslate(self) -> None:
        """Say everything that is shown in the language of now."""
        self.tray.retranslate()
        self.window.retranslate()
        if not self.backend.is_connected:
            lost = tr("No connection to Potluck's node; trying again.")
            self._trouble(self._gave_up or lost, quiet=True)

    def _start_at_login(self, *, on: bool) -> None:
        try:
            self._autostart.switch(on=on)
        except OSError as error:
            self.window.settings.trouble.say(
                tr("Start at login could not be changed: {reason}.").format(
                    reason=error.strerror or error
                )
            )

    # ── what the person wants ────────────────────────────────────────────────

    def _decided(self, choice: ConsentRequest) -> None:
        if choice.start_at_login:
            self._start_at_login(on=True)
        self.window.show_first_run(yes=False)
        self.window.go("overview" if choice.share else "chat")
        self.backend.consent(choice, self._failed)

    def _wanted(self, place: str) -> None:
        if not place and self.window.isVisible() and self.window.isActiveWindow():
            self.window.close()
        else:
            self.window.raise_up(place)

    def _notify(self, title: str, text: str) -> None:
        if self.tray.is_there():
            # Some desktops read what follows "<" as markup, and load pictures for it.
            text = text.replace("<", "\u2039")
            self.tray.icon.showMessage(title, text, self._application.windowIcon())

    def _explain_tray(self) -> None:
        self._notify(
            tr("Potluck keeps running"),
            tr("You find it in the tray; choose Quit in its menu to end it."),
        )

    def _look_for_tray(self) -> None:
        if not self.tray.is_there():
            self.window.show()

    # ── the end ──────────────────────────────────────────────────────────────

    def _look_whether_gone(self) -> None:
        self._waits += 1
        spent = self._waits * QUIT_LOOK_MILLISECONDS
        if not self.node.is_running():
            self._end()
        elif spent == QUIT_MILLISECONDS // 2:
            self.node.kill()
        elif spent >= QUIT_MILLISECONDS:
            self._end()

    def _end(self) -> None:
        self._quit_timer.stop()
        self.backend.close()
        self.tray.hide()
        self._application.quit()
