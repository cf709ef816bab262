// Mastra: node with_mastra.mjs QUESTION [URL]
//
// npm install @mastra/core @mastra/mcp
import { Agent } from "@mastra/core/agent";
import { MCPClient } from "@mastra/mcp";

const [question, url] = process.argv.slice(2);
const servers = new MCPClient({
  servers: { parallel: url ? { url: new URL(url) } : { command: "parallel-mcp", env: process.env } },
});
const agent = new Agent({
  id: "researcher",
  name: "Researcher",
  instructions: "Name the sources of every claim.",
  model: { id: "openai/gpt-5", url: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY },
  tools: await servers.listTools(),
});
// By default it stops after five calls, which a long research run can need.
const { text } = await agent.generate(question, { maxSteps: 20 });
console.log(text);
await servers.disconnect();
