#!/usr/bin/env python3
"""Vectors of the chain's formats, written from the tables in src/*/README.md.

A second implementation in another language that shares no code with the
first: hashes, trees, BIP-340 signatures and all layouts are built here from
bytes.  Writes beside itself chain.txt; receipt.json and receipts.json;
restarted.json, restarted_many.json and changed.json, the same rows in a ledger
that a RESTART began and under a change of the members; tree heads (.checkpoint)
and consistency.json; and the seeds of the fuzz targets message and receipt.  All
of them are committed, and running this again must not change them.
"""
import base64
import hashlib
import hmac
import json
import os
import struct

# --- SHA-256, RFC 6962 trees, BIP-340 ---------------------------------------

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def sha(data):
    return hashlib.sha256(data).digest()


def leaf_hash(data):
    return sha(b"\x00" + data)


def root(leaves):
    """The recursive definition of RFC 6962, section 2.1."""
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(index, leaves):
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return path(index, leaves[:k]) + [root(leaves[k:])]
    return path(index - k, leaves[k:]) + [root(leaves[:k])]


def consistency(old, leaves, whole=True):
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root(leaves[:k])]


def cover(indexes, leaves):
    """What lies between the leaves at these places, as the largest perfect trees."""
    if not indexes:
        return perfect(leaves)
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return (cover([i for i in indexes if i < k], leaves[:k]) +
            cover([i - k for i in indexes if i >= k], leaves[k:]))


def perfect(leaves):
    """A tree without such a leaf, as its perfect trees."""
    out = []
    while leaves:
        k = 1
        while k * 2 <= len(leaves):
            k *= 2
        out.append(root(leaves[:k]))
        leaves = leaves[k:]
    return out


def add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0] and a[1] != b[1]:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], P - 2, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], P - 2, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(point, factor):
    result = None
    while factor:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def tagged(tag, data):
    return sha(sha(tag) + sha(tag) + data)


def schnorr_key(secret):
    return multiply(G, secret)[0].to_bytes(32, "big")


def schnorr_sign(message, secret):
    point = multiply(G, secret)
    d = secret if point[1] % 2 == 0 else N - secret
    px = point[0].to_bytes(32, "big")
    mask = int.from_bytes(tagged(b"BIP0340/aux", bytes(32)), "big")
    k = int.from_bytes(tagged(b"BIP0340/nonce",
                              (d ^ mask).to_bytes(32, "big") + px + message), "big") % N
    r = multiply(G, k)
    if r[1] % 2:
        k = N - k
    rx = r[0].to_bytes(32, "big")
    e = int.from_bytes(tagged(b"BIP0340/challenge", rx + px + message), "big") % N
    return rx + ((k + e * d) % N).to_bytes(32, "big")


# --- layouts ----------------------------------------------------------------

def pack(form, *values):
    return struct.pack(">" + form, *values)


ZERO = bytes(32)
INCARNATION = 2


def row(table, ref, version, key, columns):
    member, transaction, number = ref
    word = INCARNATION << 48 | transaction
    ref_bytes = pack("IQI", member, word, number)
    blinding = hmac.new(key, ref_bytes, "sha256").digest()[:16]
    out = b"\x01\x01" + table + ref_bytes + pack("I", version) + blinding
    out += pack("H", len(columns))
    for number, tag, value in columns:
        out += pack("HBII", number, 0, tag, len(value)) + value
    return out


def section(kind, table, version, readers, rows):
    out = b"\x02\x01" + pack("B", kind) + table + pack("IH", version, len(readers))
    for reader in readers:
        out += pack("I", reader)
    return out + pack("I", len(rows)) + root([leaf_hash(r) for r in rows])


def commitment(leaf, random):
    return b"\x06" + sha(b"\x06" + random + leaf)


def batch(chain, member, number, previous, time, age, section_leaves, chunks):
    out = b"\x03\x01" + chain + pack("IHQI", member, INCARNATION, number, 1) + previous
    out += pack("qIH", time, age, len(section_leaves))
    out += root([leaf_hash(s) for s in section_leaves]) + pack("I", len(chunks))
    for index, size, digest in chunks:
        out += pack("HI", index, size) + digest
    return out


def block(chain, height, view, parent, parent_view, proposer, time, batch_root,
          entries_root, cut, members_hash, history_root, epoch=0, parent_epoch=0):
    return (b"\x04\x01" + chain + pack("QQQ", height, epoch, view) + parent +
            pack("QQ", parent_epoch, parent_view) + pack("Iq", proposer, time) + batch_root +
            entries_root + sha(cut) + members_hash + pack("Q", 0) + root([]) +
            history_root)


def member(number, kind, name, key, roles):
    out = b"\x08\x01" + pack("IB", number, kind) + pack("B", len(name)) + name + key
    out += pack("B", len(roles))
    for role in roles:
        out += pack("B", len(role)) + role
    return out


def genesis(purpose, members):
    out = b"\x05\x01\x00" + pack("BIIBH", purpose, 32, 2000, 3, len(members))
    for leaf in members:
        out += pack("H", len(leaf)) + leaf
    return out


