"""Google's generateContent, translated: requests and answers, both ways.

families     what each model takes
names        the names that fields have there, in either spelling
turns        a conversation as contents
spoken       its single parts
passages     contents as passages
signatures   which parts must be signed, and by whom
tools        functions, Google's own tools, which of them may be called
schemas      its subset of OpenAPI as JSON Schema
settings     all else that is asked
grounding    what an answer rests on
errors       errors of any shape
"""
