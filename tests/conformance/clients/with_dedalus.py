"""Dedalus's SDK."""

import chats
import dedalus_labs
from steps import model

chats.run(dedalus_labs.Dedalus(), model("openai/gpt-6.2-sol"))
