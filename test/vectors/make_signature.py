#!/usr/bin/env python3
"""Vectors of signatures on rows, written from the tables of table_signature.c.

A second implementation in another language that shares no code with the
library: messages, trees and signatures of all three algorithms are made here
from bytes.  Writes signature.txt beside itself; it is committed, and running
this again must not change it.
"""
import hashlib
import hmac
import os

from make_chain import leaf_hash, pack, root, schnorr_key, schnorr_sign, sha


class Curve:
    """y^2 = x^3 + a x + b over the integers modulo p, with ECDSA."""

    def __init__(self, p, a, g, n):
        self.p, self.a, self.g, self.n = p, a, g, n

    def add(self, left, right):
        if left is None or right is None:
            return left or right
        if left[0] == right[0]:
            if left[1] != right[1]:
                return None
            slope = (3 * left[0] ** 2 + self.a) * pow(2 * left[1], -1, self.p)
        else:
            slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, self.p)
        x = (slope ** 2 - left[0] - right[0]) % self.p
        return x, (slope * (left[0] - x) - left[1]) % self.p

    def multiply(self, point, factor):
        result = None
        while factor:
            if factor & 1:
                result = self.add(result, point)
            point = self.add(point, point)
            factor >>= 1
        return result

    def key(self, secret, compressed=True):
        x, y = self.multiply(self.g, secret)
        if compressed:
            return bytes([2 + y % 2]) + x.to_bytes(32, "big")
        return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def nonce(self, digest, secret):
        """RFC 6979, section 3.2, with SHA-256 and a first try that is good."""
        seed = secret.to_bytes(32, "big") + (
            int.from_bytes(digest, "big") % self.n).to_bytes(32, "big")
        k, v = bytes(32), b"\x01" * 32
        for step in (b"\x00", b"\x01"):
            k = hmac.new(k, v + step + seed, "sha256").digest()
            v = hmac.new(k, v, "sha256").digest()
        value = int.from_bytes(hmac.new(k, v, "sha256").digest(), "big")
        assert 0 < value < self.n
        return value

    def sign(self, digest, secret, low_s):
        k = self.nonce(digest, secret)
        r = self.multiply(self.g, k)[0] % self.n
        s = (int.from_bytes(digest, "big") + r * secret) * pow(k, -1, self.n) % self.n
        if low_s and s > self.n // 2:
            s = self.n - s
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SECP256K1 = Curve(
    2**256 - 2**32 - 977, 0,
    (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141)
P256 = Curve(
    2**256 - 2**224 + 2**192 + 2**96 - 1, -3,
    (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)


def plain_table(schema, name):
    """The table id of a table that is on no ledger."""
    out = b"telco_ledger/1/plain-table"
    for text in (schema.encode(), name.encode()):
        out += pack("H", len(text)) + text
    return sha(out)[:16]


def scope(tag, chain, table, key):
    return tag + chain + table + pack("B", len(key)) + key


def row_message(chain, table, key, columns):
    out = scope(b"telco_ledger/1/row-signature", chain, table, key)
    out += pack("H", len(columns))
    for number, tag, value in columns:
        out += pack("HBI", number, 0, tag)
        out += pack("I", 0xFFFFFFFF) if value is None else pack("I", len(value)) + value
    return out


def statement_message(chain, table, key, messages):
    return (scope(b"telco_ledger/1/statement-signature", chain, table, key) +
            pack("I", len(messages)) + root([leaf_hash(m) for m in messages]))


def key_of(algorithm, secret, compressed=True):
    if algorithm == "bip340":
        return schnorr_key(secret)
    return (SECP256K1 if algorithm == "secp256k1" else P256).key(secret, compressed)


def sign(algorithm, message, secret):
    digest = sha(message)
    if algorithm == "bip340":
        return schnorr_sign(digest, secret)
    if algorithm == "secp256k1":
        return SECP256K1.sign(digest, secret, low_s=True)
    return P256.sign(digest, secret, low_s=False)


def record(out, name, algorithm, secret, chain, table, key, message, more):
    lines = [f"name = {name}", f"algorithm = {algorithm}",
             f"secret = {secret.to_bytes(32, 'big').hex()}", f"chain = {chain.hex()}",
             f"table = {table.hex()}", f"key = {key.hex()}"] + more
    lines += [f"message = {message.hex()}", f"digest = {sha(message).hex()}",
              f"signature = {sign(algorithm, message, secret).hex()}"]
    out.append("\n".join(lines) + "\n")


def columns_text(columns):
    return " ".join(f"{number}:{tag}:{'null' if value is None else value.hex()}"
                    for number, tag, value in columns)


def main():
    out = ["""# Signatures on rows.
# Origin: make_signature.py, from the byte tables of src/table/table_signature.c.
# One record a paragraph, bytes in hexadecimal; columns as number:tag:value; a
# statement has the messages of its rows instead; a plain table has its id from
# schema and relation.
"""]
    chain = sha(b"a chain")
    table = bytes(range(16))
    sets = {
        "one text": [(1, 25, b"262011234567890")],
        "call record": [(1, 20, pack("q", 4711)), (2, 25, "Zürich".encode()),
                        (4, 1700, b"0.4200"), (5, 1184, pack("q", 816867296107823)),
                        (9, 16, b"\x01")],
        "null and empty": [(2, 25, None), (3, 25, b""), (1600, 17, b"\x00")],
        "own type": [(7, 0x80000000 | 12345, b"label")],
    }
    secret = 0
    for algorithm in ("secp256k1", "bip340", "es256"):
        for name, columns in sets.items():
            secret += 1
            long = name == "call record" and algorithm != "bip340"
            key = key_of(algorithm, secret * 7919, not long)
            record(out, f"{name}, {algorithm}", algorithm, secret * 7919, chain, table, key,
                   row_message(chain, table, key, columns),
                   [f"columns = {columns_text(columns)}"])
        for count in (1, 2, 3, 7):
            secret += 1
            key = key_of(algorithm, secret * 7919)
            messages = [row_message(chain, table, key, [(1, 20, pack("q", i))])
                        for i in range(count)]
            record(out, f"statement of {count}, {algorithm}", algorithm, secret * 7919, chain,
                   table, key, statement_message(chain, table, key, messages),
                   [f"rows = {' '.join(m.hex() for m in messages)}"])
    columns = [(1, 23, pack("i", -5))]
    for schema, relation in (("public", "reading"), ("Fünf", "x" * 63)):
        plain = plain_table(schema, relation)
        for algorithm in ("secp256k1", "bip340", "es256"):
            key = key_of(algorithm, 1)
            record(out, f"plain table, {algorithm}", algorithm, 1, bytes(32), plain, key,
                   row_message(bytes(32), plain, key, columns),
                   [f"columns = {columns_text(columns)}", f"schema = {schema}",
                    f"relation = {relation}"])
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "signature.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main()
