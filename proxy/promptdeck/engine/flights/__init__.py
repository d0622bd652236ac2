"""Upstream responses under way: shared while they come, recorded when they have landed.

flight    one response: a log with many readers
log       its pieces, how far each reader is, how much is kept
budget    what the logs of all flights may hold in memory together
launch    those that are under way: asked for, given up, waited for at the end
silence   notice of nothing coming
landing   what becomes of an answer that has ended
sharing   identical requests under way, one flight
recorder  from a landed flight to an interaction

The end of a flight has three words:

ended     upstream's connection has given the last byte, or failed: what the way tells
landed    the flight's readers have their end; what is to follow begins
recorded  what became of the answer is decided: kept or not, claims let go

            the last byte comes, or the connection is cut, silent or speaks no HTTP
               |                                           |
    begun on a connection                       flown in a task of its own
    Connection._tell_ended(error)               Upstream.fly returns, or raises
    Upstream.begin's `tell`, in our words       Flights._fly
               |                                           |
    ENDED      '------> Flights._ended(flight, error) <----'   only the first call counts
                           |
                        what `launch` was given, from Landing.of:
                           |
               .-----------+----------------------.
               |                                  |
    only passed on                      recorded, or its client wants it stored
               |                        Landing._ended(..., error)
               |                           |              |
               |             it failed, or none      to be stored: not yet, but
               |             wants it stored         in _record, when it is
               |                           |              |
    LANDED     '---> Flight.land(error) <--'<-------------'    only the first call counts
                        news()        server/fast/direct.py writes the end
                        followers     `follow` returns or raises: server/answers/passing.py
                        waiters       `read`, `head`: deferred answers, relive
                           |
                        Landing._record, in a task of Flights.start
                          Recorder.interaction -> Deck.keep; or NotKept, StoreUnavailable: logged
                           |
                        Landing._recorded, when that task is done, whatever became of it
                           |
    RECORDED            Sharing.recorded(question, flight)     nobody joins it any more
                        Flight.settle                          its memory is the budget's again

Given up is a flight without readers that cannot be recorded, or is not to be: when the last reader
leaves (`Flight.leave`), when its head says that it is not kept (`Flight.headed`), when it outgrows
`record.max_bytes` or the budget (`Flight.came`); and any that is still coming when the server has
waited for long enough (`Flights.finish`):

    Flights._give_up
      what Upstream.begin returned: Connection.release closes, and tells nobody; or task.cancel
      Flights._ended(flight, "the answer was dropped"), and so on as above: nothing is kept

The task of a flight that is given up is cancelled, and tells nobody either; `_ended` was called
before. A task that somebody else cancels, even before its first step, is the case of its done
callback: it calls `_ended`, so that no reader waits for ever.

What follows a landing is cancelled by `finish`, too, and then records nothing. What lets go of its
flight and claim is not in `_record`, whose `finally` would not run where the task is cancelled
before its first step, but in a done callback: `_recorded`.

A landed flight is let go at once, without the garbage collector: nothing that it refers to refers
back to it. `Flights._ended` takes `give_up` from it, `Flight.land` takes from its error the frames
through which it came, and each reader is raised a copy of that.
"""
