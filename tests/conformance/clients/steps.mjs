// What the programs of this folder ask, as steps.py has it.
//
//     node with_CLIENT.mjs recorded|unrecorded
export const PLAIN = "Say anything.";
export const STREAMED = "Say anything, word by word.";
export const WEATHER = "How is the weather in Zürich? Look it up.";
export const UNRECORDED = "Say something else.";
export const RETURNED = "21 degrees";
export const SCHEMA = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
export const DESCRIPTION = "Tells the weather.";

export const user = (content) => ({ role: "user", content });

export function weather({ city }) {
  if (city !== "Zürich") throw new Error(`the tool got ${city}`);
  return RETURNED;
}

export async function joined(parts, text) {
  let all = "";
  for await (const part of parts) all += text(part) ?? "";
  return all;
}

export async function main(steps) {
  const names = Object.keys(steps);
  const last = names.pop();
  const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
  if (process.argv[2] === "recorded") {
    for (const name of names) say({ [name]: await steps[name]() });
    return;
  }
  try {
    say({ answer: await steps[last]() });
  } catch (error) {
    say({ error: error.constructor.name, text: error.message });
  }
}
