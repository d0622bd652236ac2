"""The recordings behind one base_url, and how far they have been played.

deck         what is found for a request, what is kept, what was played
playing      the rules: whose turn it is, what is too old, how long a hit is good
conversions  recordings in another variant than was recorded
repeat       a hit that comes out the same when it is asked for again
"""
