"""Draws that make no good scene."""


class RejectedError(Exception):
    """This draw makes no good scene; the message is the reason, a few words."""
