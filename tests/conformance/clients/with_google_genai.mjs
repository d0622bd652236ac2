// Google's SDK.
import { GoogleGenAI } from "@google/genai";
import { DESCRIPTION, PLAIN, RETURNED, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { joined, main, weather } from "./steps.mjs";

const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
const model = "gemini-3.8-flash";
const tools = [
  {
    functionDeclarations: [
      { name: "weather", description: DESCRIPTION, parametersJsonSchema: SCHEMA },
    ],
  },
];

const ask = async (contents) => (await client.models.generateContent({ model, contents })).text;

await main({
  plain: () => ask(PLAIN),
  stream: async () =>
    joined(
      await client.models.generateContentStream({ model, contents: STREAMED }),
      (part) => part.text,
    ),
  tools: async () => {
    const chat = client.chats.create({ model, config: { tools } });
    const [call] = (await chat.sendMessage({ message: WEATHER })).functionCalls;
    weather(call.args);
    const result = { id: call.id, name: call.name, response: { output: RETURNED } };
    return (await chat.sendMessage({ message: [{ functionResponse: result }] })).text;
  },
  count: async () => (await client.models.countTokens({ model, contents: PLAIN })).totalTokens,
  unrecorded: () => ask(UNRECORDED),
});
