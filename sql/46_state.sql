-- The state of a ledger that several members order: one set hash a shared
-- table, the root over them, what was rejected (src/chain/chain_state.c).

CREATE TABLE ledger_internal.table_state (
    table_id uuid PRIMARY KEY,
    height bigint NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    set_hash bytea NOT NULL CHECK (octet_length(set_hash) = 2048),
    damaged_at bigint
) WITH (fillfactor = 50);
-- In the row itself: it changes with nearly every block.
ALTER TABLE ledger_internal.table_state ALTER COLUMN set_hash SET STORAGE PLAIN;
COMMENT ON TABLE ledger_internal.table_state IS
    'set hash of the rows of each shared table and each state table, its digest, and the last block that changed it';

CREATE TABLE ledger_internal.state (
    height bigint PRIMARY KEY,
    state_root bytea NOT NULL CHECK (octet_length(state_root) = 32),
    unknown_after bigint
);
COMMENT ON TABLE ledger_internal.state IS 'state root after each block that changed it';
COMMENT ON COLUMN ledger_internal.state.unknown_after IS
    'set by ledger.recompute_state(): the states of the blocks between that one and this are not known here any more';

CREATE TABLE ledger_internal.outcome (
    height bigint NOT NULL,
    number integer NOT NULL,
    leaf bytea NOT NULL,
    PRIMARY KEY (height, number)
);
COMMENT ON TABLE ledger_internal.outcome IS 'leaves of the outcome root: rows that blocks have rejected, and calls';

CREATE TABLE ledger_internal.apply_stop (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    height bigint NOT NULL,
    reason text NOT NULL CHECK (reason IN ('diverged', 'split', 'executed')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.apply_stop IS
    'a row here: no block is applied, since the state after the block at that height is not what a quorum has signed (diverged), no quorum agrees on one (split), or the members have passed over a call in it that was executed here (executed)';

SELECT pg_extension_config_dump('ledger_internal.table_state', '');
SELECT pg_extension_config_dump('ledger_internal.state', '');
SELECT pg_extension_config_dump('ledger_internal.outcome', '');
SELECT pg_extension_config_dump('ledger_internal.apply_stop', '');

CREATE FUNCTION ledger.recompute_state() RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_recompute_state' LANGUAGE C VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION ledger.recompute_state() FROM PUBLIC;
COMMENT ON FUNCTION ledger.recompute_state() IS
    'where a node has stopped to apply blocks because its state differs: computes the set hashes of shared tables again from their rows and lets it go on; returns the height up to which blocks are applied';

-- What a row of a shared table is in that set.
CREATE FUNCTION ledger.state_element(encoded_row bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.substring(encoded_row, 3, 16) OPERATOR(pg_catalog.||)
        pg_catalog.substring(encoded_row, 1, 38) OPERATOR(pg_catalog.||)
        pg_catalog.substring(encoded_row, 55);
COMMENT ON FUNCTION ledger.state_element(bytea) IS
    'what ledger.set_hash() is to be given of an encoded row, so that its result is the digest in ledger.state: table id, and the row without its blinding';
