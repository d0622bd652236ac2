"""What only the couriers of messages raise: a connection to be made anew, or another way."""


class SessionLost(Exception):
    """A server that does not know the session any more: what was asked has not been done."""


class NoSuchTransport(Exception):
    """A URL at which nobody takes messages as they were sent: another transport may."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
