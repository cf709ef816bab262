// The least that the TypeScript SDK allows, over stdio; the Chat API is at PARALLEL_BASE_URL.
import { McpServer } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { z } from "zod";

async function ask(model, question) {
  const response = await fetch(`${process.env.PARALLEL_BASE_URL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${process.env.PARALLEL_API_KEY}` },
    body: JSON.stringify({ model, messages: [{ role: "user", content: question }] }),
  });
  const answer = (await response.json()).choices[0].message.content;
  return { content: [{ type: "text", text: answer }] };
}

const server = new McpServer({ name: "minimal", version: "1.0.0" });
const inputSchema = z.object({ question: z.string() });
server.registerTool("web_answer", { description: "Answer a question from the web.", inputSchema }, ({ question }) =>
  ask("speed", question),
);
server.registerTool("deep_research", { description: "Research a question on the web.", inputSchema }, ({ question }) =>
  ask("base", question),
);
await server.connect(new StdioServerTransport());
