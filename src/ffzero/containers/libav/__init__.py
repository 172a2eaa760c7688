"""Every container that has no reader of its own, and every change of container: through PyAV, by copying packets."""

from ffzero.containers.libav.closed_keys import closed_keyframes
from ffzero.containers.libav.opening import open_errors
from ffzero.containers.libav.planning import plan_remux
from ffzero.containers.libav.plans import PiecePlan, RemuxPiece, RemuxPlan
from ffzero.containers.libav.probing import probe
from ffzero.containers.libav.seeking import keyframes
from ffzero.containers.libav.writing import execute_remux

__all__ = [
    "PiecePlan",
    "RemuxPiece",
    "RemuxPlan",
    "closed_keyframes",
    "execute_remux",
    "keyframes",
    "open_errors",
    "plan_remux",
    "probe",
]
