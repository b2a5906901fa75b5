#!/usr/bin/env python3
"""Vectors of set hashes and state roots, written from src/crypto/README.md and
src/chain/README.md.

A second implementation in another language that shares no code with the
library: AES-256 is built here from FIPS 197, checked against its example, and
counted by SP 800-38A.  Writes set_hash.txt and state.txt beside itself; they
are committed, and running this again must not change them.
"""
import os

from make_chain import leaf_hash, pack, root, row, sha

TAG = b"telco_ledger/1/set"
LANES = 1024


# --- AES-256 (FIPS 197), one block -------------------------------------------

def double(a):
    return (a << 1) ^ (0x11b if a & 0x80 else 0)


def times(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a = double(a)
        b >>= 1
    return out


def make_box():
    """The inverse in GF(2^8), then the affine map of section 5.1.1."""
    inverse = [0] * 256
    for a in range(1, 256):
        for b in range(1, 256):
            if times(a, b) == 1:
                inverse[a] = b
                break
    box = []
    for value in inverse:
        out = 0x63
        for shift in range(5):
            out ^= ((value << shift) | (value >> (8 - shift))) & 0xff
        box.append(out)
    return box


BOX = make_box()
TIMES_2 = [double(a) for a in range(256)]


def expand(key):
    words = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 60):
        word = list(words[-1])
        if i % 8 == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = double(constant)
        elif i % 8 == 4:
            word = [BOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(15)]


