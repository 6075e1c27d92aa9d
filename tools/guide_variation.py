"""Rewords the questions of the guide's corpus, so that it understands people it never met.

`vary` types a question as another person might: other words of the same meaning, fillers,
slips of the finger, no question mark. `roughen` goes further and breaks the sentence up.
Both are pure and draw from the random generator they are given.
"""

from __future__ import annotations

import random
import re

SYNONYMS: dict[str, tuple[str, ...]] = {
    "computer": ("pc", "machine", "laptop"),
    "laptop": ("computer", "notebook"),
    "computers": ("machines", "pcs"),
    "program": ("app", "software"),
    "app": ("program", "application"),
    "graphics card": ("gpu", "video card"),
    "gpu": ("graphics card",),
    "cpu": ("processor",),
    "processor": ("cpu",),
    "internet": ("network", "web"),
    "chat": ("conversation", "chats"),
    "chats": ("conversations", "messages"),
    "sharing": ("contributing", "lending"),
    "share": ("contribute", "lend"),
    "messages": ("prompts", "texts"),
    "message": ("question", "prompt"),
    "layers": ("blocks",),
    "stop": ("halt", "end"),
    "limit": ("restrict", "cap"),
    "choose": ("pick", "select"),
    "helpers": ("helping computers", "volunteers"),
    "quickly": ("fast",),
    "fast": ("quick", "speedy"),
    "slow": ("sluggish",),
    "happens": ("goes on",),
    "find": ("discover", "locate"),
    "remove": ("delete",),
    "delete": ("remove", "erase"),
    "see": ("view", "watch"),
    "read": ("see",),
    "files": ("documents", "data"),
    "big": ("large",),
    "large": ("big", "huge"),
    "small": ("tiny", "little"),
    "tiny": ("small",),
    "answer": ("reply", "response"),
    "answers": ("replies",),
    "mean": ("stand for",),
    "used": ("needed",),
    "does": ("will",),
    "can": ("could",),
    "do not": ("don't", "dont"),
    "does not": ("doesn't",),
    "i am": ("i'm", "im"),
    "what is": ("what's", "whats"),
    "is it": ("is potluck",),
    "it": ("potluck", "this"),
    "my": ("my own", "our"),
    "tell me about": ("say something about", "inform me about"),
    "explain": ("clarify", "describe"),
    "why": ("how come", "for what reason"),
    "start": ("begin", "launch"),
    "use": ("employ", "utilise", "work with"),
    "show": ("display", "tell"),
    "install": ("set up", "put"),
    "run": ("work", "operate"),
    "know": ("learn", "find out", "tell"),
    "get": ("receive", "obtain"),
    "need": ("require", "want"),
    "want": ("wish", "need"),
    "make": ("build", "create"),
    "friends": ("family", "colleagues", "people i know"),
    "strangers": ("other people", "unknown people", "others"),
    "people": ("persons", "users", "folks"),
    "phone": ("mobile", "smartphone"),
    "disk": ("drive", "hard drive", "storage"),
    "memory": ("ram",),
    "private": ("confidential", "secret"),
    "restart": ("reboot",),
    "wrong": ("false", "incorrect"),
    "write": ("type", "enter"),
    "password": ("pin", "login"),
    "hot": ("warm", "heated"),
    "money": ("cash", "euros"),
    "word": ("term", "expression"),
    "help": ("assist", "aid", "support"),
    "work": ("function",),
    "whole": ("entire", "complete", "full"),
    "download": ("fetch", "load"),
    "automatically": ("by itself", "on its own"),
    "by itself": ("on its own", "automatically"),
    "keep": ("retain", "hold"),
    "allowed": ("permitted", "ok"),
    "connection": ("line", "link"),
    "settings": ("options", "preferences"),
    "limits": ("caps", "restrictions"),
    "models": ("language models", "llms"),
    "model": ("language model", "llm"),
    "describe": ("explain", "outline"),
    "each": ("every",),
    "all": ("every one of",),
    "now": ("at the moment", "right now"),
    "safe": ("secure",),
    "free": ("for nothing",),
    "pay": ("spend money",),
    "lost": ("gone",),
    "leaves": ("quits", "goes", "drops out"),
    "window": ("main window",),
    "when": ("whenever", "if", "while"),
    "should": ("shall", "must"),
    "would": ("will", "could"),
    "who": ("which people",),
    "how do i": ("how can i", "how could i", "what is the way to"),
}
_OPENERS = (
    "please", "hey", "hi,", "hello,", "so", "ok", "well,", "hey guide,", "quick question:",
    "one question:", "um", "now", "also", "and", "but", "just curious,", "question:",
)  # fmt: skip
_ASKING_OPENERS = (
    "can you tell me", "could you tell me", "please tell me", "do you know", "tell me,",
    "i wonder", "i was wondering", "i'd like to know", "i want to know", "would you say",
    "can you say", "any idea", "not sure,",
)  # fmt: skip
_CLOSERS = (
    "please", "in potluck", "here", "exactly", "thanks", "really", "then", "by the way",
    "with potluck", "actually", "now", "anyway", "today", "in this app", "in general",
    "in simple words", "in short", "at all",
)  # fmt: skip
_QUESTION_WORDS = frozenset({
    "what", "what's", "whats", "how", "who", "where", "why", "which", "when", "is", "are",
    "does", "do", "can", "could", "will", "whom", "whose", "may", "should", "has",
})  # fmt: skip
_DROPPABLE = frozenset({
    "a", "an", "the", "is", "are", "do", "does", "i", "to", "of", "it", "my", "me", "for",
})  # fmt: skip


