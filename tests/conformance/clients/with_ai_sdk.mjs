// Vercel's AI SDK, with the provider that the command line names.
import { createAnthropic, anthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { openai } from "@ai-sdk/openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { DESCRIPTION, PLAIN, SCHEMA, STREAMED, UNRECORDED, WEATHER } from "./steps.mjs";
import { joined, main, weather } from "./steps.mjs";

const root = process.env.ANTHROPIC_BASE_URL;
const models = {
  openai: () => openai("gpt-6.2-sol"),
  anthropic: () => anthropic("claude-opus-5-5"),
  "anthropic/v1": () => createAnthropic({ baseURL: `${root}/v1` })("claude-opus-5-5"),
  // Any model, by chat completions and by Messages.
  chat: () => openai.chat(process.argv[4]),
  messages: () => anthropic(process.argv[4]),
  // It reads no variable.
  google: () => createGoogleGenerativeAI({ baseURL: `${root}/v1beta` })("gemini-3.8-flash"),
};
const model = models[process.argv[3]]();
const tools = {
  weather: tool({
    description: DESCRIPTION,
    inputSchema: jsonSchema(SCHEMA),
    execute: async (given) => weather(given),
  }),
};

const ask = async (prompt) => (await generateText({ model, prompt })).text;

await main({
  plain: () => ask(PLAIN),
  stream: () => joined(streamText({ model, prompt: STREAMED }).textStream, (part) => part),
  tools: async () =>
    (await generateText({ model, prompt: WEATHER, tools, stopWhen: stepCountIs(3) })).text,
  unrecorded: () => ask(UNRECORDED),
});
