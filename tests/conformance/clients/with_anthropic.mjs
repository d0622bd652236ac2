// Anthropic's SDK.
import Anthropic from "@anthropic-ai/sdk";
import { DESCRIPTION, PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { main, user, weather } from "./steps.mjs";

const client = new Anthropic();
const given = { model: "claude-opus-5-5", max_tokens: 100 };
const offered = [{ name: "weather", description: DESCRIPTION, input_schema: SCHEMA }];

const ask = async (prompt) =>
  (await client.messages.create({ ...given, messages: [user(prompt)] })).content[0].text;

await main({
  plain: () => ask(PLAIN),
  stream: () => client.messages.stream({ ...given, messages: [user(STREAMED)] }).finalText(),
  tools: async () => {
    const messages = [user(WEATHER)];
    const first = await client.messages
      .stream({ ...given, messages, tools: offered })
      .finalMessage();
    const [call] = first.content;
    weather(call.input);
    messages.push({ role: "assistant", content: first.content });
    messages.push(user([{ type: "tool_result", tool_use_id: call.id, content: RETURNED }]));
    return (await client.messages.create({ ...given, messages, tools: offered })).content[0].text;
  },
  count: async () =>
    (await client.messages.countTokens({ model: given.model, messages: [user(PLAIN)] }))
      .input_tokens,
  models: async () => (await client.models.list()).data.map((model) => model.id),
  unrecorded: () => ask(UNRECORDED),
});
