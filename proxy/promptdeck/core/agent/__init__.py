"""Tools that are run for the client, as decisions: which calls are whose, what the model is asked.

A request with `mcp_servers` is answered by a run: the model is asked, the tools that it calls are
called, and it is asked again with what they gave, until it calls none of ours. Here is what a run
decides; who asks, calls and waits is `engine.agent`.

asked      the servers that a request names, and how it wants to be answered
credentials   which server gets which credential
offering   the names under which their tools are offered to the model
calls      calls of one turn: whose each is, and which waits for which
functions  what came before tools
history    what the model is told of the turns before
running    a run, from its request to its answer
streaming  the same answer as a stream
steps      the first step, found without a run
"""
