"""What a model does: continue by the id in a result, until there is an answer."""

import json
import re

LIMIT = 100


def arguments(text, question):
    """The arguments of the next call, or None if `text` is the answer."""
    found = re.search(r"research_id=['\"]?([0-9a-f]{8,})", text)
    working = found is not None and "again" in text
    return {"research_id": found[1]} if working else {"question": question} if "may have been" in text else None


async def answer(call, question):
    """Call until it is answered, and print the answer."""
    calls, lost, given, texts = 0, 0, {"question": question}, []
    while given is not None and calls < LIMIT:
        calls += 1
        try:
            texts.append(str(await call(given)))
        except Exception as error:  # the framework's own limit; a model would ask the same again
            lost += 1
            texts.append(f"{type(error).__name__}: {error}")
            continue
        given = arguments(texts[-1], question)
    print(json.dumps({"calls": calls, "lost": lost, "texts": [text[:2000] for text in texts]}))
