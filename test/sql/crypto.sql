-- Signatures in SQL.  The vectors are those of test/vectors; here are a few of
-- each kind and everything that must be refused.

-- What the planner and pg_dump need to know.
SELECT p.oid::regprocedure AS function, p.provolatile, p.proisstrict, p.proparallel,
       obj_description(p.oid, 'pg_proc') IS NOT NULL AS has_comment
FROM pg_proc p
WHERE p.pronamespace = 'ledger'::regnamespace
  AND p.proname IN ('ecdsa_verify', 'ecdsa_verify_der', 'ecdsa_sign', 'schnorr_verify',
                    'schnorr_sign', 'es256_verify', 'public_key')
ORDER BY 1::text COLLATE "C";

-- The functions that take a secret say what becomes of it.
SELECT p.proname
FROM pg_proc p
WHERE p.pronamespace = 'ledger'::regnamespace
  AND 'secret_key' = ANY (p.proargnames)
  AND obj_description(p.oid, 'pg_proc') LIKE '%server''s log'
ORDER BY 1;

-- ECDSA on secp256k1: key 1, RFC 6979.
SELECT sha256('Satoshi Nakamoto') AS digest,
       '\x0000000000000000000000000000000000000000000000000000000000000001'::bytea AS secret \gset
SELECT :'digest'::bytea = digest('Satoshi Nakamoto', 'sha256') AS pgcrypto_agrees;
SELECT ledger.public_key(:'secret') AS key, ledger.ecdsa_sign(:'digest', :'secret') AS signature \gset
\echo :key
\echo :signature
SELECT ledger.ecdsa_verify(:'digest', :'signature', :'key');
SELECT ledger.ecdsa_verify(:'digest', :'signature',
    '\x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8') AS uncompressed;
SELECT ledger.ecdsa_verify(sha256('Satoshi'), :'signature', :'key') AS other_digest;
SELECT ledger.ecdsa_verify(:'digest', :'signature', ledger.public_key(sha256('other'))) AS other_key;

-- The upper s of the same signature.
SELECT ledger.ecdsa_verify(:'digest',
    '\x934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c', :'key') AS upper_s;

-- No single bit may change.
SELECT count(*) AS bits, bool_or(ledger.ecdsa_verify(:'digest', set_bit(:'signature'::bytea, bit, 1 - get_bit(:'signature'::bytea, bit)), :'key')) AS any_valid
FROM generate_series(0, 511) bit;

-- A malformed signature is no signature.
SELECT size, ledger.ecdsa_verify(:'digest', substring(:'signature'::bytea || '\x00' FROM 1 FOR size), :'key')
FROM unnest(ARRAY[0, 1, 63, 64, 65]) size;
SELECT ledger.ecdsa_verify(:'digest', decode(repeat('00', 64), 'hex'), :'key') AS zeros,
       ledger.ecdsa_verify(:'digest', decode(repeat('ff', 64), 'hex'), :'key') AS beyond_the_order;

-- DER, strictly.
SELECT '\x3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d802202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5'::bytea AS der \gset
SELECT ledger.ecdsa_verify_der(:'digest', :'der', :'key');
SELECT ledger.ecdsa_verify_der(:'digest', :'signature', :'key') AS not_der,
       ledger.ecdsa_verify(:'digest', :'der', :'key') AS not_compact;
SELECT what, ledger.ecdsa_verify_der(:'digest', der, :'key')
FROM (VALUES
    ('nothing', '\x'::bytea),
    ('byte after the end', :'der'::bytea || '\x00'),
    ('last byte missing', substring(:'der'::bytea FROM 1 FOR 70)),
    ('long form of the length', '\x308145' || substring(:'der'::bytea FROM 3)),
    ('indefinite length', '\x3080' || substring(:'der'::bytea FROM 3) || '\x0000'),
    ('r without its leading zero', '\x30440220' || substring(:'der'::bytea FROM 6)),
    ('s with a leading zero too many', '\x3046' || substring(:'der'::bytea FROM 3 FOR 35) || '\x022100' || substring(:'der'::bytea FROM 40)),
    ('upper s', '\x3046022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8022100dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c')
) v(what, der);

