"""Why a request had no recording: what differs from the nearest one, in words."""
