# cython: language_level=3, boundscheck=True, wraparound=False
"""As `secret_signs.py` has it, in one pass."""

AT, SECRET, PASSTHRU, QUOTE = 1, 2, 4, 8

cdef unsigned char[256] LOW
cdef int _byte
for _byte in range(256):
    LOW[_byte] = ord(chr(_byte).lower()) if _byte < 0x80 else _byte


def signs_of(bytes raw not None):
    cdef Py_ssize_t at, end = len(raw), first = -1
    cdef unsigned char byte, low
    cdef int signs = 0
    for at in range(end):
        byte = raw[at]
        low = LOW[byte]
        if low == b"s":
            if _stands(raw, at, b"secret"):
                signs |= 2
        elif low == b"p":
            if _stands(raw, at, b"passthru"):
                signs |= 4
        elif low == b"w":
            if first < 0 and at + 1 < end and LOW[raw[at + 1]] == b"s":
                first = at
        elif byte == b"%":
            if at + 2 < end and raw[at + 1] == b"4" and raw[at + 2] == b"0":
                signs |= 1
        elif byte == b"2":
            if _stands(raw, at, b"2540"):
                signs |= 1
        elif byte == b"@":
            signs |= 1
        elif byte == b'"':
            signs |= 8
    return signs, first


cdef bint _stands(bytes raw, Py_ssize_t at, bytes text):
    """Whether a text of small letters and digits stands somewhere, in any case."""
    cdef Py_ssize_t place
    if at + len(text) > len(raw):
        return False
    for place in range(len(text)):
        if LOW[raw[at + place]] != text[place]:
            return False
    return True
