// OpenAI's SDK for Azure. It takes no `endpoint` where OPENAI_BASE_URL is set, and goes there.
import { AzureOpenAI } from "openai";
import { DESCRIPTION, PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { joined, main, user, weather } from "./steps.mjs";

const client = new AzureOpenAI({ apiVersion: "2024-10-21" });
const model = "gpt-4o";
const tools = [
  {
    type: "function",
    function: { name: "weather", description: DESCRIPTION, parameters: SCHEMA },
  },
];

const asked = async (given) =>
  (await client.chat.completions.create({ model, ...given })).choices[0].message;
const ask = async (prompt) => (await asked({ messages: [user(prompt)] })).content;

await main({
  plain: () => ask(PLAIN),
  stream: async () =>
    joined(
      await client.chat.completions.create({ model, messages: [user(STREAMED)], stream: true }),
      (part) => part.choices[0]?.delta?.content,
    ),
  tools: async () => {
    const messages = [user(WEATHER)];
    const first = await asked({ messages, tools });
    const [call] = first.tool_calls;
    weather(JSON.parse(call.function.arguments));
    messages.push(first, { role: "tool", tool_call_id: call.id, content: RETURNED });
    return (await asked({ messages, tools })).content;
  },
  unrecorded: () => ask(UNRECORDED),
});
