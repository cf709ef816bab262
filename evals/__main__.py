"""How well a model gets along with this server's texts: python -m evals [--model NAME] [--channel text structured]

Run it before and after changing a tool's description, the instructions or a result's text. Without a model it is
offline and free: a scripted reader takes every text literally, so what fails was not said. `--model` uses any model
behind an OpenAI-compatible endpoint, given by OPENAI_BASE_URL and OPENAI_API_KEY. The server's answers come from the
sandbox either way. The exit status is 1 if fewer than `--least` of the claims hold.
"""

import argparse
import sys
from contextlib import AsyncExitStack

import anyio
from openai import AsyncOpenAI

from evals import suite
from evals.endpoint import Endpoint
from evals.reader import Reader
from evals.suite import Case, Channel
from parallel_mcp import sandbox


async def scripted(case: Case, channel: Channel) -> list[suite.Done]:
    """Play the case to the scripted reader."""
    async with AsyncExitStack() as stack:
        endpoint = Endpoint(Reader(patient=not case.holds))
        url = await stack.enter_async_context(sandbox.serving(endpoint.app))
        model = await stack.enter_async_context(AsyncOpenAI(base_url=f"{url}/v1", api_key="scripted"))
        return await suite.play(case, model, "reader", channel)


async def real(case: Case, channel: Channel, name: str) -> list[suite.Done]:
    """Play the case to a model at the environment's endpoint."""
    async with AsyncOpenAI() as model:
        return await suite.play(case, model, name, channel)


async def _run(given: argparse.Namespace) -> float:
    held = made = 0
    for channel in given.channel:
        for case in suite.cases():
            if given.case and case.name not in given.case:
                continue
            done = await (real(case, channel, given.model) if given.model else scripted(case, channel))
            claims = suite.judged(case, done)
            held, made = held + sum(claims.values()), made + len(claims)
            calls = [len(turn.calls) for turn in done]
            print(f"{channel:11} {case.name:12} {sum(claims.values())} of {len(claims)} claims hold, calls {calls}")
            for claim in (claim for claim, holds in claims.items() if not holds):
                print(f"    not so: {claim}")
            if not all(claims.values()):
                for call in (call for turn in done for call in turn.calls):
                    print(f"    called: {call.tool} {call.arguments}")
    print(f"{held} of {made} claims hold")
    return held / made


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--channel", nargs="+", choices=("text", "structured"), default=("text", "structured"))
    parser.add_argument("--case", nargs="+", metavar="NAME")
    parser.add_argument("--least", type=float, default=1.0, metavar="SHARE")
    given = parser.parse_args()
    sys.exit(0 if anyio.run(_run, given) >= given.least else 1)


if __name__ == "__main__":
    main()
