# cython: language_level=3, boundscheck=True, wraparound=False
"""As `plain_query.py` has it, byte by byte: a fifth of its time.

Each byte that is read writes one at most, so what is written is never longer than the query.
"""

from cpython.unicode cimport PyUnicode_DecodeASCII

SIGN = "\x1f"
LONGEST = 4096

cdef enum:
    ROOM = 4096
    NO_DIGIT = 255

cdef unsigned char[256] PLAIN, DIGIT
cdef int _byte
for _byte in range(256):
    PLAIN[_byte] = 0x20 <= _byte < 0x7F and chr(_byte) not in '%"{'
    DIGIT[_byte] = int(chr(_byte), 16) if chr(_byte) in "0123456789abcdefABCDEF" else NO_DIGIT


def take_apart(bytes raw not None):
    cdef Py_ssize_t at = 0, end = len(raw), key_end = 0, value_end
    cdef unsigned char byte
    cdef bint escaped, in_key = True
    cdef char[ROOM] keys
    cdef char[ROOM] value
    cdef list values = []
    if end > ROOM:
        return None
    while at < end or not in_key:
        if in_key:  # a key's next byte
            byte = raw[at]
            at += 1
            if byte == b"=":
                in_key, value_end = False, 0
                continue
        elif at == end or raw[at] == b"&":  # a value ends
            if not _is_plain(value, value_end):
                return None
            values.append(PyUnicode_DecodeASCII(value, value_end, NULL))
            if at == end:
                break
            at += 1
            keys[key_end] = 0x1F
            key_end += 1
            in_key = True
            continue
        else:
            byte = raw[at]
            at += 1
        escaped = byte == b"%"
        if escaped:
            if at + 2 > end or DIGIT[raw[at]] == NO_DIGIT or DIGIT[raw[at + 1]] == NO_DIGIT:
                return None
            byte = DIGIT[raw[at]] << 4 | DIGIT[raw[at + 1]]
            at += 2
        elif byte == b"+":
            byte = b" "
        elif byte == b" " or byte == b"?" or byte == b"&" or byte == b"=":
            return None
        if not PLAIN[byte]:
            return None
        if in_key:
            keys[key_end] = <char>byte
            key_end += 1
        else:
            value[value_end] = <char>byte
            value_end += 1
    if in_key or len(values) < 2:
        return None
    return PyUnicode_DecodeASCII(keys, key_end, NULL), values


cdef bint _is_plain(const char* value, Py_ssize_t length) noexcept:
    """Whether it neither begins nor ends with a blank, nor is the word for nothing."""
    if length == 0:
        return True
    if value[0] == b" " or value[length - 1] == b" ":
        return False
    return not (
        length == 4
        and value[0] | 0x20 == b"n"
        and value[1] | 0x20 == b"u"
        and value[2] | 0x20 == b"l"
        and value[3] | 0x20 == b"l"
    )
