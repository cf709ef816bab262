import OpenAI from "openai";

const client = new OpenAI({
  apiKey: process.env.PARALLEL_API_KEY,
  baseURL: "https://api.parallel.ai", // Parallel's API endpoint
});

async function main() {
  const response = await client.chat.completions.create({
    model: "base", // Research model for deeper output
    messages: [
      {
        role: "user",
        content: "What is the founding date and headquarters of Parallel Web Systems?",
      },
    ],
  });

  // Access the response content
  console.log(response.choices[0].message.content);

  // Access the research basis (citations, reasoning, confidence)
  console.log((response as any).basis);
}

main();
