"""``--boundary``: how a cut that does not begin at a keyframe is made exact."""

from __future__ import annotations

import click

__all__ = ["boundary_option"]

_BOUNDARIES = ("auto", "keyframe", "edit-list", "render")

boundary_option = click.option(
    "--boundary",
    type=click.Choice(_BOUNDARIES),
    default="auto",
    show_default=True,
    help="How a cut is made exact where it does not begin at a keyframe: move it to the keyframe before, hide the"
    " frames before it by an edit list, or code the frames up to the next keyframe anew.",
)
"""Gives a command ``--boundary``."""
