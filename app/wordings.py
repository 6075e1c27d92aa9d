"""Every sentence of the node that reaches people: its code, and its English template.

`app/sentences.py` says how open places are written and fills them; in the window each
template is translated like any other text (`app/ui/sentences.py`). A code never changes
its meaning: programs may rely on it. What is the same to a program but needs other words,
such as one and many, has a code each.
"""

from __future__ import annotations

from typing import Final

PAUSES: Final = {
    "not_asked": "Not sharing: you have not been asked yet",
    "only_chat": "Not sharing: you chose only to chat",
    "rests_unread": "Not sharing: what you had decided about sharing could not be read, so sharing "
    "rests; say once more whether to share.",
    "limits_unread": "Not sharing: your settings file cannot be read, and your limits stand in it",
    "rules_failed": "Not sharing: your rules could not be judged; Potluck tries again every few "
    "seconds",
    "by_hand": "Paused by you ({when})",
    "by_hand_cpu": "Paused by you: the processor ({when})",
    "by_hand_gpu": "Paused by you: the graphics card ({when})",
    "until_resumed": "until you resume",
    "until": "until {time:time}",
    "disk": "Paused: the disk is full (until 1 GB is free)",
    "heat": "Paused: too hot (until below {celsius:number} °C)",
    "battery": "Paused: on battery (until plugged in)",
    "metered": "Paused: on a metered network (until on another one)",
    "program": "Paused: {program} is running (until it is closed)",
    "full_screen": "Paused: a program fills the screen (until it is closed)",
    "other_programs": "Paused: other programs needed more than {limit:number} % of the processor "
    "(until they need less than {percent:number} %)",
    "outside_hours": "Paused: outside your hours ({when})",
    "no_hours": "Paused: outside your hours (your schedule has none)",
    "month_used": "Paused: this month's data is used up (until next month)",
    "in_use": "Paused: you are using the computer (until it is left alone for {minutes:number} "
    "minutes)",
    "no_work": "Paused: your limits allow no work (change them in Settings)",
    "anyway": "Sharing anyway ({when})",
}
"""Why sharing rests: from `app/policy/verdict.py`."""

STATES: Final = {
    "choose_model": "Choose a model to share",
    "sharing": "Sharing {layers} of {model}",
    "sharing_anyway": "Sharing {layers} of {model} (sharing anyway {when})",
    "ready_alone": "Ready to share {layers} of {model}; not connected to other computers yet",
    "getting": "Getting {layers} of {model}: {percent} %",
    "preparing": "Preparing {layers} of {model}",
    "finishing": "{paused}; finishing",
    "not_sharing": "Not sharing: {problem}",
    "all_layers": "all {count:count} layers",
    "one_layer": "1 layer",
    "some_layers": "{count:count} layers",
    "stands_by": "Standing by for {layers} of {model}",
    "also_serves": "Also serves {layers} of {model} while others there are missing or crowded",
}
"""The first line of the tray's menu: from `app/node/snapshot.py`."""

