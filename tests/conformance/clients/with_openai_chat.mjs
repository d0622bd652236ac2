// OpenAI's SDK, by chat completions.
import OpenAI from "openai";
import { DESCRIPTION, PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { joined, main, user, weather } from "./steps.mjs";

const client = new OpenAI();
const model = process.argv[3] ?? "gpt-6.2-sol";
const tools = [
  { type: "function", function: { name: "weather", description: DESCRIPTION, parameters: SCHEMA } },
];

const create = (messages, more = {}) => client.chat.completions.create({ model, messages, ...more });
const ask = async (prompt) => (await create([user(prompt)])).choices[0].message.content;

await main({
  plain: () => ask(PLAIN),
  stream: async () =>
    joined(await create([user(STREAMED)], { stream: true }), (part) => part.choices[0]?.delta.content),
  tools: async () => {
    const messages = [user(WEATHER)];
    const { message } = (
      await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
    ).choices[0];
    const [call] = message.tool_calls;
    weather(JSON.parse(call.function.arguments));
    messages.push(message, { role: "tool", tool_call_id: call.id, content: RETURNED });
    return (await create(messages, { tools })).choices[0].message.content;
  },
  unrecorded: () => ask(UNRECORDED),
});