-- Digests and keys must be in order.
SELECT ledger.ecdsa_verify('Satoshi Nakamoto', :'signature', :'key');
SELECT ledger.ecdsa_verify(:'digest', :'signature', '\x02');
SELECT ledger.ecdsa_verify(:'digest', :'signature', '\x02ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff');
SELECT ledger.ecdsa_verify_der(:'digest', :'der', '\x0679be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8');
SELECT ledger.ecdsa_verify_der('\x', :'der', :'key');
SELECT ledger.ecdsa_sign('\x00', :'secret');
SELECT ledger.ecdsa_sign(:'digest', '\x01');
SELECT ledger.ecdsa_sign(:'digest', '\xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141');
SELECT ledger.public_key(decode(repeat('00', 32), 'hex'));

-- A program can catch a bad key by its SQLSTATE.
DO $$
BEGIN
    PERFORM ledger.public_key('\x');
    RAISE NOTICE 'not refused';
EXCEPTION WHEN SQLSTATE 'TL013' THEN
    RAISE NOTICE 'refused with TL013';
END
$$;

-- BIP-340, vectors 1 and 15 (an empty message).
SELECT ledger.schnorr_sign('\x243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89',
                           '\xb7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef',
                           '\x0000000000000000000000000000000000000000000000000000000000000001') AS signature \gset
\echo :signature
SELECT ledger.schnorr_verify('\x243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89', :'signature',
                             '\xdff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659');
SELECT ledger.schnorr_sign('\x', '\x0340034003400340034003400340034003400340034003400340034003400340') AS signature \gset
\echo :signature
SELECT ledger.schnorr_verify('\x', :'signature', '\x778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117');
SELECT ledger.schnorr_verify('\x00', :'signature', '\x778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117') AS other_message;

-- A long message; the key is the compressed one without its first byte.
SELECT ledger.schnorr_verify(m, ledger.schnorr_sign(m, :'secret'), substring(:'key'::bytea FROM 2)) AS same,
       ledger.schnorr_verify(m || '\x00', ledger.schnorr_sign(m, :'secret'), substring(:'key'::bytea FROM 2)) AS longer
FROM convert_to(repeat('call ', 200000), 'UTF8') m;
SELECT ledger.schnorr_verify('\x', substring(:'signature'::bytea FROM 2), '\x778caa53b4393ac467774d09497a87224bf9fab6f6e68b23086497324d6fd117') AS too_short;

-- aux may be NULL, which means zeros; NULL elsewhere gives NULL.
SELECT ledger.schnorr_sign('a', :'secret') = ledger.schnorr_sign('a', :'secret', decode(repeat('00', 32), 'hex')) AS aux_of_zeros,
       ledger.schnorr_sign('a', :'secret') = ledger.schnorr_sign('a', :'secret', decode(repeat('01', 32), 'hex')) AS other_aux,
       ledger.schnorr_sign(NULL, :'secret') IS NULL AS null_message,
       ledger.schnorr_sign('a', NULL) IS NULL AS null_secret,
       ledger.ecdsa_verify(NULL, '\x', '\x') IS NULL AS null_digest;
SELECT ledger.schnorr_sign('a', :'secret', '\x01');
SELECT ledger.schnorr_sign('a', '\x');
SELECT ledger.schnorr_verify('a', :'signature', :'key');
SELECT ledger.schnorr_verify('a', :'signature', decode(repeat('00', 32), 'hex'));

-- ES256: RFC 6979 appendix A.2.5.  Both s are valid, here the lower one.
SELECT '\x0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6'::bytea AS key,
       '\xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8'::bytea AS signature \gset
SELECT ledger.es256_verify(sha256('sample'), :'signature', :'key');
SELECT ledger.es256_verify(sha256('sample'),
    '\xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf37160834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9', :'key') AS lower_s;
