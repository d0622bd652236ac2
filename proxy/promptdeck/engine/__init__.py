"""The sequence of a request: find, decide, serve or fly, record. Knows stores by their protocol."""
