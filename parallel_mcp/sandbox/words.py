"""Words as the index sees them: lower case, cut to a stem, the empty ones left out.

Both ends of the search, documents and questions, pass through `terms`, so that they cannot disagree.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from parallel_mcp.sandbox.lexicon import GLOSSARY, STOP_WORDS, SUFFIXES, SYNONYMS, TOPICS

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")
# A capitalised word that does not begin a sentence, or one with capitals inside.
_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z]\w*[a-z]\w*|\b[A-Z]{2,}s?\b|(?<=[\w,;:)] )[a-z]+[A-Z]\w*")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Words that say nothing of what a text is about, and words that questions are made of.
STOP = frozenset(STOP_WORDS.split())

_SUFFIXES = tuple(sorted(SUFFIXES.split(), key=len, reverse=True))
_SHORT_STEM = {
    "ing": 3,
    "ings": 3,
    "ed": 3,
    "s": 2,
    "es": 3,
    "ly": 4,
    "al": 5,
    "als": 5,
    "ic": 5,
    "ics": 5,
    "or": 5,
    "ise": 5,
}
_VOWEL = re.compile(r"[aeiouy]")
_IRREGULAR = {
    "ran": "run",
    "wrote": "write",
    "written": "write",
    "chose": "choose",
    "chosen": "choose",
    "held": "hold",
    "kept": "keep",
    "sent": "send",
    "built": "build",
    "caught": "catch",
    "thrown": "throw",
    "broken": "break",
    "gave": "give",
    "brought": "bring",
    "thought": "think",
    "told": "tell",
    "bought": "buy",
    "taught": "teach",
    "fell": "fall",
    "fallen": "fall",
    "felt": "feel",
    "lost": "lose",
    "met": "meet",
    "paid": "pay",
    "sold": "sell",
    "spoke": "speak",
    "spoken": "speak",
    "stood": "stand",
    "stole": "steal",
    "stolen": "steal",
    "threw": "throw",
    "woke": "wake",
    "won": "win",
    "drew": "draw",
    "drawn": "draw",
    "drove": "drive",
    "driven": "drive",
    "flew": "fly",
    "froze": "freeze",
    "frozen": "freeze",
    "grew": "grow",
    "grown": "grow",
    "hid": "hide",
    "hidden": "hide",
    "knew": "know",
    "known": "know",
    "shook": "shake",
    "shown": "show",
    "spent": "spend",
    "tore": "tear",
    "torn": "tear",
    "understood": "understand",
    "wore": "wear",
    "worn": "wear",
    "began": "begin",
    "begun": "begin",
    "became": "become",
    "fed": "feed",
    "forgot": "forget",
    "forgotten": "forget",
    "hung": "hang",
    "heard": "hear",
    "led": "lead",
    "lent": "lend",
    "sought": "seek",
    "shrank": "shrink",
    "slept": "sleep",
    "slid": "slide",
    "stuck": "stick",
    "struck": "strike",
    "swore": "swear",
    "broke": "break",
    "bent": "bend",
    "dealt": "deal",
    "dug": "dig",
    "fought": "fight",
    "rose": "rise",
    "risen": "rise",
    "woven": "weave",
    "matrices": "matrix",
    "vertices": "vertex",
    "halves": "half",
    "leaves": "leave",
    "men": "man",
    "people": "person",
    "indices": "index",
    "indexes": "index",
    "parentheses": "parenthesis",
    "children": "child",
    "dicts": "dictionary",
    "dict": "dictionary",
    "async": "asynchronous",
    "sync": "synchronous",
    "args": "argument",
    "arg": "argument",
    "params": "parameter",
    "param": "parameter",
    "config": "configuration",
    "configs": "configuration",
    "env": "environment",
    "int": "integer",
    "ints": "integer",
    "bool": "boolean",
    "str": "string",
    "repo": "repository",
    "docs": "documentation",
    "attr": "attribute",
    "attrs": "attribute",
    "func": "function",
    "classes": "class",
    "processes": "process",
    "addresses": "address",
    "databases": "database",
    "bases": "base",
    "concurrency": "concurrent",
    "concurrently": "concurrent",
}

# Words that the rules below would cut to the stem of another.
_WHOLE = {
    "setting": "setting",
    "settings": "setting",
    "statement": "statement",
    "statements": "statement",
    "general": "general",
    "generally": "general",
    "number": "number",
    "numbers": "number",
    "property": "property",
    "properties": "property",
}


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The part of a lower-case word that its relatives share: `validator` and `validation` give one stem."""
    if word in _WHOLE:
        return _WHOLE[word]
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith(("ss", "us", "is")):
        return word
    for suffix in _SUFFIXES:
        if not word.endswith(suffix):
            continue
        rest = word[: -len(suffix)]
        if len(rest) >= _SHORT_STEM.get(suffix, 4) and _VOWEL.search(rest):
            return _tidy(rest, suffix)
    return _tidy(word, "")


