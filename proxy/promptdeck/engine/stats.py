"""What an exchange has counted."""

from dataclasses import dataclass


# Neither compared nor shown: what makes that possible takes longer to make than the rest.
@dataclass(slots=True, eq=False, repr=False)
class Stats:
    """Answers since the exchange began, each counted where it is decided."""

    hits: int = 0
    """Served from a recording."""
    misses: int = 0
    """Refused for want of a recording."""
    recorded: int = 0
    """Kept as a recording."""
    unrecorded: int = 0
    """Good answers that were to be kept and could not be: the disk, a limit, a fault of ours."""
    collapsed: int = 0
    """Read from a flight that another request had begun."""
    redacted: int = 0
    """Secrets taken out of what was kept."""
    upstream_calls: int = 0
