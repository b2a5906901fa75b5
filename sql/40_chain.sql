-- The chain as it is stored: ordinary tables that only the worker and
-- the process of the wire write.
--
-- Nothing here is trusted: ledger.verify() recomputes all of it from the
-- rows of the ledger tables and from signatures.

CREATE TABLE ledger_internal.node (
    name text NOT NULL,
    member bigint NOT NULL,
    incarnation integer NOT NULL,
    purpose text NOT NULL,
    chain_id bytea NOT NULL,
    nonce bytea NOT NULL,
    public_key bytea NOT NULL,
    genesis_header bytea NOT NULL,
    genesis_body bytea NOT NULL,
    system_identifier bigint NOT NULL,
    database_oid oid NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX node_one ON ledger_internal.node ((true));
COMMENT ON TABLE ledger_internal.node IS 'who this database is on its ledger; one row at most';

CREATE TABLE ledger_internal.snapshot (
    snapshot bigint PRIMARY KEY,
    next_xid bigint NOT NULL,
    value text NOT NULL,
    taken_at timestamptz NOT NULL
);
CREATE INDEX snapshot_by_next_xid ON ledger_internal.snapshot (next_xid, snapshot);
COMMENT ON TABLE ledger_internal.snapshot IS
    'snapshots S(k): a batch holds rows that S(k) sees and S(k-1) does not; value in the text form of pg_snapshot, next_xid its xmax; each number is incarnation << 48 | transaction';

CREATE TABLE ledger_internal.block (
    height bigint PRIMARY KEY,
    header bytea NOT NULL,
    hash bytea NOT NULL,
    view bigint NOT NULL,
    time timestamptz NOT NULL,
    subtree_roots bytea NOT NULL
);
COMMENT ON COLUMN ledger_internal.block.subtree_roots IS
    'roots of the perfect history subtrees that end with this block, level 0 first, 32 bytes each';

CREATE TABLE ledger_internal.batch (
    batch bigint PRIMARY KEY,
    member bigint NOT NULL,
    incarnation integer NOT NULL,
    height bigint,
    snapshot bigint NOT NULL,
    first_ref ledger.ref NOT NULL,
    last_ref ledger.ref NOT NULL,
    row_count integer NOT NULL,
    completes boolean NOT NULL,
    late boolean NOT NULL,
    header bytea NOT NULL,
    digest bytea
);
CREATE INDEX batch_by_height ON ledger_internal.batch (height);
CREATE INDEX batch_by_digest ON ledger_internal.batch (digest);
CREATE INDEX batch_not_final ON ledger_internal.batch (batch) WHERE height IS NULL;
CREATE INDEX batch_by_snapshot ON ledger_internal.batch (snapshot, last_ref);
COMMENT ON COLUMN ledger_internal.batch.batch IS
    'running number; the one in the header starts from 1 in each incarnation';
COMMENT ON COLUMN ledger_internal.batch.height IS
    'of its block; NULL while other members have not ordered it';
COMMENT ON COLUMN ledger_internal.batch.digest IS
    'of the header; NULL until it is in the own log, and its header has no place in the lane until then';
COMMENT ON COLUMN ledger_internal.batch.completes IS
    'the batch that holds the last rows of its snapshot difference';
COMMENT ON COLUMN ledger_internal.batch.late IS
    'rows of a table that could not be locked in time; ledger_internal.late_rows says which';

CREATE TABLE ledger_internal.section (
    batch bigint NOT NULL,
    section integer NOT NULL,
    table_id uuid NOT NULL,
    table_version integer NOT NULL,
    kind smallint NOT NULL,
    row_count integer NOT NULL,
    first_ref ledger.ref NOT NULL,
    last_ref ledger.ref NOT NULL,
    commitment bytea,
    row_key bytea NOT NULL,
    root bytea NOT NULL,
    nodes bytea NOT NULL,
    manifest bytea NOT NULL,
    PRIMARY KEY (batch, section)
);
-- Hashes do not get smaller by compressing them, nor does a list of them.
ALTER TABLE ledger_internal.section ALTER COLUMN nodes SET STORAGE EXTERNAL, ALTER COLUMN manifest SET STORAGE EXTERNAL;
CREATE INDEX section_by_table ON ledger_internal.section (table_id, batch);
COMMENT ON COLUMN ledger_internal.section.commitment IS
    'private sections: the 16 bytes of the commitment that stands for the section leaf; they follow from the member''s secret';
COMMENT ON COLUMN ledger_internal.section.nodes IS
    'roots of the perfect subtrees of 256 rows, in order, 32 bytes each';
COMMENT ON COLUMN ledger_internal.section.manifest IS
    'refs and fingerprints of the rows (chain_manifest.h), so that verification can name a row';

-- What a final block has beside its header, which is in ledger_internal.block.
CREATE TABLE ledger_internal.block_order (
    height bigint PRIMARY KEY,
    cut bytea NOT NULL,
    entries bytea NOT NULL,
    certificate bytea NOT NULL,
    standing bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.block_order IS
    'of blocks of a ledger that consensus orders, those from before the first invitation too: cut, entries, finalization of the block or of a descendant, standing of the members';

CREATE TABLE ledger_internal.foreign_section (
    height bigint NOT NULL,
    member bigint NOT NULL,
    incarnation integer NOT NULL,
    batch bigint NOT NULL,
    section integer NOT NULL,
    leaf_hash bytea NOT NULL,
    table_id uuid,
    table_version integer,
    row_count integer,
    row_key bytea,
    root bytea,
    nodes bytea,
    manifest bytea,
    PRIMARY KEY (member, incarnation, batch, section)
);
ALTER TABLE ledger_internal.foreign_section ALTER COLUMN nodes SET STORAGE EXTERNAL, ALTER COLUMN manifest SET STORAGE EXTERNAL;
CREATE INDEX foreign_section_by_table ON ledger_internal.foreign_section (table_id, height);
COMMENT ON TABLE ledger_internal.foreign_section IS
    'sections of foreign batches that have a body, as ledger_internal.section has the own ones; of private ones only the leaf hash';

CREATE TABLE ledger_internal.foreign_rows (
    first_ref ledger.ref PRIMARY KEY,
    last_ref ledger.ref NOT NULL,
    height bigint NOT NULL,
    incarnation integer NOT NULL,
    batch bigint NOT NULL,
    section integer NOT NULL
);
COMMENT ON TABLE ledger_internal.foreign_rows IS
    'where rows of other members are: runs of neighbouring refs of one transaction';

SELECT pg_extension_config_dump('ledger_internal.foreign_section', '');
SELECT pg_extension_config_dump('ledger_internal.foreign_rows', '');

CREATE TABLE ledger_internal.applied (
    height bigint NOT NULL
);
CREATE UNIQUE INDEX applied_one ON ledger_internal.applied ((true));
COMMENT ON TABLE ledger_internal.applied IS
    'where several members order: the last block that is applied here; one row';
SELECT pg_extension_config_dump('ledger_internal.applied', '');

CREATE TABLE ledger_internal.foreign_batch (
    height bigint NOT NULL,
    member bigint NOT NULL,
    incarnation integer NOT NULL,
    batch bigint NOT NULL,
    digest bytea NOT NULL,
    header bytea NOT NULL,
    PRIMARY KEY (height, member, incarnation, batch)
);
COMMENT ON TABLE ledger_internal.foreign_batch IS
    'batches of final blocks whose sections are not here: those of other members, and bodies that were submitted';
CREATE INDEX foreign_batch_by_digest ON ledger_internal.foreign_batch (digest);

CREATE TABLE ledger_internal.late_rows (
    first_ref ledger.ref PRIMARY KEY,
    last_ref ledger.ref NOT NULL,
    batch bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.late_rows IS
    'runs of refs whose table could not be locked when their snapshot was batched; they are in this batch instead';

CREATE TABLE ledger_internal.lagging (
    relation regclass PRIMARY KEY,
    base bigint NOT NULL,
    next bigint,
    position ledger.ref,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.lagging IS
    'tables that wait for a lock: batched are the rows that snapshot base sees and, up to position, those that next sees';

CREATE TABLE ledger_internal.own_log (
    incarnation integer NOT NULL,
    seq bigint NOT NULL,
    kind smallint NOT NULL,
    epoch bigint NOT NULL,
    view bigint NOT NULL,
    height bigint NOT NULL,
    message bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (incarnation, seq)
);
CREATE INDEX own_log_by_height ON ledger_internal.own_log (height, kind);
COMMENT ON TABLE ledger_internal.own_log IS
    'this member''s signed rows, byte for byte (src/consensus/README.md); a row is here before it can leave';

CREATE TABLE ledger_internal.own_vote (
    epoch bigint NOT NULL,
    view bigint NOT NULL,
    slot text NOT NULL CHECK (slot IN ('propose', 'notarize', 'phase2')),
    digest bytea NOT NULL,
    PRIMARY KEY (epoch, view, slot)
);
COMMENT ON TABLE ledger_internal.own_vote IS
    'one vote per epoch, view and slot: equivocation meets a unique violation';

-- A dump carries all of it, so that ledger.resume() can go on with the chain.
SELECT pg_extension_config_dump('ledger_internal.node', '');
SELECT pg_extension_config_dump('ledger_internal.snapshot', '');
SELECT pg_extension_config_dump('ledger_internal.block', '');
SELECT pg_extension_config_dump('ledger_internal.batch', '');
SELECT pg_extension_config_dump('ledger_internal.section', '');
SELECT pg_extension_config_dump('ledger_internal.block_order', '');
SELECT pg_extension_config_dump('ledger_internal.foreign_batch', '');
SELECT pg_extension_config_dump('ledger_internal.late_rows', '');
SELECT pg_extension_config_dump('ledger_internal.lagging', '');
SELECT pg_extension_config_dump('ledger_internal.own_log', '');
SELECT pg_extension_config_dump('ledger_internal.own_vote', '');