def _tidy(rest: str, suffix: str) -> str:
    if suffix == "s" or suffix == "es":
        return stem(rest if suffix == "s" else rest + "e")
    if suffix and len(rest) > 3 and rest[-1] == rest[-2] and rest[-1] not in "sle":
        rest = rest[:-1]
    if rest.endswith("ie"):
        rest = rest[:-2] + "y"
    if rest.endswith("y") and len(rest) > 2:
        return rest[:-1] + "i"
    if rest.endswith("e") and len(rest) > 3:
        return rest[:-1]
    return rest


def words(text: str) -> list[str]:
    """The words of a text as written. A hyphenated word gives its parts and, joined, itself."""
    found: list[str] = []
    for match in _WORD.findall(text):
        parts = _PART.findall(match)
        found.extend(parts)
        if len(parts) > 1 and "'" not in match and "’" not in match:
            found.append("".join(parts))
    return found


def joined_words(text: str) -> set[str]:
    """The hyphenated words of a text, written as one."""
    return {"".join(_PART.findall(match)) for match in _WORD.findall(text) if "-" in match}


@lru_cache(maxsize=200_000)
def term(word: str) -> str:
    """The index term of one written word, or an empty string where the word says nothing."""
    lower = word.lower()
    if lower in STOP or (len(lower) < 2 and not lower.isdigit()):
        return ""
    return stem(lower)


@lru_cache(maxsize=100_000)
def _camel(word: str) -> tuple[str, ...]:
    pieces = _CAMEL.split(word)
    return tuple(filter(None, map(term, pieces))) if len(pieces) > 1 else ()


def terms(text: str) -> list[str]:
    """The index terms of a text, in its order, stop words left out."""
    found: list[str] = []
    for word in words(text):
        if cut := term(word):
            found.append(cut)
        if not word.islower():
            found.extend(_camel(word))
    return found


@lru_cache(maxsize=1)
def _glossary() -> list[tuple[list[set[str]], list[str]]]:
    """For each concept, the terms of its names and those of its everyday words."""
    rows = (line.split(": ", 1) for line in GLOSSARY.splitlines())
    return [([_concept(name) for name in names.split(", ")], terms(said)) for names, said in rows]


def _concept(name: str) -> set[str]:
    return {name} if name.startswith("=") else set(terms(name))


def everyday(name: str, about: str) -> list[str]:
    """Terms that people use for what a document's name, summary and keywords name, each once."""
    named = {*terms(f"{name} {about}"), f"={name.lower()}"}
    said = (said for names, said in _glossary() if any(each and each <= named for each in names))
    return list(dict.fromkeys(cut for cuts in said for cut in cuts))


@lru_cache(maxsize=1)
def topic_words() -> Mapping[str, str]:
    """Label of a reference topic -> everyday words for it."""
    found: dict[str, str] = {}
    for label, said in (line.split(": ", 1) for line in TOPICS.splitlines()):
        found[label] = f"{found.get(label, '')} {said}".strip()
    return found


@lru_cache(maxsize=1)
def synonyms() -> Mapping[str, frozenset[str]]:
    """Term -> the terms that may stand for it."""
    found: dict[str, set[str]] = {}
    for line in SYNONYMS.splitlines():
        group = {cut for word in line.split() if (cut := term(word.replace("-", "")))}
        for cut in group:
            found.setdefault(cut, set()).update(group - {cut})
    return {cut: frozenset(others) for cut, others in found.items()}


def names(text: str) -> set[str]:
    """The terms of a text's proper names."""
    return {cut for word in _NAME.findall(text) if (cut := term(word))}