def vary(question: str, rng: random.Random, *, light: bool) -> str:
    """Return a question as some other person might have typed it; `light` changes less."""
    words = question
    asking = words.split()[0] in _QUESTION_WORDS
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        words = _swap_synonym(words, rng)
    if not light and rng.random() < 0.10:
        words = _drop_word(words, rng)
    if asking and not light and rng.random() < 0.14:
        words = f"{rng.choice(_ASKING_OPENERS)} {words}"
    elif rng.random() < (0.05 if light else 0.14):
        words = f"{rng.choice(_OPENERS)} {words}"
    if rng.random() < (0.04 if light else 0.12):
        words = f"{words} {rng.choice(_CLOSERS)}"
    if rng.random() < 0.12:
        words = _mistype(words, rng)
    return _punctuate(words, rng, asking=asking)


_SCATTERED = (
    "really", "actually", "maybe", "just", "even", "still", "also", "only", "ever", "exactly",
    "there", "here", "then", "that", "some", "any", "with", "about", "from", "me", "us", "one",
    "sort of", "kind of", "for example", "you know", "i guess", "i think", "somehow", "perhaps",
    "usually", "always", "sometimes", "a bit", "at home", "every day", "later", "again",
    "myself", "people", "thing", "things", "way", "time", "good", "new", "own", "other",
)  # fmt: skip
_CLAUSES = (
    "a friend asked me:", "before i start:", "honestly,", "if i join,", "let's say i join,",
    "i read about this and wonder:", "sorry if this is silly:", "my brother asks:",
    "i could not find this:", "for my understanding:", "one thing is unclear to me:",
    "i am new here.", "i am not technical.", "help me understand:", "in your own words:",
    "since i use it every day,", "as a beginner,", "my question is", "i have been thinking:",
    "it would be good to know", "say,", "look,", "listen,", "good question for you:",
)  # fmt: skip


def roughen(question: str, other: str, answer: str, rng: random.Random) -> str:
    """Return a question with its wording broken up but its matter kept.

    `other` is another question of the same topic and `answer` one of its answers: parts of
    them stand in for the many ways to ask that nobody wrote down.
    """
    words, tail = question.split(), other.split()
    kind = rng.random()
    if kind < 0.25:
        kept = [word for word in words if rng.random() > 0.2]
        return " ".join(kept if len(kept) > 1 else words)
    if kind < 0.45:
        head = words[: rng.randint(len(words) // 2, len(words))]
        return " ".join(head + tail[rng.randint(0, len(tail) // 2) :])
    if kind < 0.70:
        for _ in range(rng.randint(1, 3)):
            words.insert(rng.randint(0, len(words)), rng.choice(_SCATTERED))
        return " ".join(words)
    if kind < 0.82:
        return f"{rng.choice(_CLAUSES)} {question}"
    if kind < 0.92:
        return f"{question} {rng.choice(('and', 'or', ',', 'because', 'if', 'when'))} {other}"
    told = re.sub(r"[^a-z0-9' -]", "", answer.lower()).split()
    start = rng.randint(0, max(0, len(told) - 4))
    return " ".join(words[:2] + told[start : start + rng.randint(3, 7)])


def _swap_synonym(words: str, rng: random.Random) -> str:
    padded = f" {words} "
    present = [phrase for phrase in SYNONYMS if f" {phrase} " in padded]
    if not present:
        return words
    phrase = rng.choice(present)
    return padded.replace(f" {phrase} ", f" {rng.choice(SYNONYMS[phrase])} ", 1).strip()


def _drop_word(words: str, rng: random.Random) -> str:
    parts = words.split()
    places = [place for place, word in enumerate(parts) if word in _DROPPABLE]
    if len(parts) < 4 or not places:
        return words
    del parts[rng.choice(places)]
    return " ".join(parts)


def _mistype(words: str, rng: random.Random) -> str:
    parts = words.split()
    places = [place for place, word in enumerate(parts) if len(word) >= 5 and word.isalpha()]
    if not places:
        return words
    place = rng.choice(places)
    word = parts[place]
    at = rng.randrange(1, len(word) - 1)
    parts[place] = rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )
    return " ".join(parts)


def _punctuate(words: str, rng: random.Random, *, asking: bool) -> str:
    style = rng.random()
    if style < 0.5:
        words = words[0].upper() + words[1:]
        words = re.sub(r"\bi\b", "I", words).replace("potluck", "Potluck")
    elif style < 0.52:
        words = words.upper()
    mark = rng.random()
    if asking:
        return words + ("?" if mark < 0.62 else "??" if mark < 0.64 else "")
    return words + ("?" if mark < 0.15 else "." if mark < 0.35 else "!" if mark < 0.39 else "")
