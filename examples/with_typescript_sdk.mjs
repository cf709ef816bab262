// The plain MCP TypeScript SDK and an OpenAI client: node with_typescript_sdk.mjs QUESTION [URL]
//
// npm install @modelcontextprotocol/client openai
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import OpenAI from "openai";

const [question, url] = process.argv.slice(2);
const server = new Client({ name: "with-typescript-sdk", version: "1.0.0" });
await server.connect(
  url
    ? new StreamableHTTPClientTransport(new URL(url))
    : new StdioClientTransport({ command: "parallel-mcp", env: process.env }),
);
const tools = (await server.listTools()).tools.map(({ name, description, inputSchema }) => ({
  type: "function",
  function: { name, description, parameters: inputSchema },
}));
const model = new OpenAI();
const messages = [{ role: "user", content: question }];
while (messages.at(-1).role !== "assistant") {
  const reply = await model.chat.completions.create({ model: "gpt-5", messages, tools });
  const message = reply.choices[0].message;
  messages.push(message);
  for (const { id, function: called } of message.tool_calls ?? []) {
    const result = await server.callTool({ name: called.name, arguments: JSON.parse(called.arguments) });
    const text = result.content.map((part) => part.text ?? "").join("\n");
    messages.push({ role: "tool", tool_call_id: id, content: text });
  }
}
console.log(messages.at(-1).content);
await server.close();