REMARKS: Final = {
    "moved_nobody": "Moved to {layers} of {model}: nobody else served them.",
    "moved_twice": "Moved to {layers} of {model}: only one other computer served them.",
    "moved_faster": "Moved to {layers} of {model}: they held up everybody's answers most.",
    "moved_shorter": "Moved to {layers} of {model}: answers pass through fewer computers now.",
    "decision_unread": "What you had decided about sharing could not be read, so sharing rests; "
    "say once more whether to share.",
    "limits_allow_nothing": "Your limits allow no work at all: give the processor or the graphics "
    "card a share.",
    "no_hour": "Your schedule allows no hour of the week, so sharing never starts.",
    "always_runs": "{program} always runs, so sharing would never start.",
    "away_unknown_never": "This system does not tell whether you are away, and while you use the "
    "computer your limits allow no work: sharing never starts.",
    "away_unknown": "This system does not tell whether you are away, so the limits for while you "
    "use the computer hold all the time.",
    "full_screen_unknown": "This system does not tell about full screen, so the limits for while "
    "you use the computer hold all the time; without that rule the others hold while you are away.",
    "battery_unknown": "This system does not tell about battery, so the limits for while you use "
    "the computer hold all the time; without that rule the others hold while you are away.",
    "metered_unknown": "This system does not tell whether the network is metered, so the bandwidth "
    "limits for while you use the computer hold all the time.",
    "alone_unnamed": "Not connected to other computers yet: this one knows none. Name one in "
    "Settings, under Computers to ask first; whoever runs it finds its name and port under About.",
    "alone_unanswered": "Not connected to other computers: none of those named in Settings, under "
    "Computers to ask first, answers. Look whether this computer is online and they are named "
    "rightly; Potluck goes on asking.",
    "alone_awaiting": "Not connected to other computers yet: none has come here so far. Others "
    "come when they name this one in their Settings, under Computers to ask first.",
    "next_start": "Holds when Potluck starts the next time: {labels:own}.",
    "conversations_damaged": "The file of your conversations was damaged ({reason}). It was kept "
    "as {file}, and new conversations begin in a new file.",
    "conversation_rows_left_out": "{count:count} damaged entries of {file} cannot be shown; they "
    "stay in the file.",
}
"""Warnings and remarks that stay until something is done about them."""

LIMITS: Final = {
    "cpu_in_use": "Processor while you use the computer",
    "cpu_away": "Processor while you are away",
    "gpu_works_in_use": "The graphics card may compute while you use the computer",
    "gpu_works_away": "The graphics card may compute while you are away",
    "gpu_rests_in_use": "The graphics card rests while you use the computer",
    "gpu_rests_away": "The graphics card rests while you are away",
    "power": "Power of the graphics card",
    "upload_in_use": "Upload while you use the computer",
    "upload_away": "Upload while you are away",
    "upload_slow": "Upload in slow mode",
    "download_in_use": "Download while you use the computer",
    "download_away": "Download while you are away",
    "download_slow": "Download in slow mode",
    "month": "Data this month",
    "by_priority": "low priority",
    "by_thread": "1 thread with rests between batches",
    "by_threads": "{threads:count} threads with rests between batches",
    "by_driver": "NVML power limit",
    "by_duty": "duty cycle",
    "by_nothing": "cannot be kept: this computer does not tell its graphics card's power, so "
    "the card does not compute",
    "by_sending": "nothing is sent faster than this",
    "by_receiving": "nothing is received faster than this",
    "by_counting": "counted",
    "disk_for_models": "Disk for models",
    "by_checking": "checked before each download",
}
"""The caps in force and how each is kept: from `app/policy/limits.py`."""

SETTINGS: Final = {
    "settings_unread": "{path} cannot be read ({reason}); the defaults hold, and sharing rests.",
    "settings_too_large": "{path} is too large for a settings file; the defaults hold, and sharing "
    "rests. It stays as it is until you change a setting here, and is then kept beside the new "
    "file.",
    "settings_damaged": "{path} is damaged ({reason}); the defaults hold for what cannot be read "
    "in it, and sharing rests. It stays as it is until you mend it, or change a setting here: "
    "then it is kept beside the new file.",
    "settings_aside": "The damaged {file} was kept as {aside}, and a new one begun with what could "
    "be read in it: look whether your limits are as you want them.",
    "settings_unknown": "{path} has what is no setting of this version ({names}); it is kept, for "
    "a newer version may know it.",
    "no_text": "it is not text",
    "nested_too_deeply": "nested too deeply",
    "one_of": "{choices}",
    "as_told": "{told:own}",
    "a_text": "a text",
    "setting_defaults": "{path}: {complaint} The default holds.",
    "setting_rests": "{path}: {complaint} The default holds, and sharing rests until it is mended.",
    "setting_unknown": "{name} is not a setting of this version.",
    "setting_wrong": "{name} cannot be {value}; it must be {expected}.",
    "true_or_false": "true or false",
    "number_between": "a number from {least:count} to {most:count}",
    "whole_between": "a whole number from {least:count} to {most:count}",
    "settings_unchangeable": "{path} could not be changed ({reason}); mend it by hand.",
    "settings_unwritten": "{path} cannot be written ({reason}); the settings stay as they were.",
    "address_unusable": "{address} cannot be used on this computer ({reason}); nothing was "
    "changed.",
    "api_now": "Programs reach it now at {url}.",
    "api_moved": "{wanted} could not be had when Potluck started, so programs reach it at {url} "
    "now.",
    "settings_not_read": "{path} cannot be read ({reason}); the settings stay as they were.",
    "settings_stuck": "{path} is damaged and cannot be put aside ({reason}); mend it by hand.",
    "folder_gone": "{folder} was removed or made again while Potluck runs. What happens now may "
    "not be kept; start Potluck again.",
    "decision_unkept": "{path} cannot be written ({reason}): this holds now, but will be forgotten "
    "when Potluck ends.",
    "choice_unkept": "{path} cannot be written ({reason}); the choice stays as it was.",
}
"""What is wrong with settings, or with keeping a decision."""

