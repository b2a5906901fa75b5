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
CREATE INDEX state_unknown ON ledger_internal.state (height) WHERE unknown_after IS NOT NULL;
COMMENT ON TABLE ledger_internal.state IS 'state root after each block that changed it';
COMMENT ON COLUMN ledger_internal.state.unknown_after IS
    'set by ledger.recompute_state(), and where a state was taken (ledger.take_state()): the states of the blocks between that one and this are not known here any more';

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
    reason text NOT NULL CHECK (reason IN ('diverged', 'split', 'executed', 'taking')),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.apply_stop IS
    'a row here: no block is applied, since the state after the block at that height is not what a quorum has signed (diverged), no quorum agrees on one (split), the members have passed over a call in it that was executed here (executed), or the state of a later block is being taken from the others (taking)';

CREATE TABLE ledger_internal.state_take (
    number bigint PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    max_mb integer NOT NULL CHECK (max_mb > 0),
    begins boolean NOT NULL,
    passes_over boolean NOT NULL DEFAULT false,
    unknown_after bigint NOT NULL,
    height bigint,
    source bigint,
    pieces bigint,
    received bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    refused bigint[] NOT NULL DEFAULT '{}',
    left_out bigint[] NOT NULL DEFAULT '{}',
    asked_of bigint,
    stopped_at bigint,
    stopped_by text,
    done_at timestamptz
);
CREATE UNIQUE INDEX state_take_open ON ledger_internal.state_take ((done_at IS NULL)) WHERE done_at IS NULL;
COMMENT ON TABLE ledger_internal.state_take IS
    'each time that the contents of state tables were taken from the others (ledger.take_state()): those after the block at that height; of the blocks behind unknown_after and up to it this member does not know what calls and timers have done and told';
COMMENT ON COLUMN ledger_internal.state_take.begins IS 'no block had been applied: those up to unknown_after, the last one with a new version of a contract, are executed';
COMMENT ON COLUMN ledger_internal.state_take.passes_over IS 'a block was applied without what it runs of contracts';
COMMENT ON COLUMN ledger_internal.state_take.source IS 'the member whose pieces are received; refused: those whose pieces were not what a quorum has signed; left_out: those of them who are not asked again in this round';
COMMENT ON COLUMN ledger_internal.state_take.stopped_by IS 'with stopped_at: the row of ledger_internal.apply_stop before; NULL: none';
COMMENT ON COLUMN ledger_internal.state_take.asked_of IS 'the only member that is asked; NULL: all, one after the other';

-- What has come of it: a crash may forget it, then it is asked for once more.
CREATE UNLOGGED TABLE ledger_internal.taken_piece (
    number integer PRIMARY KEY,
    piece bytea NOT NULL
);
ALTER TABLE ledger_internal.taken_piece ALTER COLUMN piece SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger_internal.taken_piece IS 'pieces of a state that another member shows, on their way into the state tables here';

-- And what this member shows to others (src/node/node_show.c).
CREATE UNLOGGED TABLE ledger_internal.asked_state (
    member bigint PRIMARY KEY,
    height bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    turn_at timestamptz,
    failed boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ledger_internal.asked_state IS 'the checkpoint whose state each other member has asked for last, while telco_ledger.show_state is on';
COMMENT ON COLUMN ledger_internal.asked_state.turn_at IS 'when his last turn began to have made and shown what he asks for; NULL: he had none';
COMMENT ON COLUMN ledger_internal.asked_state.failed IS 'this member could not read that state when it was his turn';

CREATE UNLOGGED TABLE ledger_internal.shown_state (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    height bigint NOT NULL,
    making bytea NOT NULL CHECK (octet_length(making) = 8),
    pieces bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.shown_state IS 'the checkpoint whose state stands in ledger_internal.shown_piece';

CREATE UNLOGGED TABLE ledger_internal.shown_piece (
    number integer PRIMARY KEY,
    piece bytea NOT NULL
);
ALTER TABLE ledger_internal.shown_piece ALTER COLUMN piece SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger_internal.shown_piece IS 'the rows of all state tables after that block, for members who ask for them';

SELECT pg_extension_config_dump('ledger_internal.state_take', '');
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