def log_row(chain, secret, number, nonce, sequence, previous, kind, view, payload, epoch=0):
    payload_digest = sha(b"telco_ledger/1/" + pack("B", kind) + payload)
    digest = sha(b"telco_ledger/1/row" + chain + pack("I", number) + nonce +
                 pack("Q", sequence) + previous + pack("BQQ", kind, epoch, view) +
                 payload_digest)
    signature = schnorr_sign(digest, secret)
    data = (b"\x01" + pack("I", number) + nonce + pack("Q", sequence) + previous +
            pack("BQQ", kind, epoch, view) + pack("I", len(payload)) + payload + signature)
    return data, payload_digest, digest, signature


def certificate_of(kind, view, block_hash, state, votes, epoch=0):
    return (b"\x01" + pack("BQQ", kind, epoch, view) + block_hash + state +
            pack("H", len(votes)) + b"".join(votes))


def rejoin_vectors(chain, secrets, keys, certificate, head):
    """REQUEST of member 3, two replies to it, and the REJOIN that holds them."""
    vectors = []
    nonce = bytes(range(50, 66))
    before = bytes(range(100, 116))

    def add(kind, payload, row, number):
        data, payload_digest, digest, signature = row
        vectors.append([("kind", "log"), ("chain_id", chain), ("row", data),
                        ("payload_digest", payload_digest), ("digest", digest),
                        ("key", keys[number - 1])])
        vectors.append([("kind", kind), ("payload", payload), ("row", data)])
        return data

    request = b"\x01" + before + pack("I", 4)
    add("request", request, log_row(chain, secrets[2], 3, nonce, 0, ZERO, 14, 0, request), 3)
    # the newest row of member 3 that is stored: a NULLIFY
    shown, payload_digest, digest, signature = log_row(
        chain, secrets[2], 3, before, 12, sha(b"row before"), 6, head, b"")
    last = (pack("I", 3) + before + pack("Q", 12) + sha(b"row before") + pack("BQQ", 6, 0, head) +
            payload_digest + signature)
    replies = []
    for number, reason, seen, proof in ((1, 1, last, certificate), (4, 0, b"", b"")):
        reply = (b"\x01" + pack("I", 3) + nonce + pack("IQ", 4, head) + pack("BBB", 0, reason, bool(seen)) +
                 seen + pack("I", len(proof)) + proof)
        view = head + 2 if reason else 1
        replies.append(add("reply", reply, log_row(
            chain, secrets[number - 1], number, bytes(16), 0, ZERO, 13, view, reply), number))
    reason = b"restored"
    rejoin = (b"\x02\x02" + pack("H", 0) + nonce + pack("H", 0) + before + pack("Q", 12) + digest +
              pack("QQ", head, head + 1) + sha(b"last block") + bytes(48) + pack("HIQ", 0, 0, 3) +
              root([leaf_hash(r) for r in replies]) + pack("I", len(reason)) + reason +
              pack("H", len(replies)) + b"".join(pack("I", len(r)) + r for r in replies))
    add("rejoin_replies", rejoin,
        log_row(chain, secrets[2], 3, nonce, 1, ZERO, 11, head + 4, rejoin), 3)
    return vectors


def checkpoint_vectors(chain, secrets, keys, body, headers, cut):
    """STATE rows of members 1, 3, 4 after block 4, and block 5's PROPOSE with their certificate."""
    vectors = []
    votes = []
    skipped = []
    parent = leaf_hash(headers[4])
    state_root = sha(b"state")
    outcome_root = root([leaf_hash(b"outcome"), leaf_hash(b"event")])
    payload = b"\x01" + pack("Q", 4) + parent + state_root + outcome_root
    for number in (1, 3, 4):
        data, payload_digest, digest, signature = log_row(
            chain, secrets[number - 1], number, bytes(16), 50 + number, sha(b"row before"), 8, 5,
            payload)
        votes.append(pack("I", number) + bytes(16) + pack("Q", 50 + number) +
                     sha(b"row before") + signature)
        if number == 1:
            vectors.append([("kind", "log"), ("chain_id", chain), ("row", data),
                            ("payload_digest", payload_digest), ("digest", digest),
                            ("key", keys[0])])
        signature = log_row(chain, secrets[number - 1], number, bytes(16), 60 + number,
                            sha(b"row before"), 6, 6, b"")[3]
        skipped.append(pack("I", number) + bytes(16) + pack("Q", 60 + number) +
                       sha(b"row before") + signature)
    state = certificate_of(8, 5, parent, pack("Q", 4) + state_root + outcome_root, votes)
    vectors.append([("kind", "certificate"), ("chain_id", chain), ("certificate", state),
                    ("genesis", body)])
    nullification = certificate_of(6, 6, ZERO, b"", skipped)
    proposal = b"\x01"
    for part in (headers[5], certificate_of(4, 5, parent, b"", votes)):
        proposal += pack("I", len(part)) + part
    proposal += pack("HI", 1, len(nullification)) + nullification
    for part in (state, cut):
        proposal += pack("I", len(part)) + part
    proposal += pack("IB", 1, 10) + sha(b"an entry")
    vectors.append([("kind", "proposal"), ("payload", proposal), ("checkpoint", state),
                    ("cut", cut)])
    return vectors


