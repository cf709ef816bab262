import OpenAI from "openai";

const client = new OpenAI({
  apiKey: process.env.PARALLEL_API_KEY,
  baseURL: "https://api.parallel.ai", // Parallel's API endpoint
});

async function main() {
  const response = await client.chat.completions.create({
    model: "speed", // Parallel model name
    messages: [{ role: "user", content: "What does Parallel Web Systems do?" }],
    response_format: {
      type: "json_schema",
      json_schema: {
        name: "reasoning_schema",
        schema: {
          type: "object",
          properties: {
            reasoning: {
              type: "string",
              description: "Think step by step to arrive at the answer",
            },
            answer: {
              type: "string",
              description: "The direct answer to the question",
            },
            citations: {
              type: "array",
              items: { type: "string" },
              description: "Sources cited to support the answer",
            },
          },
        },
      },
    },
  });

  console.log(response.choices[0].message.content);
}

main();
