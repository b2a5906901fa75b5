-- Signatures: secp256k1 (ECDSA, BIP-340) and P-256 (ES256).
--
-- COST tells the planner that one of these calls is worth thousands of
-- comparisons, so that cheaper conditions run first.

CREATE FUNCTION ledger.ecdsa_verify(digest bytea, signature bytea, public_key bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_ecdsa_verify'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.ecdsa_verify(bytea, bytea, bytea) IS
    'is this a secp256k1 ECDSA signature (64 bytes r and s, lower s only) of the 32-byte digest by the key (33 or 65 bytes)';

CREATE FUNCTION ledger.ecdsa_verify_der(digest bytea, signature bytea, public_key bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_ecdsa_verify_der'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.ecdsa_verify_der(bytea, bytea, bytea) IS
    'is this a secp256k1 ECDSA signature (strict DER, lower s only) of the 32-byte digest by the key (33 or 65 bytes)';

CREATE FUNCTION ledger.ecdsa_sign(digest bytea, secret_key bytea)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_ecdsa_sign'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.ecdsa_sign(bytea, bytea) IS
    'secp256k1 ECDSA signature (64 bytes, RFC 6979); for tests and clients: a secret in the text of a query can end in the server''s log';

CREATE FUNCTION ledger.schnorr_verify(message bytea, signature bytea, public_key bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_schnorr_verify'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.schnorr_verify(bytea, bytea, bytea) IS
    'is this a BIP-340 signature (64 bytes) of the message, of any length, by the key (32 bytes: a compressed key without its first byte)';

-- Not STRICT, because aux may be NULL.
CREATE FUNCTION ledger.schnorr_sign(message bytea, secret_key bytea, aux bytea DEFAULT NULL)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_schnorr_sign'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.schnorr_sign(bytea, bytea, bytea) IS
    'BIP-340 signature with 32 bytes of auxiliary randomness (NULL: zeros); for tests and clients: a secret in the text of a query can end in the server''s log';

CREATE FUNCTION ledger.es256_verify(digest bytea, signature bytea, public_key bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_es256_verify'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.es256_verify(bytea, bytea, bytea) IS
    'is this an ES256 signature (P-256 ECDSA, 64 bytes r and s, both s allowed) of the 32-byte SHA-256 digest by the key (33 or 65 bytes)';

CREATE FUNCTION ledger.public_key(secret_key bytea)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_public_key'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION ledger.public_key(bytea) IS
    'compressed secp256k1 key (33 bytes) of a secret; substring from 2 is the BIP-340 key; for tests and clients: a secret in the text of a query can end in the server''s log';

CREATE FUNCTION ledger_internal.set_hash_add(state bytea, element bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_set_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_internal.set_hash_combine(state bytea, other bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_set_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger_internal.set_hash_digest(state bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_crypto_sql_set_digest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.set_hash_add(bytea, bytea) IS 'of the aggregate ledger.set_hash';
COMMENT ON FUNCTION ledger_internal.set_hash_combine(bytea, bytea) IS 'of the aggregate ledger.set_hash';
COMMENT ON FUNCTION ledger_internal.set_hash_digest(bytea) IS 'of the aggregate ledger.set_hash';

CREATE AGGREGATE ledger.set_hash(element bytea) (
    SFUNC = ledger_internal.set_hash_add,
    STYPE = bytea,
    SSPACE = 2052,
    INITCOND = '',
    FINALFUNC = ledger_internal.set_hash_digest,
    COMBINEFUNC = ledger_internal.set_hash_combine,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE ledger.set_hash(bytea) IS
    'digest of the set hash of the elements: the same in any order and any groups; NULL is no element';
