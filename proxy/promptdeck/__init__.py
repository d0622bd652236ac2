"""promptdeck: a local reverse proxy that records model calls and replays them.

`core` decides, `stores` keep, `engine` sequences, the edges do I/O; nothing
imports upward and only `app` knows all the parts.

    errors        what can go wrong, and whose fault it is
    core/         pure: bytes and values in, values out
      interaction   request, response, frame, interaction, variant: the values
      counts        what counts of a request beside its body
      policy        mode x found -> action, one total table
      names, units  cassette names; durations, sizes, paces
      headers       which travel, which are kept; Cache-Status
      drift         what a live answer has that the recording has not
      text/
        jsontext      JSON read without loss, written in any style, canonical
        yamltext      JSON values as YAML for people
        sse           a stream's bytes as frames
        runs          events of a stream that are alike, read as one
        wording       how two texts differ, in words
      matching/
        rules         what the user says must not count
        normalize     a request's canonical form
        rawjson       parts of one that no parser reads
        body, repeated   short cuts to it
        fingerprint   its short name, and the ids of recordings
      secrets/
        shapes        what secrets look like
        redact        secrets out of everything that is kept
      contract/
        schema, compound, violations   declared types, and what breaks them
        request, messages, tools, answers   the API, defined once
        openapi, examples, page   its document, made from that
      dialects/
        providers     requests that bring their own provider
        chat/
          deltas        how the deltas of a stream add up
          accumulate    a stream to a message and a message to a stream
          completeness  whether an answer is whole
          plainstream   a chat stream as every SDK reads it
          recut         a stream made anew from its edited text
      misses/
        differences, explain   why a request missed
      faults/
        plan, deal, verdict   answers that go wrong on purpose, and how a client took it
    stores/       recordings kept
      base          what a store is
      memory        the reference
      held          back until they are wanted
      claims        what the processes that share a store are asking upstream
      sqlite/       the cache, and the index of cassettes
        schema        the file's tables, and how a recording is a row
        database      point reads on the caller's thread, and the store over tapes
        writer        writes grouped behind it
        tapes         what is written into them
        admin         the file from outside: what it holds, emptied
        packing, pieces, dictionaries   recordings made small, what they share kept once
        wal           whether anybody committed since
      cassettes/    files in git
        store         one cassette, or a folder of them, as a store
        loaded        a small one in memory
        file          read, and saved whole
        yaml, reader  its text, written and read
        verify, diff, edit, revise, echo, merge   kept clean
      kept/         what clients asked to have stored, or deferred
        completions, slips
    engine/       the way of a request
      asking        its canonical form, once for the same bytes
      checking      judged by the contract
      exchange      find, decide, serve or refuse or fly
      outcome       what it answers
      settings      what it is set to
      stats         what it counts
      idempotency   the first answer again
      listing       what recordings imply
      storing, deferred   answers kept for the client, answers fetched later
      decks/
        deck          the recordings behind one base_url, how far they are played
        playing       whose turn it is, what is too old
        conversions   recordings in another variant
        repeat        a hit that comes out the same again
      flights/
        flight        one upstream response, many readers
        sides         what fills it, what reads it
        launch        those that are under way
        silence       notice of nothing coming
        landing       what becomes of them in the end
        sharing       identical requests under way, one flight
        recorder      from a landed flight to an interaction
    config/       every setting, declared once
    upstream/     the way to the provider: a lean client, and aiohttp's for the odd case
    server/       the aiohttp handlers
      reading       a client's request, as the engine takes it
      errors        the one place where an error becomes JSON
      stored, sessions   the paths that promptdeck answers itself
      logged, noted   log lines of requests; what is noted on one on its way
      answers/      written over aiohttp's request and response
        writing, pace   recordings: whole, or at their recorded pace
        passing, shape   what comes from upstream, and what it looks like
        faulty        recordings written badly on purpose
      fast/         requests of a known head, without aiohttp's request
        connection    what is recognised, and what is aiohttp's
        heads, ready  heads known again, answers ready to be sent again
        paced, direct recordings at their pace, and what comes from upstream
        outlet        a connection as those two see it
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
