// The recipe for Node: the official openai client and node:test, a session for each test.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const root = process.env.PROMPTDECK_ROOT;
const model = "openai/gpt-5";

async function session(name, work) {
  const opened = await fetch(`${root}/_deck/sessions`, {
    method: "POST",
    body: JSON.stringify({ cassette: `node/${name}` }),
  });
  const { id, base_url: baseURL } = await opened.json();
  await work(new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 }));
  const fails = process.env.PROMPTDECK_ROUND === "replay" ? "?fail_on=miss,unused" : "";
  const closed = await fetch(`${root}/_deck/sessions/${id}${fails}`, { method: "DELETE" });
  assert.equal(closed.status, 200, await closed.text());
}

test("an answer", () =>
  session("whole", async (client) => {
    const messages = [{ role: "user", content: "hi from node" }];
    const answer = await client.chat.completions.create({ model, messages });
    assert.equal(typeof answer.choices[0].message.content, "string");
  }));

test("a stream", () =>
  session("streamed", async (client) => {
    const messages = [{ role: "user", content: "stream to node" }];
    let text = "";
    for await (const part of await client.chat.completions.create({ model, messages, stream: true }))
      text += part.choices[0]?.delta?.content ?? "";
    assert.notEqual(text, "");
  }));

test("many at once", () =>
  session("many", async (client) => {
    const ask = (n) =>
      client.chat.completions.create({ model, messages: [{ role: "user", content: `number ${n}` }] });
    const answers = await Promise.all([...Array(20).keys()].map(ask));
    assert.equal(answers.length, 20);
  }));

test("a mistake is a BadRequestError that names its place", () =>
  session("mistake", async (client) => {
    await assert.rejects(client.chat.completions.create({ model, temperature: "hot" }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, "$.temperature");
      return true;
    });
  }));