def payload_vectors(chain, secrets, headers, cut, certificate):
    """ACK and STATE; EVIDENCE of two rows of member 3 (E4), and of one with its parent (E6)."""
    ack = (b"\x01" + bytes(range(16)) + bytes(range(30, 46)) + pack("Q", 6) + leaf_hash(headers[6]) +
           pack("I", len(cut)) + cut)
    state = b"\x01" + pack("Q", 4) + leaf_hash(headers[4]) + sha(b"state") + sha(b"outcomes")
    nonce = bytes(range(100, 116))
    shown = []
    for sequence, kind, payload in ((7, 5, leaf_hash(headers[5])), (9, 6, b"")):
        row, payload_digest, digest, signature = log_row(
            chain, secrets[2], 3, nonce, sequence, sha(b"row before"), kind, 6, payload)
        shown.append((digest, pack("I", 3) + nonce + pack("Q", sequence) + sha(b"row before") +
                      pack("BQQ", kind, 0, 6) + payload_digest + signature))
    phase = b"\x01\x04" + b"".join(part for digest, part in sorted(shown))
    proposal = b"\x01"
    for part in (headers[6], certificate, None, cut):
        proposal += pack("I", len(part)) + part if part is not None else pack("HI", 0, 0)
    proposal += pack("I", 0)
    accused = log_row(chain, secrets[0], 1, bytes(16), 5, sha(b"row before"), 3, 7, proposal)[0]
    illegal = b"\x01\x06"
    for part in (accused, headers[5], cut):
        illegal += pack("I", len(part)) + part
    return ([[("kind", "ack"), ("payload", ack)], [("kind", "state"), ("payload", state)]] +
            [[("kind", "evidence"), ("chain_id", chain), ("payload", payload), ("member", str(member))]
             for payload, member in ((phase, 3), (illegal, 1))])


def restart_vector(chain, headers, members_hash, members):
    """RESTART after block 7: members 1, 2 and 4 of four go on without member 3."""
    secrets = [510, 520, 530, 540]
    body = genesis(1, [members[0], members[1], members[3]])
    time = struct.unpack(">q", headers[7][110:118])[0] + 5_000_000
    reason = "Rechenzentrum überflutet".encode()
    statement = b"\x01" + chain
    for part in (headers[7], body):
        statement += pack("I", len(part)) + part
    statement += pack("Iq", 1, time) + pack("I", len(reason)) + reason
    digest = sha(b"telco_ledger/1/restart" + statement)
    payload = statement + pack("H", 3)
    for number in (1, 2, 4):
        payload += pack("I", number) + schnorr_sign(digest, secrets[number - 1])
    entry = b"\x05\x01" + pack("B", 12) + digest
    set_hash = root([leaf_hash(members[i]) for i in (0, 1, 3)])
    header = block(ZERO, 0, 0, ZERO, 0, 1, time, root([]),
                   root([leaf_hash(body), leaf_hash(entry)]), b"", set_hash, root([]))
    return [("kind", "restart"), ("payload", payload), ("chain_id", chain),
            ("members_hash", members_hash),
            ("recovery_keys", b"".join(schnorr_key(secret) for secret in secrets)),
            ("digest", digest), ("header", header), ("new_chain_id", leaf_hash(header))]


def finalization(chain, signers, view, block_hash, epoch):
    """By those members, of whom (number, secret) is given."""
    votes = []
    for number, secret in signers:
        signature = log_row(chain, secret, number, bytes(16), 90, sha(b"row before"), 5, view,
                            block_hash, epoch)[3]
        votes.append(pack("I", number) + bytes(16) + pack("Q", 90) + sha(b"row before") + signature)
    return certificate_of(5, view, block_hash, b"", votes, epoch)


def changed_receipt(here, receipt, chain, headers, cut, members, members_hash, secrets):
    """The same row under block 9, before which block 8 has put member 5 in the place of 3."""
    joins = (b"\x08\x02" + pack("IB", 5, 1) + b"\x04Five" + schnorr_key(55) + b"\x00" +
             schnorr_key(56) + schnorr_key(57) + schnorr_key(58))
    motion = (b"\x01\x01" + pack("QH", 0, 4) + b"Five" + pack("BIIHB", 3, 2000, 32, 1, 1) +
              pack("I", 3) + pack("BH", 1, len(joins)) + joins)
    headers = list(headers)
    time = struct.unpack(">q", headers[7][110:118])[0]
    entries = []
    for number in (1, 2, 4):
        approval = schnorr_sign(sha(b"telco_ledger/1/govern" + chain + pack("IQI", number, 0, 1) +
                                    sha(b"telco_ledger/1/motion" + motion)),
                                secrets[number - 1])
        payload = b"\x01" + pack("I", 1) + approval + pack("I", len(motion)) + motion
        data, _, digest, _ = log_row(chain, secrets[number - 1], number, bytes(16), 80,
                                     sha(b"row before"), 9, 8, payload)
        entries.append((digest, 9, data))
    next_set = root([leaf_hash(leaf) for leaf in (members[0], members[1], members[3], joins)])
    entries = sorted(entries + [(next_set, 255, b"")])
    for height, view, epoch in ((8, 9, 0), (9, 10, 1)):
        hashes = [leaf_hash(h) for h in headers]
        entries_root = root([leaf_hash(b"\x05\x01" + pack("B", kind) + digest)
                             for digest, kind, _ in entries] if epoch == 0 else [])
        headers.append(block(chain, height, view, hashes[-1], view - 1, 1, time + view * 1000,
                             root([]), entries_root, cut, next_set if epoch else members_hash,
                             root(hashes), epoch, 0))
    hashes = [leaf_hash(h) for h in headers]
    before = finalization(chain, [(n, secrets[n - 1]) for n in (1, 2, 4)], 9, hashes[8], 0)
    certificate = (b"\x01" + headers[8] + pack("H", len(entries)) +
                   b"".join(pack("B", kind) + digest for digest, kind, _ in entries) +
                   pack("H", 0) + pack("I", len(before)) + before)
    changes = pack("I", len(certificate)) + certificate
    for _, kind, data in entries:
        if kind == 9:
            changes += pack("I", len(data)) + data
    moved = json.loads(json.dumps(receipt))
    for name, height in (("row", 3), ("definition", 1)):
        moved["proof"][name]["block"]["path"] = [h.hex() for h in path(height, hashes[:9])]
    moved["proof"]["head"] = {
        "header": headers[9].hex(),
        "certificate": finalization(chain, [(1, secrets[0]), (4, secrets[3]), (5, 55)], 10,
                                    hashes[9], 1).hex(),
        "epochs": changes.hex(),
    }
    write_receipt_seed(here, "seed_changed", moved)
    with open(os.path.join(here, "changed.json"), "w", encoding="utf-8") as out:
        out.write(json.dumps(moved, ensure_ascii=False))
    with open(os.path.join(here, "changed.checkpoint"), "w") as out:
        out.write("telco_ledger/%s\n%d\n%s\n" % (
            chain.hex(), 9, base64.b64encode(root(hashes[:9])).decode()))


