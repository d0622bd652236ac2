"""OpenAI's SDK, by chat completions."""

import chats
import openai
from steps import model

chats.run(openai.OpenAI(), model("gpt-6.2-sol"))
