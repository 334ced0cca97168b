"""One function per transition: values in, a Call out; the Call knows how to read its reply. No I/O but script files."""

from doshit.commands.calls import (
    Beat,
    Call,
    Claimed,
    ClaimReply,
    End,
    beat,
    claim,
    finish,
    park,
    promote,
    recover,
    release,
    submit,
)
from doshit.commands.scripts import SCRIPTS, Script

__all__ = [
    "SCRIPTS",
    "Beat",
    "Call",
    "ClaimReply",
    "Claimed",
    "End",
    "Script",
    "beat",
    "claim",
    "finish",
    "park",
    "promote",
    "recover",
    "release",
    "submit",
]