def forest(tree, height, time, header, digests, all_sections, section_index, leaf, salt,
           definition, schema, table, numbers, all_rows, refs, shown):
    """Some rows of one section, as a document of many receipts holds them."""
    headers, history = tree

    def hexes(items):
        return [item.hex() for item in items]

    return {
        "history": hexes(cover([height], history)),
        "blocks": [{
            "height": height, "time": time,
            "header": headers[height].hex(), "digests": hexes(digests),
            "batches": [{
                "member": "Operator Two", "header": header.hex(),
                "nodes": hexes(cover([section_index], [leaf_hash(s) for s in all_sections])),
                "sections": [{
                    "schema": schema, "table": table, "definition": definition,
                    "index": section_index, "leaf": leaf.hex(), "random": salt.hex(),
                    "rows": [{"ref": refs[i], "row": shown[i], "index": n,
                              "bytes": all_rows[n].hex()} for i, n in enumerate(numbers)],
                    "nodes": hexes(cover(numbers, [leaf_hash(r) for r in all_rows])),
                }],
            }],
        }],
    }


def restarted_receipt(here, vector, receipt, receipts, chain, last, members, secrets, parts):
    """Rows of those receipts in the ledger that the RESTART began, which has other batches."""
    fields = dict(vector)
    header, new_chain = fields["header"], fields["new_chain_id"]
    time = struct.unpack(">q", header[110:118])[0]
    body = genesis(1, [members[0], members[1], members[3]])
    set_hash = root([leaf_hash(members[i]) for i in (0, 1, 3)])
    rows, private, random, definitions, public = parts
    batch1 = batch(new_chain, 2, 1, ZERO, time + 5, 0, [public], [(0, 900, sha(b"c"))])
    batch2 = batch(new_chain, 2, 2, leaf_hash(batch1), time + 7, 3, [commitment(private, random)], [])
    lists = {1: [leaf_hash(batch1)], 2: [leaf_hash(batch2)]}
    headers = [header]
    head = 3
    for height in range(1, head + 1):
        newest = batch2 if height >= 2 else batch1
        cut = pack("IHQ", 2, INCARNATION, 2 if height >= 2 else 1) + leaf_hash(newest)
        hashes = [leaf_hash(h) for h in headers]
        headers.append(block(new_chain, height, height, hashes[-1], height - 1, 1,
                             time + height * 1000, root(lists.get(height, [])), root([]), cut,
                             set_hash, root(hashes)))
    hashes = [leaf_hash(h) for h in headers]
    votes = []
    for number in (1, 2, 4):
        signature = log_row(new_chain, secrets[number - 1], number, bytes(16), 9,
                            sha(b"row before"), 5, head, hashes[head])[3]
        votes.append(pack("I", number) + bytes(16) + pack("Q", 9) + sha(b"row before") + signature)

    def step(bytes_of, index, all_rows, leaf, salt, batch_header, height):
        return {
            "bytes": bytes_of.hex(), "index": index,
            "path": [h.hex() for h in path(index, [leaf_hash(r) for r in all_rows])],
            "section": {"leaf": leaf.hex(), "random": salt.hex(), "index": 0, "path": []},
            "batch": {"header": batch_header.hex(), "digests": [h.hex() for h in lists[height]]},
            "block": {"header": headers[height].hex(),
                      "path": [h.hex() for h in path(height, hashes[:head])]},
        }

    moved = dict(receipt, chain=new_chain.hex(), height=2, time="2023-11-14T22:13:25.009000Z")
    moved["proof"] = {
        "row": step(rows[3], 3, rows, private, random, batch2, 2),
        "definition": step(definitions[2], 2, definitions, public, b"", batch1, 1),
        "head": {"header": headers[head].hex(),
                 "certificate": certificate_of(5, head, hashes[head], b"", votes).hex()},
        "genesis": {"header": header.hex(), "body": body.hex(),
                    "restart": {"chain": chain.hex(), "last": last.hex(),
                                "reason": "Rechenzentrum überflutet"}},
    }
    write_receipt_seed(here, "seed_restarted", moved)
    definition, shown = [receipts[name]["blocks"][0]["batches"][0]["sections"][0]["rows"]
                         for name in ("definitions", "rows")]
    tree = (headers, hashes[:head])
    many = dict(receipts, chain=new_chain.hex(), head=moved["proof"]["head"],
                genesis=moved["proof"]["genesis"])
    many["definitions"] = forest(
        tree, 1, "2023-11-14T22:13:25.008000Z", batch1, lists[1], [public], 0, public, b"", None,
        "ledger", "table_version", [2], definitions, [definition[0]["ref"]],
        [definition[0]["row"]])
    many["rows"] = forest(
        tree, 2, moved["time"], batch2, lists[2], [commitment(private, random)], 0, private,
        random, 0, "public", "call_record", [0, 1, 3], rows, [r["ref"] for r in shown],
        [r["row"] for r in shown])
    for name, document in (("restarted", moved), ("restarted_many", many)):
        with open(os.path.join(here, name + ".json"), "w", encoding="utf-8") as out:
            out.write(json.dumps(document, ensure_ascii=False))
    with open(os.path.join(here, "restarted.checkpoint"), "w") as out:
        out.write("telco_ledger/%s\n%d\n%s\n" % (
            new_chain.hex(), head, base64.b64encode(root(hashes[:head])).decode()))


