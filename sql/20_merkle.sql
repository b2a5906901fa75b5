-- Merkle trees (RFC 6962): roots, proofs, verification.  Leaves are numbered
-- from 0; proofs are arrays of 32-byte hashes, nearest to the leaf first.

CREATE FUNCTION ledger.merkle_leaf_hash(data bytea)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_leaf_hash'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.merkle_leaf_hash(bytea) IS
    'hash of a leaf: SHA-256 over a zero byte and the data';

CREATE FUNCTION ledger.merkle_root(leaf_hashes bytea[])
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_root'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ledger.merkle_root(bytea[]) IS
    'root of the tree over these leaf hashes; of none, SHA-256 of nothing';

CREATE FUNCTION ledger_internal.merkle_root_step(internal, bytea)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_root_step'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.merkle_root_step(internal, bytea) IS
    'transition of ledger.merkle_root_agg';

CREATE FUNCTION ledger_internal.merkle_root_final(internal)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_root_final'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.merkle_root_final(internal) IS
    'result of ledger.merkle_root_agg';

-- No COMBINEFUNC: two trees of arbitrary size do not join into one, because
-- the shape of the right one depends on the size of the left one.  The
-- aggregate may run in a parallel worker, but always over all of its rows.
CREATE AGGREGATE ledger.merkle_root_agg(leaf_hash bytea) (
    SFUNC = ledger_internal.merkle_root_step,
    STYPE = internal,
    SSPACE = 2056,
    FINALFUNC = ledger_internal.merkle_root_final,
    FINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE ledger.merkle_root_agg(bytea) IS
    'root of the tree over the leaf hashes in the order given with ORDER BY';

CREATE FUNCTION ledger.merkle_inclusion_proof(leaf_hashes bytea[], index bigint)
    RETURNS bytea[]
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_inclusion_proof'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ledger.merkle_inclusion_proof(bytea[], bigint) IS
    'proof that the leaf with this index, from 0, is in the tree over the leaf hashes';

CREATE FUNCTION ledger.merkle_verify_inclusion(leaf_hash bytea, index bigint, size bigint, proof bytea[], root bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_verify_inclusion'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ledger.merkle_verify_inclusion(bytea, bigint, bigint, bytea[], bytea) IS
    'does the proof show that the leaf is number index, from 0, of the tree of this size and root';

CREATE FUNCTION ledger.merkle_consistency_proof(leaf_hashes bytea[], old_size bigint)
    RETURNS bytea[]
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_consistency_proof'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION ledger.merkle_consistency_proof(bytea[], bigint) IS
    'proof that the tree over the leaf hashes begins with the tree over the first old_size of them';

CREATE FUNCTION ledger.merkle_verify_consistency(old_size bigint, new_size bigint, proof bytea[], old_root bytea, new_root bytea)
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_merkle_sql_verify_consistency'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION ledger.merkle_verify_consistency(bigint, bigint, bytea[], bytea, bytea) IS
    'does the proof show that the new tree begins with the old one';
