"""OpenAI's SDK for Azure."""

import chats
import openai

chats.run(openai.AzureOpenAI(api_version="2024-10-21"), "gpt-4o")