def array(elements):
    if not elements:
        return b"\x00"
    out = b"\x01" + pack("II", 1, len(elements))
    for element in elements:
        out += pack("I", len(element)) + element
    return out


def table_version(ref, key, table, version, schema, name, columns):
    own = sha(b"telco_ledger/1/table_version")[:16]
    values = [
        (2950, table), (23, pack("I", version)), (25, b"create"), (25, schema), (25, name),
        (1007, array([pack("I", c[0]) for c in columns])),
        (1009, array([c[1] for c in columns])),
        (1009, array([c[2] for c in columns])),
        (1016, array([pack("q", c[3]) for c in columns])),
    ]
    return own, row(own, ref, 1, key,
                    [(i + 1, tag, value) for i, (tag, value) in enumerate(values)])


def write_message_seeds(here, messages):
    """Inputs of fuzz_message.c."""
    corpus = os.path.join(here, "..", "fuzz", "corpus", "message")
    os.makedirs(corpus, exist_ok=True)
    for number, (choice, data) in enumerate(messages):
        with open(os.path.join(corpus, "seed_%02d" % number), "wb") as out:
            out.write(bytes([choice]) + data)


def write_receipt_seed(here, name, receipt):
    """An input of fuzz_receipt.c."""
    corpus = os.path.join(here, "..", "fuzz", "corpus", "receipt")
    os.makedirs(corpus, exist_ok=True)

    def span(data):
        data = data if isinstance(data, bytes) else data.encode()
        return pack("H", len(data)) + data

    def hashes(items):
        return span(b"".join(bytes.fromhex(item) for item in items))

    def step(part):
        return (span(bytes.fromhex(part["bytes"])) + pack("Q", part["index"]) +
                hashes(part["path"]) + span(bytes.fromhex(part["section"]["leaf"])) +
                span(bytes.fromhex(part["section"]["random"])) +
                pack("Q", part["section"]["index"]) + hashes(part["section"]["path"]) +
                span(bytes.fromhex(part["batch"]["header"])) + hashes(part["batch"]["digests"]) +
                span(bytes.fromhex(part["block"]["header"])) + hashes(part["block"]["path"]))

    proof = receipt["proof"]
    epochs = proof["head"].get("epochs")
    restart = proof["genesis"].get("restart")
    out = pack("B", 1 | (epochs is not None) << 1 | (restart is not None) << 2)
    out += span(bytes.fromhex(receipt["chain"]))
    for key in ("purpose", "member", "schema", "table", "ref"):
        out += span(receipt[key])
    out += pack("Q", receipt["height"]) + span(receipt["time"])
    out += step(proof["row"]) + step(proof["definition"])
    out += span(bytes.fromhex(proof["head"]["header"]))
    out += span(bytes.fromhex(proof["head"]["certificate"]))
    out += span(bytes.fromhex(proof["genesis"]["header"]))
    out += span(bytes.fromhex(proof["genesis"]["body"]))
    if epochs is not None:
        out += span(bytes.fromhex(epochs))
    if restart is not None:
        out += span(bytes.fromhex(restart["chain"])) + span(bytes.fromhex(restart["last"]))
        out += span(restart["reason"])
    out += pack("B", len(receipt["row"]))
    for column, value in receipt["row"].items():
        out += pack("B", value is None) + span(column) + span(value or "")
    with open(os.path.join(corpus, name), "wb") as file:
        file.write(out)


