"""Any model behind any protocol: what a client asks and is answered, said in another dialect.

No pair of protocols is translated as such: each is read into one neutral form and written from it.

neutral      that form: a prompt, an answer as signals
aim          whom a request is meant for, and what becomes of it on the way there
broken       an answer that failed, as an error
fields       which provider has which field of the contract, as data
reasoning    how much of it, in words and in tokens
openai       what each of OpenAI's models takes
naming       tools' names for those who take few characters
memory       what came signed with a call, for clients that do not keep it
translation  the door: requests written, answers told
passing      a request to an upstream of its own dialect

and in a folder for each protocol, chat/, messages/, responses/ and gemini/:

reads        a request's body, as a prompt
writes       a prompt, as a request's body
hears        an answer's stream, as signals; an error
tells        signals, as an answer's stream

An answer that is no stream is cut into one by its own dialect, and folded by its client's: what
holds for streams holds for it. Everything here is pure, and nothing of it is imported before a
request needs it.
"""
