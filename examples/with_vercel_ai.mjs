// Vercel AI SDK: node with_vercel_ai.mjs QUESTION [URL]
//
// npm install ai @ai-sdk/openai @ai-sdk/mcp
import { createMCPClient } from "@ai-sdk/mcp";
import { StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
import { openai } from "@ai-sdk/openai";
import { generateText, isStepCount } from "ai";

const [prompt, url] = process.argv.slice(2);
const server = await createMCPClient({
  transport: url
    ? { type: "http", url }
    : new StdioMCPTransport({ command: "parallel-mcp", env: process.env }),
});
const { text } = await generateText({
  model: openai("gpt-5"),
  system: "Name the sources of every claim.",
  tools: await server.tools(),
  // By default it stops after the first call, before the model has seen its result.
  stopWhen: isStepCount(20),
  prompt,
});
console.log(text);
await server.close();
