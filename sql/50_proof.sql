-- Proofs: the bytes of a row, receipts, their verdict, tree heads.
--
-- PARALLEL UNSAFE what takes the newest snapshot: a parallel query refuses that
-- even in its leader.

CREATE FUNCTION ledger.encode_row(relation regclass, ref ledger.ref) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_encode_row' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
CREATE FUNCTION ledger.leaf_hash(relation regclass, ref ledger.ref) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_leaf_hash' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.encode_row(regclass, ledger.ref) IS
    'the bytes of the row as they were hashed when it was batched (src/table/README.md)';
COMMENT ON FUNCTION ledger.leaf_hash(regclass, ledger.ref) IS
    'SHA-256(0x00 || ledger.encode_row(relation, ref)): the row''s leaf in its section''s tree';

CREATE FUNCTION ledger.receipt(relation regclass, ref ledger.ref, size bigint DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tl_receipt' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.receipt(regclass, ledger.ref, bigint) IS
    'proof that the row is on the ledger, to be checked anywhere (src/proof/README.md); with size the proof leads to the tree head of that size';

CREATE FUNCTION ledger.receipts(relation regclass, refs ledger.ref[], size bigint DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tl_receipts' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.receipts(regclass, ledger.ref[], bigint) IS
    'one document that proves all of these rows, with what they share in it once';

CREATE FUNCTION ledger.verify_receipt(
        receipt jsonb, tree_head text DEFAULT NULL, consistency bytea[] DEFAULT NULL,
        OUT valid boolean, OUT reason text, OUT member text, OUT height bigint, OUT "row" jsonb)
    AS 'MODULE_PATHNAME', 'tl_verify_receipt' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ledger.verify_receipt(jsonb, text, bytea[]) IS
    'checks a receipt of any ledger by its own bytes, against a tree head that you kept; without one compare its chain id with the one you know';

CREATE FUNCTION ledger.verify_receipts(
        receipts jsonb, tree_head text DEFAULT NULL, consistency bytea[] DEFAULT NULL,
        OUT ref ledger.ref, OUT valid boolean, OUT reason text, OUT member text, OUT height bigint, OUT "row" jsonb)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_verify_receipts' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 100;
COMMENT ON FUNCTION ledger.verify_receipts(jsonb, text, bytea[]) IS
    'a verdict for each row of a document of ledger.receipts(), and one without ref if the document as a whole is not valid';

CREATE FUNCTION ledger.tree_head() RETURNS text
    AS 'MODULE_PATHNAME', 'tl_tree_head' LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.tree_head() IS
    'the tip as C2SP tlog-checkpoint text, to be kept elsewhere: chain, size = height, history root';

CREATE FUNCTION ledger.consistency_proof(old_size bigint, new_size bigint) RETURNS bytea[]
    AS 'MODULE_PATHNAME', 'tl_consistency_proof' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.consistency_proof(bigint, bigint) IS
    'RFC 6962 proof that the tree head of the old size is the beginning of the one of the new size';
