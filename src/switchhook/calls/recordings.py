"""Which recordings a call has: each address that was said of it, once, and whether to offer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.spellings import TOKEN

if TYPE_CHECKING:
    from switchhook.calls.other_sources import OtherSources
    from switchhook.streams.kept_call import KeptCall


class CallRecording(msgspec.Struct, frozen=True):
    """One: of which stream, by its SID, or of the call where that is empty; and its address."""

    stream_sid: str
    url: str


def recordings_of(call: KeptCall | None, others: OtherSources) -> tuple[CallRecording, ...]:
    """Those that passthrus, callbacks and call details name, in this order.

    None of a call of which something was erased: the sound holds what was to go.
    """
    if _erased(call, others):
        return ()
    found: dict[str, str] = {}
    if call is not None:
        for story in call.story.streams_in_order:
            url = story.stream.recording_url
            if url:
                found.setdefault(url, story.sid or "")
    field = others.sources.field("recording_url")
    for claim in field.said if field is not None else ():
        found.setdefault(claim.text, "")
    return tuple(CallRecording(sid, url) for url, sid in found.items())


def _erased(call: KeptCall | None, others: OtherSources) -> bool:
    receipts = () if call is None else tuple(each.receipt for each in call.receipts)
    texts = [each.raw + each.body for each in receipts if each is not None]
    texts += [note.raw.encode(errors="replace") for note in others.notes]
    return any(TOKEN in text for text in texts)
