// OpenAI's SDK, by Responses.
import OpenAI from "openai";
import { DESCRIPTION, PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { joined, main, user, weather } from "./steps.mjs";

const client = new OpenAI();
const model = "gpt-6.2-sol";
const tools = [
  { type: "function", name: "weather", description: DESCRIPTION, parameters: SCHEMA, strict: true },
];

const ask = async (input) => (await client.responses.create({ model, input })).output_text;

await main({
  plain: () => ask(PLAIN),
  stream: async () =>
    joined(await client.responses.create({ model, input: STREAMED, stream: true }), (event) =>
      event.type === "response.output_text.delta" ? event.delta : "",
    ),
  tools: async () => {
    const input = [user(WEATHER)];
    const first = await client.responses.stream({ model, input, tools }).finalResponse();
    const [{ call_id, name, arguments: text }] = first.output;
    weather(JSON.parse(text));
    input.push({ type: "function_call", call_id, name, arguments: text });
    input.push({ type: "function_call_output", call_id, output: RETURNED });
    return (await client.responses.create({ model, input, tools })).output_text;
  },
  unrecorded: () => ask(UNRECORDED),
});
