"""A model that takes every text literally: what it gets wrong, no text said.

It knows nothing about this server. It picks the tool whose distinctive words the request uses, fills an argument if
the request or an earlier result has what its description mentions, calls again if a text says so, and quotes the
sources that it was shown. A real model is cleverer; this one is free and deterministic.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from evals.endpoint import Conversation, Said, ToolSpec, Turn

PATIENCE = 6
"""How many calls it makes for one request before it answers with what it has."""


class Reader:
    """The model. If not `patient`, it returns to its user while a run is still working."""

    def __init__(self, patient: bool = True) -> None:
        self._patient = patient

    def __call__(self, shown: Conversation) -> Turn:
        """The model's next turn."""
        last = max(place for place, said in enumerate(shown.said) if said.role == "user")
        request, results = shown.said[last].text, [said.text for said in shown.said[last:] if said.role == "result"]
        if not results:
            tool = _picked(shown, request)
            return _first_call(tool, request, shown.said[:last]) if tool else Turn(text="You are welcome.")
        if self._patient and len(results) < PATIENCE and (call := _told_to_call(shown, results[-1])):
            return call
        return Turn(text=_answer(results[-1]))


def _terms(text: str) -> set[str]:
    """The words of four letters or more, with plurals as singulars."""
    return {word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", text.lower())}


def _own(texts: dict[str, str]) -> dict[str, set[str]]:
    """For each text, the words that are in no other text."""
    terms = {name: _terms(text) for name, text in texts.items()}
    return {
        name: words - set().union(*(others for other, others in terms.items() if other != name))
        for name, words in terms.items()
    }


def _picked(shown: Conversation, request: str) -> ToolSpec | None:
    """The tool with the most distinctive words in the request, or None if the request has none of any tool."""
    own = _own(_about(shown))
    best = max(shown.tools, key=lambda tool: len(own[tool.name] & _terms(request)))
    return best if own[best.name] & _terms(request) else None


def _about(shown: Conversation) -> dict[str, str]:
    """The text about each tool: its arguments, sentences that name it, and those of its description that name none."""
    about = {
        tool.name: " ".join([tool.name.replace("_", " "), *map(_description, tool.parameters["properties"].values())])
        for tool in shown.tools
    }
    for tool in (*shown.tools, None):
        for sentence in _split(tool.description if tool else shown.system):
            named = [name for name in about if name in sentence] or ([tool.name] if tool else [])
            for name in named:
                about[name] += f" {sentence}"
    return about


def _description(parameter: dict[str, Any]) -> str:
    return str(parameter.get("description", ""))


def _first_call(tool: ToolSpec, request: str, before: tuple[Said, ...]) -> Turn:
    results = [said.text for said in before if said.role == "result"]
    properties: dict[str, dict[str, Any]] = tool.parameters["properties"]
    own = _own({name: _description(spec) for name, spec in properties.items()})
    arguments: dict[str, Any] = {"question": request}
    for name, spec in properties.items():
        described = _description(spec)
        match spec.get("type"):
            case "boolean":
                wanted = own[name] & _terms(request)
                if wanted and len(wanted) * 3 >= len(own[name]):
                    arguments[name] = True
                    for other in (other for other in properties if other in described):
                        arguments.pop("question")
                        arguments[other] = _value(other, results[-1]) if results else None
            case "object" if "JSON" in described and (fields := re.search(r"JSON.*fields: ([\w, ]+)", request)):
                named = {field.strip(): {"type": "string"} for field in fields[1].split(",")}
                arguments[name] = {"type": "object", "properties": named}
            case "string" if results and (value := _offered(name, described, results[-1])):
                arguments[name] = value
    return Turn(tool=tool.name, arguments=arguments)


def _offered(name: str, described: str, result: str) -> str | None:
    """The value that an earlier result has for this argument, under its name or one that its description mentions."""
    if re.search(rf"pass {name}\b", result):
        return _value(name, result)
    values = (_value(named, result) for named in re.findall(r"[a-z]+_[a-z_]+", described))
    return next((value for value in values if value), None)


def _value(name: str, text: str) -> str | None:
    """The value after a name, as in name='x', name: x or "name": "x"."""
    found = re.search(rf"\b{name}\b[\"']?\s*[=:]\s*[\"']?([\w.-]{{8,}})", text)
    return found[1] if found else None


def _told_to_call(shown: Conversation, result: str) -> Turn | None:
    """The call that the result asks for, or that a description asks for when a result has the status it names."""
    for sentence, tool in _sentences(shown, result):
        for name in tool.parameters["properties"]:
            if name in sentence and "call" in sentence.lower() and (value := _value(name, result)):
                return Turn(tool=tool.name, arguments={name: value})
    return None


def _sentences(shown: Conversation, result: str) -> Iterator[tuple[str, ToolSpec]]:
    """Sentences that may ask for a call: those of the result that name a tool, and of descriptions with its status."""
    status = re.search(r'"status":\s*"(\w+)"', result)
    for tool in shown.tools:
        yield from ((sentence, tool) for sentence in _split(result) if tool.name in sentence)
        if status:
            about = f"{tool.description} {shown.system if tool.name in shown.system else ''}"
            yield from ((sentence, tool) for sentence in _split(about) if status[1] in sentence)


def _split(text: str) -> list[str]:
    return re.split(r"(?<=[.;?!])\s+|\n", text)


def _answer(result: str) -> str:
    """The result's first sentence with its first source, or the whole result if it has no source."""
    source = first_source(result)
    if source is None:
        return result
    content = re.match(r'\{.*?"content":\s*"((?:[^"\\]|\\.)*)"', result)
    words = json.loads(f'"{content[1]}"') if content else result
    return f"{_split(words)[0]} [{source[0]}]\n\n[{source[0]}] {source[1]}"


def first_source(result: str) -> tuple[int, str] | None:
    """The number and URL of the first source, in a text's numbered list or a structure's citations."""
    found = re.search(r"^\[(\d+)\][^\n]*?(https?://[^\s\"]+)", result, re.MULTILINE) or re.search(
        r'"number":\s*(\d+),[^{}]*?"url":\s*"([^"]+)"', result
    )
    return (int(found[1]), found[2]) if found else None
