# cython: language_level=3, boundscheck=True, wraparound=False
"""As `secret_signs.py` has it, in one pass."""

cdef extern from "string.h" nogil:
    void* memmem(const void* text, size_t length, const void* part, size_t part_length)

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
            if first < 0 and _stands(raw, at, b"ws"):
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


def find_ws(bytes raw not None, Py_ssize_t at):
    for at in range(max(at, 0), len(raw) - 1):
        if LOW[raw[at]] == b"w" and LOW[raw[at + 1]] == b"s":
            return at
    return -1


def standing_in(bytes raw not None, list texts not None):
    cdef bytes text
    cdef const char* whole = raw
    cdef size_t length = len(raw)
    found = []
    for text in texts:
        if memmem(whole, length, <const char*>text, len(text)) != NULL:
            found.append(text)
    return found


cdef bint _stands(bytes raw, Py_ssize_t at, bytes text):
    """Whether a text of small letters and digits stands somewhere, in any case."""
    cdef Py_ssize_t place
    if at + len(text) > len(raw):
        return False
    for place in range(len(text)):
        if LOW[raw[at + place]] != text[place]:
            return False
    return True