def write_receipts_seed(here, receipts):
    """Input of fuzz_receipts.c: the document as a tree of tagged values."""
    def node(value):
        if value is None:
            return b"\x00"
        if isinstance(value, str):
            data = value.encode()
            return b"\x01" + pack("H", len(data)) + data
        if isinstance(value, int):
            return b"\x02" + pack("H", len(str(value))) + str(value).encode()
        if isinstance(value, list):
            return b"\x03" + pack("B", len(value)) + b"".join(node(item) for item in value)
        out = b"\x04" + pack("B", len(value))
        for key, item in value.items():
            out += pack("B", len(key.encode())) + key.encode() + node(item)
        return out

    corpus = os.path.join(here, "..", "fuzz", "corpus", "receipts")
    os.makedirs(corpus, exist_ok=True)
    with open(os.path.join(corpus, "seed_valid"), "wb") as out:
        out.write(node(receipts))


# --- a ledger of four members, two batches, seven blocks -------------------------

def main():
    here = os.path.dirname(os.path.abspath(__file__))
    vectors = []
    secrets = [11, 22, 33, 44]
    names = ["Opérateur Un".encode(), b"Operator Two", b"Operator Three", b"Regulator"]
    keys = [schnorr_key(s) for s in secrets]
    members = [member(i + 1, 1, names[i], keys[i], [b"operator"] if i < 3 else [])
               for i in range(4)]
    members_hash = root([leaf_hash(m) for m in members])
    body = genesis(1, members)
    time = 1_700_000_000_000_000
    header = block(ZERO, 0, 0, ZERO, 0, 1, time, root([]), leaf_hash(body), b"",
                   members_hash, root([]))
    chain = leaf_hash(header)
    vectors.append([("kind", "genesis"), ("body", body), ("header", header),
                    ("chain_id", chain), ("members_hash", members_hash)])

    # batch 1: definitions; batch 2: call records, in a private section
    key = sha(b"row key")
    table = sha(b"some table")[:16]
    columns = [(1, b"id", b"bigint", 20), (2, "städte".encode(), b"text", 25),
               (4, b"amount", b"numeric", 1700), (5, b"began", b"timestamp with time zone", 1184),
               (6, b"note", b"text", 25), (7, b"mood", b"public.mood", 0x80001234)]
    definitions = []
    for i in range(3):
        own, data = table_version((2, 700, i + 1), key, table, i + 1, b"public", b"call_record",
                                  columns[:4 + i])
        definitions.append(data)
    rows = []
    for i in range(5):
        values = [(1, 20, pack("q", 1000 + i)), (2, 25, "Köln \"Dom\"\n".encode()),
                  (4, 1700, b"12.50"), (5, 1184, pack("q", 757_382_400_000_000 + i))]
        if i % 2:
            values.append((7, 0x80001234, b"fine"))
        rows.append(row(table, (2, 800 + i // 3, i % 3 + 1), 3, key, values))
    public = section(0, own, 1, [], definitions)
    private = section(2, table, 3, [], rows)
    sealed = section(1, sha(b"other")[:16], 1, [1, 3], rows[:1])
    random = bytes(range(16))
    chunks = [(0, 700, sha(b"c0")), (0, 5, sha(b"c1")), (2, 1048576, sha(b"c2"))]
    batch1 = batch(chain, 2, 1, ZERO, time + 5, 0, [public], [(0, 900, sha(b"c"))])
    leaves2 = [public, commitment(private, random), sealed]
    batch2 = batch(chain, 2, 2, leaf_hash(batch1), time + 7, 3, leaves2, chunks)
    other = leaf_hash(b"a batch of another member")
    for leaf, salt in ((public, None), (private, random), (sealed, None)):
        fields = [("kind", "section"), ("leaf", leaf)]
        if salt:
            fields.append(("random", salt))
        fields.append(("leaf_hash", leaf_hash(commitment(leaf, salt) if salt else leaf)))
        vectors.append(fields)
    for data in (batch1, batch2):
        vectors.append([("kind", "batch"), ("header", data), ("digest", leaf_hash(data))])

    headers = [header]
    lists = {1: [leaf_hash(batch1)], 3: [other, leaf_hash(batch2)]}
    for height in range(1, 8):
        digests = lists.get(height, [])
        cut = b""
        if height >= 1:
            cut = pack("IHQ", 2, INCARNATION, 2 if height >= 3 else 1)
            cut += leaf_hash(batch2 if height >= 3 else batch1)
        hashes = [leaf_hash(h) for h in headers]
        headers.append(block(chain, height, height + 1, hashes[-1], height if height > 1 else 0,
                             height % 4 + 1, time + height * 1000, root(digests), root([]), cut,
                             members_hash, root(hashes)))
        vectors.append([("kind", "block"), ("header", headers[-1]),
                        ("hash", leaf_hash(headers[-1])), ("cut", cut)])
    hashes = [leaf_hash(h) for h in headers]
    head = 6

    # FINALIZE rows of members 1, 2, 4 for the head
    votes = b""
    for number in (1, 2, 4):
        nonce = bytes(16) if number != 4 else bytes(range(100, 116))
        previous = sha(b"row before %d" % number) if number != 2 else ZERO
        sequence = 70 + number if number != 2 else 1
        data, payload_digest, digest, signature = log_row(
            chain, secrets[number - 1], number, nonce, sequence, previous, 5, head + 1,
            hashes[head])
        votes += pack("I", number) + nonce + pack("Q", sequence) + previous + signature
        vectors.append([("kind", "log"), ("chain_id", chain), ("row", data),
                        ("payload_digest", payload_digest), ("digest", digest),
                        ("key", keys[number - 1])])
    data, payload_digest, digest, signature = log_row(
        chain, secrets[1], 2, bytes(16), 2, sha(b"previous"), 1, 0, batch2)
    vectors.append([("kind", "log"), ("chain_id", chain), ("row", data),
                    ("payload_digest", payload_digest), ("digest", digest), ("key", keys[1])])
    certificate = b"\x01\x05" + pack("QQ", 0, head + 1) + hashes[head] + pack("H", 3) + votes
    vectors.append([("kind", "certificate"), ("chain_id", chain), ("certificate", certificate),
                    ("genesis", body)])

    vectors += rejoin_vectors(chain, secrets, keys, certificate, head)

    # manifest of the five rows
    def varint(value):
        out = b""
        while value >= 0x80:
            out += bytes([value & 0x7f | 0x80])
            value >>= 7
        return out + bytes([value])
    word = INCARNATION << 48
    manifest = (varint(word | 800) + varint(1) + leaf_hash(rows[0])[:4] +
                varint(0) + varint(1) + leaf_hash(rows[1])[:4] +
                varint(0) + varint(1) + leaf_hash(rows[2])[:4] +
                varint(1) + varint(1) + leaf_hash(rows[3])[:4] +
                varint(0) + varint(1) + leaf_hash(rows[4])[:4])
    vectors.append([("kind", "manifest"), ("manifest", manifest), ("row0", rows[0]),
                    ("row1", rows[1]), ("row2", rows[2]), ("row3", rows[3]), ("row4", rows[4])])

    checkpoint = "telco_ledger/%s\n%d\n%s\n" % (
        chain.hex(), head, base64.b64encode(root(hashes[:head])).decode())
    vectors.append([("kind", "checkpoint"), ("text", checkpoint.encode()), ("chain_id", chain),
                    ("size", str(head)), ("root", root(hashes[:head]))])

    # REJOIN of member 2, as it opens incarnation 3, and the block's entry for it
    nonce = bytes(range(200, 216))
    reason = "disk of München failed".encode()
    rejoin = (b"\x01\x02" + pack("H", 3) + nonce + pack("H", 1) + bytes(range(16)) +
              pack("Q", 41) + sha(b"last row") +
              pack("QQ", 20, 22) + sha(b"last block") + pack("QQ", 30, 35) + sha(b"lost block") +
              pack("HIQ", 2, 7, 9) + sha(b"") + pack("I", len(reason)) + reason)
    data_rejoin, payload_digest, digest, signature = log_row(
        chain, secrets[1], 2, nonce, 1, ZERO, 11, 37, rejoin)
    vectors.append([("kind", "log"), ("chain_id", chain), ("row", data_rejoin),
                    ("payload_digest", payload_digest), ("digest", digest), ("key", keys[1])])
    vectors.append([("kind", "rejoin"), ("payload", rejoin), ("nonce", nonce), ("digest", digest),
                    ("entries_root", root([leaf_hash(b"\x05\x01\x0b" + digest)]))])

    # a member with all keys, motions about him, and an approval of member 2
    leaf = (b"\x08\x02" + pack("IB", 5, 1) + b"\x04Five" + schnorr_key(55) + b"\x00" +
            schnorr_key(56) + schnorr_key(57) + schnorr_key(58))
    vectors.append([("kind", "member"), ("leaf", leaf), ("hash", leaf_hash(leaf))])
    text = "Fünf joins, three leaves".encode()
    change = (b"\x01\x01" + pack("QH", 5, len(text)) + text + pack("BIIHB", 2, 1500, 64, 3, 1) +
              pack("I", 3) + pack("BH", 1, len(leaf)) + leaf)
    skip = b"\x01\x03" + pack("QH", 5, 0) + sha(b"a call")
    for motion in (change, skip):
        vectors.append([("kind", "motion"), ("motion", motion),
                        ("digest", sha(b"telco_ledger/1/motion" + motion))])
    approval_digest = sha(b"telco_ledger/1/govern" + chain + pack("IQI", 2, 5, 2) +
                          sha(b"telco_ledger/1/motion" + change))
    govern = (b"\x01" + pack("I", 2) + schnorr_sign(approval_digest, 77) +
              pack("I", len(change)) + change)
    vectors.append([("kind", "govern"), ("payload", govern), ("chain_id", chain),
                    ("key", schnorr_key(77)), ("approval_digest", approval_digest)])

    # lists of entries as PROPOSE holds them, and their roots
    for count in range(4):
        listed = sorted([(sha(b"row %d" % i), 9 + i) for i in range(count)])
        vectors.append([("kind", "entries"),
                        ("list", b"".join(pack("B", kind) + digest for digest, kind in listed)),
                        ("root", root([leaf_hash(b"\x05\x01" + pack("B", kind) + digest)
                                       for digest, kind in listed]))])

    vectors += payload_vectors(chain, secrets, headers, cut, certificate)

    def hexes(items):
        return [item.hex() for item in items]

    def step(row_bytes, index, all_rows, leaf, salt, section_index, section_leaves, header,
             digests, height):
        return {
            "bytes": row_bytes.hex(), "index": index,
            "path": hexes(path(index, [leaf_hash(r) for r in all_rows])),
            "section": {"leaf": leaf.hex(), "random": salt.hex(), "index": section_index,
                        "path": hexes(path(section_index, [leaf_hash(s) for s in section_leaves]))},
            "batch": {"header": header.hex(), "digests": hexes(digests)},
            "block": {"header": headers[height].hex(), "path": hexes(path(height, hashes[:head]))},
        }

    receipt = {
        "format": "telco_ledger receipt 1", "chain": chain.hex(), "purpose": "test",
        "member": "Operator Two", "schema": "public", "table": "call_record",
        "ref": "2.%d.801.1" % INCARNATION, "height": 3, "time": "2023-11-14T22:13:20.003000Z",
        "row": {"id": "1003", "städte": "Köln \"Dom\"\n", "amount": "12.50",
                "began": "2024-01-01T00:00:00.000003Z", "note": None, "mood": "fine"},
        "proof": {
            "row": step(rows[3], 3, rows, private, random, 1, leaves2, batch2, lists[3], 3),
            "definition": step(definitions[2], 2, definitions, public, b"", 0, [public], batch1,
                               lists[1], 1),
            "head": {"header": headers[head].hex(), "certificate": certificate.hex()},
            "genesis": {"header": header.hex(), "body": body.hex()},
        },
    }
    write_receipt_seed(here, "seed_valid", receipt)
    write_message_seeds(here, [
        (0, private), (0, sealed), (1, batch1), (1, batch2), (2, header), (2, headers[3]),
        (3, members[0]), (4, body), (5, data), (6, certificate),
        (7, b"\x01" + pack("I", 318) + headers[3] + pack("IH", 0, 0) + pack("II", 0, 0)),
        (8, checkpoint.encode()), (9, manifest), (10, definitions[2]),
        (10, pack("IHQ", 1, 0, 5) + sha(b"a") + pack("IHQ", 2, 1, 7) + sha(b"b")),
        (11, rejoin)])
    restart = restart_vector(chain, headers, members_hash, members)
    vectors.append(restart)
    vectors += checkpoint_vectors(chain, secrets, keys, body, headers, cut)
    with open(os.path.join(here, "chain.txt"), "w") as out:
        out.write("# Made by make_chain.py, a second implementation of the formats.\n")
        for fields in vectors:
            out.write("\n")
            for name, value in fields:
                out.write("%s = %s\n" % (name, value if isinstance(value, str) else value.hex()))
    with open(os.path.join(here, "receipt.json"), "w", encoding="utf-8") as out:
        out.write(json.dumps(receipt, ensure_ascii=False))
    with open(os.path.join(here, "receipt.checkpoint"), "w") as out:
        out.write(checkpoint)

    # rows 0, 1 and 3 in one document, under the same head
    tree = (headers, hashes[:head])

    def block_time(height):
        return "2023-11-14T22:13:20.00%d000Z" % height

    def shown_row(i):
        return {"id": str(1000 + i), "städte": "Köln \"Dom\"\n", "amount": "12.50",
                "began": "2024-01-01T00:00:00.%06dZ" % i, "note": None,
                "mood": "fine" if i % 2 else None}

    def array_text(items):
        return "{" + ",".join(items) + "}"

    def quoted(text):
        return '"%s"' % text.decode()

    shown_definition = {
        "table_id": "-".join([table.hex()[:8], table.hex()[8:12], table.hex()[12:16],
                              table.hex()[16:20], table.hex()[20:]]),
        "version": "3", "action": "create", "schema_name": "public", "table_name": "call_record",
        "attribute_numbers": array_text(str(c[0]) for c in columns),
        "column_names": array_text(quoted(c[1]) for c in columns),
        "type_names": array_text(quoted(c[2]) for c in columns),
        "type_tags": array_text(str(c[3]) for c in columns),
    }
    numbers = [0, 1, 3]
    receipts = {
        "format": "telco_ledger receipts 1", "chain": chain.hex(), "purpose": "test",
        "head": {"header": headers[head].hex(), "certificate": certificate.hex()},
        "genesis": {"header": header.hex(), "body": body.hex()},
        "definitions": forest(tree, 1, block_time(1), batch1, lists[1], [public], 0, public, b"", None, "ledger",
                              "table_version", [2], definitions, ["2.%d.700.3" % INCARNATION],
                              [shown_definition]),
        "rows": forest(tree, 3, block_time(3), batch2, lists[3], leaves2, 1, private, random, 0, "public",
                       "call_record", numbers, rows,
                       ["2.%d.%d.%d" % (INCARNATION, 800 + n // 3, n % 3 + 1) for n in numbers],
                       [shown_row(n) for n in numbers]),
    }
    write_receipts_seed(here, receipts)
    changed_receipt(here, receipt, chain, headers, cut, members, members_hash, secrets)
    restarted_receipt(here, restart, receipt, receipts, chain, headers[7], members, secrets,
                      (rows, private, random, definitions, public))
    larger = 8
    with open(os.path.join(here, "receipts.json"), "w", encoding="utf-8") as out:
        out.write(json.dumps(receipts, ensure_ascii=False))
    with open(os.path.join(here, "larger.checkpoint"), "w") as out:
        out.write("telco_ledger/%s\n%d\n%s\n" % (
            chain.hex(), larger, base64.b64encode(root(hashes[:larger])).decode()))
    with open(os.path.join(here, "consistency.json"), "w") as out:
        out.write(json.dumps({"old_size": head, "new_size": larger,
                              "hashes": hexes(consistency(head, hashes[:larger]))}))


if __name__ == "__main__":
    main()
