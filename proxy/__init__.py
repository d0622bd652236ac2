"""promptdeck: a local reverse proxy that records model calls and replays them.

`core` decides, `stores` keep, `engine` sequences, the edges do I/O; nothing
imports upward and only `app` knows all the parts.

    errors        what can go wrong, and whose fault it is
    core/         pure: bytes and values in, values out
      interaction   request, response, frame, interaction, variant: the values
      jsontext      JSON read without loss, written in any style, canonical
      yamltext      JSON values as YAML for people
      sse           a stream's bytes as frames
      runs          events of a stream that are alike, read as one
      plainstream   a chat stream as every SDK reads it
      names, units  cassette names; durations, sizes, paces
      rules         what the user says must not count
      shapes        what secrets look like
      redact        secrets out of everything that is kept
      normalize     a request's canonical form
      rawjson       parts of one that no parser reads
      body, repeated   short cuts to it
      fingerprint   its short name, and the ids of recordings
      headers       which travel, which are kept; Cache-Status
      providers     requests that bring their own provider
      policy        mode x found -> action, one total table
      schema, schema_compound, violations   declared types, and what breaks them
      contract, contract_messages, contract_tools, contract_answers   the API, defined once
      openapi, openapi_examples, openapi_page   its document, made from that
      deltas        how the deltas of a stream add up
      accumulate    a stream to a message and a message to a stream
      completeness  whether an answer is whole
      differences, wording, explain   why a request missed
      faultplan, faults, verdict   answers that go wrong on purpose, and how a client took it
      drift         what a live answer has that the recording has not
      recut         a stream made anew from its edited text
    stores/       recordings kept
      base          what a store is
      memory        the reference
      held          back until they are wanted
      schema, sqlite, writer   the cache, and the index of cassettes
      tapes         what is written into them
      admin         the file from outside: what it holds, emptied
      packing, pieces, dictionaries   recordings made small, what they have in common kept once
      wal           whether anybody committed since
      cassette, cassette_file, cassette_yaml, yamlread, cassette_verify   files in git
      cassette_loaded   a small one in memory
      cassette_edit, cassette_revise, cassette_echo, cassette_merge, cassette_diff   kept clean
      completions, slips   what clients asked to have stored, or deferred
      claims        what the processes that share a store are asking upstream
    engine/       the way of a request
      asking        its canonical form, once for the same bytes
      checking      judged by the contract
      flight        one upstream response, many readers
      flights       those that are under way
      silence       told while nothing comes
      landing       what becomes of them in the end
      sharing       identical requests under way, one flight
      recorder      from a landed flight to an interaction
      deck          the recordings behind one base_url, how far they are played
      exchange      find, decide, serve or refuse or fly
      outcome       what it answers and what it counts
      repeat        a hit that comes out the same again
      idempotency   the first answer again
      listing       what recordings imply
      stored, deferred   answers kept for the client, answers fetched later
    config/       every setting, declared once
    upstream/     the way to the provider: a lean client, and aiohttp's for the odd case
    server/       the aiohttp handlers
    imports/      other tools' recordings, and HAR
    relive        a recorded request asked again
    library       from a configuration to the decks that play it
    sessions      decks of one's own, side by side
    app           the composition root
    cli/          the commands
    pytest_plugin/   a cassette for each test

A request's way: `server` reads it, `exchange` brings it to its canonical form
and asks the `deck`; a hit is written from the recording, a miss flies: `flight`
passes upstream's bytes on as they come, and `recorder` keeps what was whole.
"""

__version__ = "0.1.0"
