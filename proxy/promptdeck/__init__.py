"""promptdeck: a local reverse proxy that records model calls and replays them.

`core` decides, `stores` keep, `engine` sequences, the edges do I/O; nothing
imports upward and only `app` knows all the parts.

    errors        what can go wrong, and whose fault it is
    core/         pure: bytes and values in, values out
      interaction   request, response, frame, interaction, variant: the values
      counts        what counts of a request beside its body
      varying       which representation of an answer is asked for, and recorded
      policy        mode x found -> action, one total table
      names, units  cassette names; durations, sizes, paces
      targets       where the API begins in a path, ours or a provider's
      hosts         hosts and origins read strictly, told loopback or not
      codings       packed bodies, unpacked
      headers       which travel, which are kept; Cache-Status
      drift         what a live answer has that the recording has not
      text/
        jsontext      JSON read without loss, written in any style, canonical
        yamltext      JSON values as YAML for people
        octets        text of a head that is no UTF-8
        sse, lines    a stream's bytes as frames: events, or JSON a line
        rawjson       members of JSON that no parser reads
        outline       JSON with its long texts cut short
        splicing      JSON text changed in some places, byte for byte alike elsewhere
        expressions   users' regular expressions, and what is done with them
        paths         places in JSON as people write them
        runs          events of a stream that are alike, read as one
        wording       how two texts differ, in words
      matching/
        rules         what the user says must not count
        volatile, presets   what varies by machine and day: what a preset is, and those there are
        leaves        the texts of a request, wherever they stand
        spellings     the ways in which texts write a value
        renaming      a request with its volatile texts renamed
        retelling     a recorded answer by the names of the run that asks for it
        normalize     a request's canonical form
        clean         a request without its secrets, as it is kept
        recall        what was found out about a request, found again by what says the same
        body, repeated   the names of a body for that, and what need not be read again
        fingerprint   its short name, and the ids of recordings
      secrets/
        published     the shapes of secrets that their issuers publish: data
        shapes        what secrets look like, read from that and written out
        named         values that are secrets by the name before them
        longruns      the long runs of a text: of characters that any secret is made of
        places        short ones, known by where they stand
        search        a text searched for all of them at once
        redact        secrets out of texts, values, bodies and targets
        tokens        out of the tokens and bytes that log probabilities list
        answers       out of streams, where one is spread over frames, and whole responses
      contract/
        schema, compound, violations   declared types, and what breaks them
        request, messages, tools, answers   the API, defined once
        openapi, examples, page   its document, made from that
      dialects/
        base          the questions that each dialect answers
        table         from method and path to a dialect
        streamed      base of those whose answers come whole or as a stream
        completions, plain   the dialects without a folder
        mcp/          requests to MCP servers, as recordings have them
          dialect       what is asked, by whom, and what it counts for
          results       what a tool gave, for the model and for the client
          revisions     those of the protocol
        sockets       and those of WebSockets, each message a request of its own
        choices, marks, pieces   what several have: choices that end, marks of caches, events
        variants      a recorded answer whole or as a stream: head and time
        recut         a stream made anew from its edited text
        interpreted   an answer in another dialect than its client's, told to that
        meaning       what a request asks, whatever its dialect
        providers     requests that bring their own provider
        homes         whose a call is, where it brings none
        chat/         and beside it the others', with the same files
          dialect       what this protocol answers
          fold, cut     a stream to a message, a message to a stream
          saying        what is asked and answered, for people
          counting      what counts of a request, and what as equal
          deltas        how the deltas of a stream add up
          variants      with its usage or without
          rendering     a chat stream as every SDK reads it
        messages/     Anthropic's
        responses/    OpenAI's other one
        gemini/       Google's
        cohere/       Cohere's
        ollama/       Ollama's, a stream of lines
        translate/    what is said in one, said in another
          neutral       a prompt and an answer's events, in no protocol's words
          aim           whom a request is meant for, what is lost on the way
          signing       who signed a piece of reasoning goes with it
          broken        an answer that failed, as an error
          freetext      tools that take text, where there are only functions
          fields        which provider has which field of the contract, as data
          reasoning     how much of it, in words and in tokens
          openai        what each of OpenAI's models takes
          naming        tools' names for those who take few characters
          memory        what came signed with a call, for clients that do not keep it
          translation   the door: requests written, answers told
          passing       a request to an upstream of its own dialect
          unsigned      a request without what was signed
          chat/
            reads, turns, wrapped   a request as a prompt, its messages, one provider's words
            writes, spoken   a prompt as a request, its turns
            flavours, passing   what each provider has of it, what goes to none
            hears, calls  a stream as signals, the calls in it
            tells         signals as a stream
            details       signed reasoning in both
          messages/     Anthropic's
            reads, blocks   a request is a prompt, its blocks are parts
            writes, turns, sources, schemas   a prompt is a request, its turns are messages
            families, thinking   what models refuse, how they are made to think
            hears, tells  a stream is signals, signals are a stream
            counts, ids, loose   tokens; ids of calls; signatures without a place
          gemini/
            reads, writes, hears, tells   requests and answers, each both ways
            families      what each model takes
            turns, spoken, tools, settings   a prompt as a request, by its members
            passages, schemas, names   and what is read of one
            signatures    which parts must be signed, and by whom
            grounding     what an answer rests on
            errors        of any shape
          responses/
            reads, turns   requests of its clients
            writes, items   requests to it
            hears, heard, failing   its answers, its errors
            tells, told   answers for its clients
            wrapping      signatures where there is room for them
            namespaces    tools that have long names elsewhere
      routing/
        upstreams     the providers built in, and the upstreams that the user names
        belonging     which headers of a client may go to which of them
        failing       what a failure means to who has others to try
        choosing      from a model's name, or a list, to what is tried in which order
        fitting       how well a model fits what an agent is to be good at
      agent/        tools run for the client: what a run decides
        asked, credentials   the servers of a request; which gets which credential
        offering      the names under which tools are offered
        calls         the calls of a turn: whose each is, which waits for which
        functions     what came before tools
        history       what the model is told of the turns before
        running       a run, from its request to its answer
        streaming     the same answer as a stream
        steps         the first step, found without a run
      misses/
        differences, diff   where two requests differ: places, a unified diff
        sketch        a request in little, for the nearest of thousands
        given         ids that the answers of a run gave, by numbers
        proposals     the rule that would make two requests equal
        departure     where a run departs from a recorded one
        stabilising   the rules under which recordings of one run are the same
        explain       why a request missed
      doctor/       why a provider's prompt cache missed
        blocks        a prompt in pieces, as caches hold it; what one keeps of another
        laws          how much of that a provider could have reused, by its rules
        causes        what ended it, in words, and the mend
        examining     recordings, each held against the one that it goes on from
      faults/
        plan, deal, verdict   answers that go wrong on purpose, and how a client took it
    stores/       recordings kept
      base          what a store is
      memory        the reference
      held          back until they are wanted
      claims        what the processes that share a store are asking upstream
      sqlite/       the cache, and the index of cassettes
        migrations    the file's tables, how it is opened and brought up to date
        upgrade       what an older version kept and this one does not
        rows          how a recording is a row, fresh and packed
        blobs         large values of one, written and read a part at a time
        short         fingerprints and ids in half the room
        database      one file: point reads on the caller's thread, a writer behind
        tape          the store over some tapes of it
        writer        writes grouped behind it
        tapes         what is written into them
        sketches      the nearest recordings, found without reading them all
        admin         the file from outside: what it holds, emptied
        packing, pieces, dictionaries   recordings made small, what they share kept once
        wal           whether anybody committed since
      cassettes/    files in git
        store, shelf  one cassette, or a folder of them, as a store
        loaded        a small one in memory
        file, save    where it lies, read and locked; recordings put into it
        called        as people call it: by its name, by its file, nearly right
        dump, load, reader   its text written, read, and the YAML that it is in
        large         the text of a large recording, a part at a time
        digests       what each recording was when that was written
        section       a cassette's own rules
        progress      how work on a long one tells how far it has come
        verify, diff  whether one is what it claims to be; how two differ
        edit          one changed in a single step, all else left as it is
        prune, divide, merge   recordings taken out, put elsewhere, put together
        revise, redact, rename, fix, echo   recordings written otherwise, under new ids
      kept/         what clients asked to have stored, or deferred
        completions, slips, handoffs
    engine/       the way of a request
      sides         what fills an answer, what reads it
      incoming      a client's request, as the engine takes it
      asking        its canonical form, once for the same bytes
      rulings       by the rules that cassettes bring along, too
      checking      judged by the contract
      planning      looked up, and what is done decided
      exchange      planned, then served, refused or flown
      outcome       what it answers
      settings      what it is set to
      stats         what it counts
      idempotency, firsts   first answers by their key; the first one given again
      listing       what recordings imply
      elsewhere     what was recorded of a client of another dialect
      refusing      why there is no answer, where upstream must not be asked
      routing/      requests that leave a choice of upstream or model
        way           what chooses, and what goes straight on
        means         what all trips have in common
        trip          model after model, until one answers
        writing       a request made anew for each
        attempt       one asked once, its answer held back until it has content
        breakers, waiting   whom to leave alone, when to ask again
      storing, deferred   answers kept for the client, answers fetched later
      agent/        an exchange of exchanges: runs
        sides         the way to MCP servers as the engine sees it
        reading       an answer of the exchange, read whole or by frames
        tooling       servers asked through the exchange
        agent, driving   runs begun and shared; one driven to its end
        relay         a server as a client of its own sees it
      decks/
        deck          the recordings behind one base_url, how far they are played
        bindings      which recorded ids stand for those of a run
        playing       whose turn it is, what is too old
        ledger        what was played, missed and recorded: its report
        conversions   recordings in another variant
        repeat        a hit that comes out the same again
      flights/
        flight        one upstream response, many readers
        log           its pieces, and how many are kept
        budget        what all of them may hold together
        launch        those that are under way
        silence       notice of nothing coming
        lull          moments for what can wait
        landing       what becomes of them in the end
        sharing       identical requests under way, one flight
        recorder      from a landed flight to an interaction
    apart/        users' regular expressions run where they can be ended
      process       the other process, asked and ended
      child         what runs in it
    config/       every setting, declared once
    upstream/     the way to a provider: a lean client, and aiohttp's for the odd case and sockets
    mcp/          the way to MCP servers
      wire          what is said in both eras of the protocol
      trouble       why a server cannot be used
      client        a server: its tools, a call
      http, events, stdio   what carries messages; the last over two streams,
      duplex        whose answers are found by their number
      addresses     where the URL of a request may lead
      house         the servers that runs ask, kept open while in use
    server/       the aiohttp handlers
      receiving     connections to clients, and what is no request
      guard         who may ask: Host, Origin, token
      crowded       no handles left for new connections
      upgrades      clients that want to speak another protocol
      sockets       those that speak it: WebSockets
      reading       a client's request, as the engine takes it
      heading       the heads of answers, written
      errors, json   the one place where an error becomes JSON, and what else is said so
      tools         MCP servers behind promptdeck
      stored, sessions   the paths that promptdeck answers itself
      logged, noted   log lines of requests; what is noted on one on its way
      answers/      written over aiohttp's request and response
        writing, pace   recordings: whole, or at their recorded pace
        passing       what comes from upstream
        rendering     what either looks like to its client
        faulty        recordings written badly on purpose
      fast/         requests of a known head, without aiohttp's request
        connection    what is recognised, and what is aiohttp's
        framing       a request that is held back until it is whole
        heads         heads known again, each on the lane that it belongs to
        lanes         what is remembered for a deck or a session, and goes with it
        ready         an answer ready to be sent again
        memo          such answers of one lane, and the room that all lanes share
        hitlog        their log, summed
        paced, direct   recordings at their pace, and what comes from upstream
        outlet        a connection as those two see it
    imports/      other tools' recordings, and HAR
    relive        a recorded request asked again
    retool        what MCP servers offer, asked again
    library       from a configuration to the decks that play it
    prices        whose bill an answer is on, what a cache would have saved
    outlook       what a start can tell of what will go wrong
    reach         whom a server may be reached by
    routes, ways  where requests go, by a configuration; a way to each upstream
    sessions      decks of one's own, side by side
    parts         what the bare base_url and all sessions have in common, opened and closed
    listeners     who has a port that is wanted
    heap          freed memory given back to the system
    app           the composition root
    cli/          the commands
    pytest_plugin/   a cassette for each test

A request's way: `server` reads it, `exchange` brings it to its canonical form
and asks the `deck`; a hit is written from the recording, a miss flies: `flight`
passes upstream's bytes on as they come, and `recorder` keeps what was whole.

One word, one thing; no two classes or aliases of the package have the same name:

    interaction   a request and its response as recorded: core.interaction.Interaction
    variant       JSON, SSE or SSE with usage: core.interaction.Variant
    counts        what counts of a request beside its body: core.counts.Counts
    canonical     the bytes that are compared: core.matching.normalize.Normalized.canonical
    preset        what of a request varies by machine and day: core.matching.volatile.Preset
    renamed       a request with names for what does so: core.matching.renaming.Renamed
    retold        a recorded answer with the values of who asks: core.matching.retelling.Retold
    fingerprint   their short name, the key of recordings: core.matching.fingerprint.fingerprint
    mode          how far upstream may be asked, and what is kept: core.policy.Mode
    home          a provider whose calls are known by themselves: core.dialects.homes.Home
    diagnosis     what a turn kept of the one before: core.doctor.examining.Diagnosis
    proposal      the rule that would make two requests equal: core.misses.proposals.Proposal
    departure     where a run leaves a recorded one: core.misses.departure.Departure
    builtin       a provider known by name: core.routing.upstreams.Builtin
    choice        a model that may answer, and where it is: core.routing.choosing.Choice
    store         keeps interactions: stores.base.Store
    stored        an interaction as a store gives it: stores.base.Stored
    tape          an ordered collection of them in SQLite: stores.sqlite.tape.Tape
    cassette      a file of them: stores.cassettes.store.Cassette
    digests       what a recording in it was when it was written: stores.cassettes.digests.Digests
    glance        whether its file is still what was read: stores.base.Glance
    deck          what is behind one base_url, how far it is played: engine.decks.deck.Deck
    ledger        what that was, for its report: engine.decks.ledger.Ledger
    asked         a request in canonical form: engine.asking.Asked
    exchange      find, decide, serve or refuse or fly: engine.exchange.Exchange
    way           what answers a request upstream: engine.flights.launch.Way
    flight        one upstream response under way: engine.flights.flight.Flight
    landing       what becomes of it: engine.flights.landing.Landing
    provenance    who gave an answer, and in which dialect: core.headers.Provenance
    interpreter   tells a client what was answered in another: core.dialects.interpreted.Interpreter
    rendering     an answer as its client reads it: server.answers.rendering.Rendering
    lane          the exchange, deck and pace that a head leads to: server.fast.lanes.Lane
    session       a deck of one's own for a while: sessions.Session
    ground        what a server knows of where requests go: server.reading.Ground
    apart         where users' expressions run and can be ended: apart.process.Apart
    fence         what keeps a wrapped program to loopback: cli.fence.Fence
    notices       what the kernel tells of its connections: cli.fence.notices.Notices

In header, log and report the words are those of RFC 9211: hit, fwd=uri-miss, stored,
collapsed. A model is an LLM: no module is called so, nor types nor utils.
"""

__version__ = "0.1.0"
