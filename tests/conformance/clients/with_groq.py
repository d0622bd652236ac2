"""Groq's SDK, whose base_url `run` does not set."""

import os

import chats
import groq

root = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
chats.run(groq.Groq(base_url=root), "openai/gpt-oss-120b")
