"""CrewAI: python with_crewai.py QUESTION [URL]

pip install crewai "crewai-tools[mcp]"
"""

import os
import sys

from crewai import Agent
from crewai_tools import MCPServerAdapter
from mcp import StdioServerParameters


def main(question: str, url: str | None = None) -> None:
    over_stdio = StdioServerParameters(command="parallel-mcp", env=dict(os.environ))
    with MCPServerAdapter({"url": url, "transport": "streamable-http"} if url else over_stdio) as tools:
        agent = Agent(
            role="Researcher",
            goal="Answer questions, naming the source of every claim",
            backstory="You look things up before you answer.",
            tools=list(tools),
            llm="openai/gpt-4.1",
        )
        print(agent.kickoff(question).raw)


main(*sys.argv[1:])