def encrypt(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for turn in range(1, 15):
        state = [BOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if turn < 14:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c:c + 4]
                for i in range(4):
                    a, b = column[i], column[(i + 1) % 4]
                    mixed.append(TIMES_2[a] ^ TIMES_2[b] ^ b ^
                                 column[(i + 2) % 4] ^ column[(i + 3) % 4])
            state = mixed
        state = [a ^ b for a, b in zip(state, keys[turn])]
    return bytes(state)


# FIPS 197, appendix C.3
assert encrypt(expand(bytes(range(32))), bytes(0x11 * i for i in range(16))).hex() == \
    "8ea2b7ca516745bfeafc49904b496089"


# --- set hashes --------------------------------------------------------------

def element(*parts):
    return sha(TAG + b"".join(parts))


def lanes(key):
    keys = expand(key)
    stream = b"".join(encrypt(keys, i.to_bytes(16, "big")) for i in range(2 * LANES // 16))
    return [int.from_bytes(stream[i:i + 2], "big") for i in range(0, 2 * LANES, 2)]


def set_hash(elements):
    sums = [0] * LANES
    for key in elements:
        sums = [(a + b) % 65536 for a, b in zip(sums, lanes(key))]
    return b"".join(lane.to_bytes(2, "big") for lane in sums)


# --- state -------------------------------------------------------------------

def row_element(table, data):
    """All of the row but the 16 bytes of its blinding."""
    return element(table, data[:38] + data[54:])


def state_root(tables):
    leaves = [pack("BB", 9, 1) + table + sha(value)
              for table, value in sorted(tables.items()) if any(value)]
    return root([leaf_hash(leaf) for leaf in leaves])


def rejection(height, ref, sqlstate, batch, leaf):
    return pack("BBBQ", 7, 1, 3, height) + ref + sqlstate + sha(b"\1" + batch + leaf)


def refused_batch(height, sqlstate, batch):
    return pack("BBBQ", 7, 1, 4, height) + bytes(16) + sqlstate + batch


def outcome(height, ref, sqlstate, words):
    return pack("BBBQ", 7, 1, 1, height) + ref + sqlstate + leaf_hash(words)


def timer(height, number, contract, handler, at, key, sqlstate, words):
    name = bytes([len(contract)]) + contract + bytes([len(handler)]) + handler + pack("q", at) + key
    return pack("BBBQ", 7, 1, 5, height) + pack("IHHII", 0, 0, 0, height, number) + sqlstate + sha(b"\x01" + leaf_hash(name) + leaf_hash(words))


def event(height, ref, number, contract, name, payload):
    data = pack("I", number) + bytes([len(contract)]) + contract + bytes([len(name)]) + name + payload
    return pack("BBBQ", 7, 1, 2, height) + ref + b"00000" + leaf_hash(data)


def write(here, name, records):
    with open(os.path.join(here, name), "w") as out:
        out.write("# Made by make_state.py, a second implementation of the formats.\n")
        for record in records:
            out.write("\n")
            for key, value in record:
                out.write("%s = %s\n" % (key, value if isinstance(value, str) else value.hex()))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parts = [[], [b"a"], [b"a", b""], [b"ab", b"c"], [bytes(range(256)) * 3]]
    sets = []
    for count, part in enumerate(parts):
        value = set_hash([element(*p) for p in parts[:count + 1]])
        sets.append([("bytes", b"".join(part)), ("element", element(*part)),
                     ("first_lanes", value[:8]), ("last_lanes", value[-8:]), ("digest", sha(value))])
    write(here, "set_hash.txt", sets)

    tables = {}
    records = []
    key = bytes(range(32))
    for number, table in enumerate([bytes([7]) * 16, bytes([3]) * 16, bytes([5]) * 16]):
        elements = []
        for n in range(1, 3):
            data = row(table, (number + 1, 1000 + n, n), 1, key, [(1, 25, b"row %d" % n)])
            elements.append(row_element(table, data))
            tables[table] = set_hash(elements)
            records.append([("kind", "row"), ("table", table), ("row", data), ("element", elements[-1]),
                            ("digest", sha(tables[table])), ("state_root", state_root(tables))])
    leaves = []
    for n in range(1, 4):
        batch = sha(b"batch %d" % n)
        leaf = rejection(40 + n, pack("IQI", 2, 77, n), b"23514", batch, sha(b"%d" % n))
        leaves.append(leaf_hash(leaf))
        records.append([("kind", "rejection"), ("height", str(40 + n)), ("ref", pack("IQI", 2, 77, n)),
                        ("sqlstate", "23514"), ("batch", batch), ("row_hash", sha(b"%d" % n)), ("leaf", leaf),
                        ("outcome_root", root(leaves))])
    leaf = refused_batch(44, b"TL006", sha(b"batch"))
    leaves.append(leaf_hash(leaf))
    records.append([("kind", "refused_batch"), ("height", "44"), ("sqlstate", "TL006"), ("batch", sha(b"batch")),
                    ("leaf", leaf), ("outcome_root", root(leaves))])
    for n, (sqlstate, words) in enumerate([(b"00000", b""), (b"P0001", b"the account is closed"), (b"2F000", b"")]):
        leaf = outcome(44 + n, pack("IQI", 3, 78, n + 1), sqlstate, words)
        leaves.append(leaf_hash(leaf))
        records.append([("kind", "outcome"), ("height", str(44 + n)), ("ref", pack("IQI", 3, 78, n + 1)),
                        ("sqlstate", sqlstate.decode()), ("words", words), ("leaf", leaf),
                        ("outcome_root", root(leaves))])
    for n, (sqlstate, words) in enumerate([(b"00000", b""), (b"P0001", b"too late")]):
        leaf = timer(47 + n, n + 1, b"offers", b"expire", 1700000000000000 + n, b"order 7", sqlstate, words)
        leaves.append(leaf_hash(leaf))
        records.append([("kind", "timer"), ("height", str(47 + n)), ("ref", pack("IHHII", 0, 0, 0, 47 + n, n + 1)),
                        ("contract", "offers"), ("handler", "expire"), ("at", str(1700000000000000 + n)), ("key", "order 7"),
                        ("sqlstate", sqlstate.decode()), ("words", words), ("leaf", leaf),
                        ("outcome_root", root(leaves))])
    for n, payload in enumerate([b"{}", b'{"amount": "100", "from": "a"}']):
        leaf = event(49, pack("IQI", 3, 79, 1), n + 1, b"payment", b"paid", payload)
        leaves.append(leaf_hash(leaf))
        records.append([("kind", "event"), ("height", "49"), ("ref", pack("IQI", 3, 79, 1)), ("number", str(n + 1)),
                        ("contract", "payment"), ("name", "paid"), ("payload", payload), ("leaf", leaf),
                        ("outcome_root", root(leaves))])
    write(here, "state.txt", records)


if __name__ == "__main__":
    main()
