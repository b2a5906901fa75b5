-- Proofs: the bytes of a row, receipts, their verdict, tree heads.

CREATE FUNCTION ledger.encode_row(relation regclass, ref ledger.ref) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_encode_row' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
CREATE FUNCTION ledger.leaf_hash(relation regclass, ref ledger.ref) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_leaf_hash' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION ledger.encode_row(regclass, ledger.ref) IS
    'the bytes of the row as they were hashed when it was batched (src/table/README.md)';
COMMENT ON FUNCTION ledger.leaf_hash(regclass, ledger.ref) IS
    'SHA-256(0x00 || ledger.encode_row(relation, ref)): the row''s leaf in its section''s tree';

CREATE FUNCTION ledger.receipt(relation regclass, ref ledger.ref, size bigint DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tl_receipt' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION ledger.receipt(regclass, ledger.ref, bigint) IS
    'proof that the row is on the ledger, to be checked anywhere (src/proof/README.md); with size the proof leads to the tree head of that size';

CREATE FUNCTION ledger.verify_receipt(receipt jsonb, OUT valid boolean, OUT reason text, OUT member text, OUT height bigint, OUT "row" jsonb)
    AS 'MODULE_PATHNAME', 'tl_verify_receipt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.verify_receipt(jsonb) IS
    'checks a receipt of any ledger by its own bytes; compare its chain id with the one you know';

CREATE FUNCTION ledger.tree_head() RETURNS text
    AS 'MODULE_PATHNAME', 'tl_tree_head' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION ledger.tree_head() IS
    'the tip as C2SP tlog-checkpoint text, to be kept elsewhere: chain, size = height, history root';