SELECT ledger.es256_verify(sha256('Sample'), :'signature', :'key') AS other_digest,
       ledger.es256_verify(sha256('sample'), '\x', :'key') AS no_signature,
       ledger.es256_verify(sha256('sample'), decode(repeat('00', 64), 'hex'), :'key') AS zeros,
       ledger.es256_verify(sha256('sample'), :'signature',
                           '\x0260fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6') AS other_key;
SELECT ledger.es256_verify('sample', :'signature', :'key');
SELECT ledger.es256_verify(sha256('sample'), :'signature', '\x');
-- The generator of secp256k1 is no point of P-256.
SELECT ledger.es256_verify(sha256('sample'), :'signature',
    '\x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8');

-- Anybody may verify.
CREATE ROLE regress_crypto_user;
SET ROLE regress_crypto_user;
SELECT ledger.es256_verify(sha256('sample'), :'signature', :'key');
RESET ROLE;
DROP ROLE regress_crypto_user;

-- Workers verify as well as the leader.
CREATE TABLE signed AS
SELECT i, ledger.ecdsa_sign(sha256(int4send(i)), :'secret') AS signature FROM generate_series(1, 300) i;
ALTER TABLE signed SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
PREPARE verified(bytea) AS
SELECT count(*) FROM signed WHERE ledger.ecdsa_verify(sha256(int4send(i)), signature, $1);
EXPLAIN (COSTS OFF) EXECUTE verified(ledger.public_key(:'secret'));
EXECUTE verified(ledger.public_key(:'secret'));
EXECUTE verified(ledger.public_key(sha256('other')));
DEALLOCATE verified;
DROP TABLE signed;

-- Set hashes (test/vectors/set_hash.txt): the same in any order.
SELECT ledger.set_hash(element) = '\xc2075f7f685a5d6611220674995832e664a6e2240bcf18db2e79d124281838b2' AS vector
  FROM unnest(ARRAY['', 'a', NULL, 'a']::bytea[]) AS element;
SELECT ledger.set_hash(element ORDER BY element) = ledger.set_hash(element ORDER BY element DESC) AS same,
       ledger.set_hash(element) = ledger.set_hash(DISTINCT element) AS counts_twice_as_once,
       ledger.set_hash(element) FILTER (WHERE element IS NULL) = sha256(decode(repeat('00', 2048), 'hex')) AS empty
  FROM unnest(ARRAY['one', 'two', NULL, 'two', repeat('three', 1000)]::bytea[]) AS element;
SELECT i, ledger.set_hash(int4send(i)) OVER (ORDER BY i) = (SELECT ledger.set_hash(int4send(j)) FROM generate_series(1, i) j) AS running
  FROM generate_series(1, 3) i;
SELECT ledger_internal.set_hash_add('', 'a');
CREATE TABLE elements AS SELECT i FROM generate_series(1, 5000) i;
ALTER TABLE elements SET (parallel_workers = 2);
CREATE VIEW set_hashes AS SELECT ledger.set_hash(int4send(i)) AS all_of_them,
       ledger.set_hash(int4send(i)) FILTER (WHERE i <> 4711) AS all_but_one,
       ledger.set_hash(int4send(i)) FILTER (WHERE i = 0) AS nothing FROM elements;
EXPLAIN (COSTS OFF) SELECT * FROM set_hashes;
CREATE TEMP TABLE by_many AS SELECT * FROM set_hashes;
SET max_parallel_workers_per_gather = 0;
SELECT all_of_them = (SELECT all_of_them FROM by_many) AS all_of_them,
       all_but_one = (SELECT all_but_one FROM by_many) AS all_but_one,
       nothing = (SELECT nothing FROM by_many) AS nothing,
       all_of_them = all_but_one AS one_makes_no_difference
  FROM set_hashes;
RESET max_parallel_workers_per_gather;
DROP VIEW set_hashes;
DROP TABLE elements;
