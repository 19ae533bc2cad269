"""ChaCha20-Poly1305 (RFC 8439) with nothing but Python, so that the client runs where Python runs.

All blocks of a packet are computed side by side: each word of the state is one integer with a lane of 64 bits per block. This
takes a fraction of a millisecond for a packet. It does not run in constant time: a game client uses a library instead.
"""

import hmac

TAG_BYTES = 16


def seal(key, nonce, plaintext, associated):
    """The ciphertext and its tag."""
    stream = _key_stream(key, nonce, len(plaintext))
    ciphertext = _xor(plaintext, stream[64:])
    return ciphertext + _tag(stream[:32], ciphertext, associated)


def open_sealed(key, nonce, sealed, associated):
    """The plaintext, or `None` if somebody else made or changed this."""
    ciphertext, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
    stream = _key_stream(key, nonce, len(ciphertext))
    is_genuine = hmac.compare_digest(tag, _tag(stream[:32], ciphertext, associated))
    return _xor(ciphertext, stream[64:]) if is_genuine else None


def _key_stream(key, nonce, plaintext_bytes):
    """Block 0, whose first half is the key of the tag, and the blocks that hide the plaintext."""
    blocks = 1 + -(-plaintext_bytes // 64)
    ones = sum(1 << 64 * block for block in range(blocks))
    mask = ones * 0xFFFFFFFF
    head = b"expand 32-byte k" + key
    words = [int.from_bytes(head[i : i + 4], "little") * ones for i in range(0, 48, 4)]
    words.append(sum(block << 64 * block for block in range(blocks)))
    words += [int.from_bytes(nonce[i : i + 4], "little") * ones for i in range(0, 12, 4)]
    state = list(words)

    def quarter_round(a, b, c, d):
        for into, plus, turned, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[into] = state[into] + state[plus] & mask
            mixed = state[turned] ^ state[into]
            state[turned] = (mixed << bits | mixed >> 32 - bits) & mask

    for _ in range(10):
        for column in range(4):
            quarter_round(column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter_round(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    lanes = [(now + before & mask).to_bytes(8 * blocks, "little") for now, before in zip(state, words)]
    return b"".join(word[8 * block : 8 * block + 4] for block in range(blocks) for word in lanes)


def _xor(text, stream):
    stream = int.from_bytes(stream[: len(text)], "little")
    return (int.from_bytes(text, "little") ^ stream).to_bytes(len(text), "little")


def _tag(key, ciphertext, associated):
    multiplier = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    padded = associated + bytes(-len(associated) % 16) + ciphertext + bytes(-len(ciphertext) % 16)
    padded += len(associated).to_bytes(8, "little") + len(ciphertext).to_bytes(8, "little")
    total = 0
    for at in range(0, len(padded), 16):
        block = int.from_bytes(padded[at : at + 16], "little") | 1 << 128
        total = (total + block) * multiplier % ((1 << 130) - 5)
    return (total + int.from_bytes(key[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")