CHAT: Final = {
    "nothing_said": "Nothing was said yet that could be answered.",
    "being_written": "An answer is being written; stop it first, or wait.",
    "interrupted": "Potluck ended while this was being written; what there was is kept.",
    "beginning_left_out": "The beginning of this conversation is too long for the model and was "
    "left out.",
    "alone_is_faster": "This computer answered by itself: it is expected to write {alone:number} "
    "tokens a second, and a chain over other computers {chain:number}.",
    "our_mistake": "This is a mistake in Potluck itself ({kind}).",
    "no_conversation": "There is no such conversation any more.",
    "no_message": "There is no such message any more.",
    "conversations_closed": "Chats cannot be kept in {file} now ({reason}); the file stays as it "
    "is. New chats are lost when Potluck ends, unless the file can be written again before.",
    "conversations_locked": "Another program is using {file}, so new chats are kept in memory for "
    "now; what the file holds is safe. Close that program, and they go into the file.",
    "conversations_newer": "{file} was written by a newer Potluck and stays as it is. New chats "
    "are lost when this Potluck ends; update it to see your chats again.",
    "many_answers": "{count:count} answers are being written already; wait for one to end.",
    "prompt_too_long": "The prompt has {tokens:count} tokens and {model} reads at most "
    "{most:count}; nothing was sent. Shorten it.",
    "prompt_empty": "The prompt is empty; nothing was sent.",
    "nobody_serves": "nobody serves {units} of this model now",
    "nobody_serves_any": "nobody serves any layer of this model now",
    "nobody_has_room": "everybody who serves {units} has less than {tokens:count} tokens of room "
    "left",
    "spans_apart": "every layer is served, but the parts do not meet",
    "broken_after": "{lacking} ({broken})",
    "chain_silent": "the chain does not answer",
    "helper_unusable": "{helper} cannot be used: {reason}",
    "helper_declines": "{helper} declines: {reason}",
    "helper_nonsense": "{helper} answers nonsense",
    "helper_wrong": "{helper} returned something wrong: {reason}",
    "helper_breaks_rules": "{helper} breaks the rules",
    "helper_left": "{helper} left: {reason}",
    "helper_says": "{helper}: {reason}",
    "no_answer": "it does not answer",
    "another_takes_over": "A helper left; another takes over…",
    "helper_is_busy": "A helper is busy; another is asked…",
    "chain_is_mended": "The chain broke and is mended…",
    "waiting_for_turn": "Every helper is busy; the answer goes on in a moment…",
    "waiting_for_better": "The helpers do not answer; they are asked again…",
    "waiting_for_answer": "Waiting for other computers to answer…",
    "waiting_for_parts": "Waiting for helpers whose layers fit together…",
    "waiting_for_layers": "Waiting for somebody who serves {layers}…",
    "waiting_for_room": "Waiting for room with those who serve {layers}…",
    "the_input": "the input",
    "the_output": "the output",
    "layer_one": "layer {layer}",
    "layer_range": "layers {first} to {last}",
    "layer_list": "layers {layers}",
    "two_parts": "{first} and {second}",
    "three_parts": "{first}, {second} and {third}",
    "nobody_else_serves": "nobody else serves {units} of this model now",
    "chain_not_whole": "the chain is not whole",
}
"""Why an answer cannot be written, or what is to be said about one."""

