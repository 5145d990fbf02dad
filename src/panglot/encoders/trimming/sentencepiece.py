"""A SentencePiece model cut down to some of its pieces, without protobuf.

The file is one message, ``ModelProto`` of sentencepiece's ``sentencepiece_model.proto``. Its field 1,
repeated, holds the pieces in the order of their ids; all else stays as it is, byte for byte.
"""

import struct
from collections.abc import Iterator, Sequence

PIECE_FIELD = 1
TEXT, SCORE, TYPE = 1, 2, 3  # fields of a piece
NORMAL = 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types


def sentencepiece_pieces(proto: bytes) -> list[tuple[str, float, int]]:
    """Return text, score and type of each piece by id; only pieces of type 1 come from training."""
    return [_piece(body) for field, _, body in _fields(proto) if field == PIECE_FIELD]


def cut_sentencepiece(proto: bytes, order: Sequence[int]) -> bytes:
    """Return the model with only some pieces: new piece k is piece ``order[k]``."""
    whole = [(field, record) for field, record, _ in _fields(proto)]
    pieces = [record for field, record in whole if field == PIECE_FIELD]
    rest = [record for field, record in whole if field != PIECE_FIELD]
    return b"".join([*(pieces[old] for old in order), *rest])


def _piece(message: bytes) -> tuple[str, float, int]:
    text, score, kind = "", 0.0, NORMAL
    for field, _, body in _fields(message):
        if field == TEXT:
            text = body.decode("utf-8")
        elif field == SCORE:
            score = struct.unpack("<f", body)[0]
        elif field == TYPE:
            kind = _varint(body, 0)[0]
    return text, score, kind


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each field of a message: its number, its bytes with the head, its bytes without."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == BYTES:
            length, at = _varint(message, at)
        elif wire == VARINT:
            length = _varint(message, at)[1] - at
        else:
            length = {FIXED64: 8, FIXED32: 4}[wire]
        yield number, message[start : at + length], message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a byte, seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
