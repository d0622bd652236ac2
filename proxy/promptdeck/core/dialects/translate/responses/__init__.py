"""OpenAI's Responses, read into the neutral form and written from it.

What is known of its models is in `translate.openai`, how a conversation becomes its input in
`items`, how one item of its output is told in `told`.
"""
