import os
from openai import OpenAI

client = OpenAI(
    api_key=os.environ["PARALLEL_API_KEY"],
    base_url="https://api.parallel.ai"  # Parallel's API endpoint
)

response = client.chat.completions.create(
    model="base",  # Research model for deeper output
    messages=[
        {"role": "user", "content": "What is the founding date and headquarters of Parallel Web Systems?"}
    ],
)

# Access the response content
print(response.choices[0].message.content)

# Access the research basis (citations, reasoning, confidence)
print(response.basis)