MODELS: Final = {
    "from_catalogue": "from Potluck's catalogue",
    "from_file": "handed over as a file; its publisher's key is {publisher}",
    "not_in_catalogue": "The model {model} is not in Potluck's catalogue. To use it all the same, "
    "get its manifest from somebody you trust and hand it over as a file.",
    "no_such_model": "No model is called {name}; known here: {models}.",
    "model_file_itself": "{file} is a model's own file. Make the list of its pieces with potluck "
    "publish first, and name that.",
    "no_models": "No model is called {name}; none is known here.",
    "several_models": "Several models are called {name}; say which by its id: {ids}.",
    "manifest_damaged": "The manifest of {model} is damaged: {reason}.",
    "no_embedded_model": "This Potluck carries no model of its own; name one with --model.",
    "manifest_unread": "{path} cannot be read: {reason}.",
    "manifest_not_taken": "{file} was not taken: it is no list of a model's pieces that Potluck "
    "can use, or it was damaged or changed. Ask whoever gave it to you for a new one.",
    "manifest_unkept": "The manifest cannot be kept in {folder}: {reason}.",
    "no_layer_fits": "Not even one layer of {model}, with the room for conversations on it, fits "
    "into the memory that is free; close other programs, set less room for conversations, or "
    "choose a smaller model.",
    "one_end": "Name both ends of the layers, or neither.",
    "span_wrong": "{reason}.",
    "span_outside": "{model} has the units {units}; {span} is not among them.",
}
"""Which models there are, and why one cannot be chosen."""

DISK: Final = {
    "over_quota": "Not enough room: {needed:size} more are needed, and {used:size} of the "
    "{quota:size} that Potluck may use are taken. Nothing was changed; allow more disk space or "
    "remove a model.",
    "disk_too_full": "The disk is too full: {needed:size} more are needed, {free:size} are free, "
    "and {margin:size} always stay free for you. What has arrived is kept; make room on the disk "
    "of {folder}.",
    "disk_full": "The disk is full: {free:size} are free. What has arrived is kept; make room on "
    "the disk of {folder} and try again.",
    "disk_full_at_start": "The disk of {folder} is full, and nothing was changed; layers are "
    "shared when 1 GB is free.",
    "folder_unwritable": "Cannot write in {folder}: {reason}. What has arrived is kept.",
    "file_in_use": "{file} is in use and was kept; pause Potluck and try again.",
    "layers_not_downloaded": "Could not download {layers} of {model}: {reason}. What has arrived "
    "is kept; try again later.",
    "no_origin": "its manifest names no origin",
    "served_damaged": "The file of what was served and given is damaged ({reason}). It was kept as "
    "{aside}, and counting begins again in a new file.",
    "served_unread": "What was served and given cannot be read from {file} ({reason}). It stays as "
    "it is, and what is counted now is not kept.",
    "units_damaged": "On the disk, parts of {model} had been damaged ({layers}). They were "
    "removed and are fetched again; nothing has to be done.",
}
"""Room on the disk, and what has to be fetched."""

ENGINE: Final = {
    "cannot_run": "the layers cannot be run here ({reasons})",
    "worker_ended": "the worker does not start ({how}); its log says why",
    "worker_silent": "the worker does not start: it says nothing",
    "worker_gone": "the worker does not come back",
    "worker_failed": "the worker failed: {reason}",
    "worker_restarts": "the worker is being started again",
    "worker_unstartable": "the worker cannot be started: {reason}",
}
"""What is wrong with our own engine; the details are llama.cpp's or the system's words."""

WORDINGS: Final = {
    **PAUSES,
    **STATES,
    **REMARKS,
    **LIMITS,
    **SETTINGS,
    **CHAT,
    **MODELS,
    **DISK,
    **ENGINE,
}
"""All of them by code; a test sees to it that no code stands in two tables."""
