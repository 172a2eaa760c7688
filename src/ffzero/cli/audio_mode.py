"""``--audio``, which commands that join share."""

from __future__ import annotations

import click

__all__ = ["audio_option"]

audio_option = click.option(
    "--audio",
    type=click.Choice(("copy", "joint", "encode")),
    help="How sound goes on where pieces meet: copy its packets, code those at the joint anew, or code all of it."
    " Without it, joints of pieces that were cut are coded where copying would be heard (MP3, Opus, FLAC, ALAC).",
)
"""Gives a command ``--audio``."""
