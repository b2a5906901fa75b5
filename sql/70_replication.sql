-- Peers, what came from them, and what goes to them (src/replication/README.md).

CREATE TABLE ledger_internal.peer (
    member bigint PRIMARY KEY CHECK (member BETWEEN 1 AND 4294967295),
    row_key bytea NOT NULL CHECK (octet_length(row_key) = 32),
    address text,
    left_at timestamptz,
    announced bigint[],
    observes boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE ledger_internal.peer IS
    'members and where their wires are; this member''s own row has the address that it announces; left_at: no member any more since then; announced: epoch, view and sequence of the row of its log that says the address; observes: has no log';

CREATE TABLE ledger_internal.invitation (
    number bigint PRIMARY KEY,
    name text NOT NULL,
    roles text[] NOT NULL,
    row_key bytea NOT NULL UNIQUE CHECK (octet_length(row_key) = 32),
    invited_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger_internal.invitation IS
    'whom this member has invited: may read its wire, and is to be that member once admitted';

CREATE TABLE ledger_internal.peer_log (
    member bigint NOT NULL,
    nonce bytea NOT NULL,
    seq bigint NOT NULL,
    kind smallint NOT NULL,
    epoch bigint NOT NULL,
    view bigint NOT NULL,
    message bytea NOT NULL,
    digest bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (member, nonce, seq)
);
CREATE INDEX peer_log_by_digest ON ledger_internal.peer_log (digest);
COMMENT ON TABLE ledger_internal.peer_log IS
    'rows of peers'' logs, byte for byte: validly signed, each naming the one before';

-- From which row of each log a start reads all (src/node/node_order_summary.c); what
-- it needs of those before is found by these indexes.
CREATE TABLE ledger_internal.log_summary (
    member bigint NOT NULL,
    nonce bytea NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    digest bytea NOT NULL,
    height bigint NOT NULL,
    summary bytea,
    dropped_seq bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (member, nonce)
);
COMMENT ON TABLE ledger_internal.log_summary IS
    'logs of other members: a start reads all rows from first_seq on; summary: what those up to last_seq, which has this digest, amount to (src/consensus/README.md); dropped_seq: up to there rows of the log that no start needs were dropped';
CREATE TABLE ledger_internal.own_log_summary (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    first_incarnation integer NOT NULL,
    first_seq bigint NOT NULL,
    last_incarnation integer NOT NULL,
    last_seq bigint NOT NULL,
    digest bytea NOT NULL,
    height bigint NOT NULL,
    instance bytea NOT NULL CHECK (octet_length(instance) = 16),
    dropped_incarnation integer NOT NULL DEFAULT 0,
    dropped_seq bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE ledger_internal.own_log_summary IS
    'the same of the own log; instance: the copy of this node that wrote the last ACK up to there';

-- Logs with holes, and what may be dropped (src/replication/replication_forget.c, _trim.c).
CREATE TABLE ledger_internal.sparse_log (
    member bigint NOT NULL,
    nonce bytea NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (member, nonce)
);
COMMENT ON TABLE ledger_internal.sparse_log IS
    'logs of which rows up to seq may be missing: own ones that were dropped, and those that no wire had any more when the log was read on';
CREATE TABLE ledger_internal.needed_view (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    epoch bigint NOT NULL,
    view bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.needed_view IS
    'one row: every active member has a checkpoint of that view, so consensus needs no vote of an earlier one';
CREATE INDEX own_log_kept ON ledger_internal.own_log (kind, incarnation, seq) WHERE kind IN (8, 9, 10, 11);
CREATE INDEX peer_log_kept ON ledger_internal.peer_log (member, kind, nonce, seq) WHERE kind IN (8, 9, 10, 11);
CREATE INDEX own_log_by_lane ON ledger_internal.own_log (substring(message FROM 121 FOR 10)) WHERE kind = 1;
CREATE INDEX peer_log_by_lane ON ledger_internal.peer_log (member, substring(message FROM 121 FOR 10)) WHERE kind = 1;

CREATE TABLE ledger_internal.contradiction (
    member bigint NOT NULL,
    digest bytea NOT NULL,
    nonce bytea NOT NULL,
    seq bigint NOT NULL,
    message bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (member, digest)
);
COMMENT ON TABLE ledger_internal.contradiction IS
    'validly signed rows at a place where peer_log has another one: evidence, at most 16 per member';

CREATE TABLE ledger_internal.loose_row (
    digest bytea PRIMARY KEY,
    member bigint NOT NULL,
    kind smallint NOT NULL,
    message bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.loose_row IS
    'rows that were asked for by digest, outside the order of their log; validly signed';

CREATE TABLE ledger_internal.quarantine (
    slot integer PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
    number bigint NOT NULL,
    member bigint NOT NULL,
    reason text NOT NULL,
    size bigint NOT NULL,
    head bytea NOT NULL,
    arrived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.quarantine IS
    'what arrived and was refused, the last 1024 of them, each with its first 4096 bytes';

CREATE TABLE ledger_internal.peer_position (
    member bigint PRIMARY KEY,
    wire uuid NOT NULL,
    arrival bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.peer_position IS
    'how far the arrivals of each log have been read, in that wire';

CREATE TABLE ledger_internal.wanted_chunk (
    digest bytea NOT NULL,
    batch_digest bytea NOT NULL,
    member bigint NOT NULL,
    incarnation integer NOT NULL,
    batch bigint NOT NULL,
    size integer NOT NULL,
    PRIMARY KEY (digest, batch_digest, size)
);
CREATE INDEX wanted_chunk_by_batch ON ledger_internal.wanted_chunk (batch_digest);
COMMENT ON TABLE ledger_internal.wanted_chunk IS
    'chunks that a stored BATCH row names and that are not here yet';

CREATE TABLE ledger_internal.peer_body (
    digest bytea PRIMARY KEY,
    chunk bytea NOT NULL,
    batch_digest bytea
);
ALTER TABLE ledger_internal.peer_body ALTER COLUMN chunk SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger_internal.peer_body IS
    'chunks of peers'' batches; digest is the SHA-256 of the chunk';
COMMENT ON COLUMN ledger_internal.peer_body.batch_digest IS
    'the batch with which the chunk may be dropped; NULL: several name it, and it stays';

CREATE TABLE ledger_internal.fetched_body (
    digest bytea PRIMARY KEY,
    member bigint NOT NULL,
    audience text
);
CREATE INDEX fetched_body_by_member ON ledger_internal.fetched_body (member);
COMMENT ON TABLE ledger_internal.fetched_body IS
    'chunks of peer_body that were read in another wire and are not in the own one yet, and for whom they are';

CREATE TABLE ledger_internal.own_body (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    chunk bytea NOT NULL CHECK (octet_length(chunk) BETWEEN 1 AND 1048576),
    audience bigint[]
);
ALTER TABLE ledger_internal.own_body ALTER COLUMN chunk SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger_internal.own_body IS
    'chunks of this member''s batches, in the order in which they leave; audience NULL means everybody';

-- Bodies of applied batches are dropped some day, and made again from the tables
-- for who lacks them (src/node/node_prune.c).  What is asked for is no part of
-- the ledger: a crash may forget it.
CREATE TABLE ledger_internal.pruned (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    body_height bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.pruned IS
    'one row: bodies of batches in blocks up to body_height were dropped, but for those that cannot be made again';

CREATE UNLOGGED TABLE ledger_internal.asked_body (
    batch_digest bytea PRIMARY KEY CHECK (octet_length(batch_digest) = 32),
    number bigint GENERATED ALWAYS AS IDENTITY
);
COMMENT ON TABLE ledger_internal.asked_body IS 'batches whose bodies another member lacks and no wire has';

CREATE UNLOGGED TABLE ledger_internal.rebuilt_body (
    digest bytea PRIMARY KEY,
    chunk bytea NOT NULL
);
ALTER TABLE ledger_internal.rebuilt_body ALTER COLUMN chunk SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger_internal.rebuilt_body IS 'chunks of such bodies, on their way into the own wire';

-- Rows of tables compress well, and what is stored of a body is written to the WAL,
-- which every sender of a wire in this server reads.  pglz would take longer than it saves.
DO $$
DECLARE
    name text;
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        FOREACH name IN ARRAY '{own_body,peer_body,rebuilt_body}'::text[] LOOP
            EXECUTE format('ALTER TABLE ledger_internal.%I ALTER COLUMN chunk SET STORAGE EXTENDED,'
                           || ' ALTER COLUMN chunk SET COMPRESSION lz4', name);
        END LOOP;
    END IF;
END $$;

CREATE TABLE ledger_internal.wire_mark (
    wire uuid NOT NULL,
    of_rows boolean NOT NULL,
    arrival bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (wire, of_rows, arrival)
);
COMMENT ON TABLE ledger_internal.wire_mark IS 'which numbers had been given to arrivals in the own wire by then: of_rows, for rows of logs, which are kept for another time than bodies';

SELECT pg_extension_config_dump('ledger_internal.pruned', '');
SELECT pg_extension_config_dump('ledger_internal.peer', '');
SELECT pg_extension_config_dump('ledger_internal.peer_log', '');
SELECT pg_extension_config_dump('ledger_internal.log_summary', '');
SELECT pg_extension_config_dump('ledger_internal.own_log_summary', '');
SELECT pg_extension_config_dump('ledger_internal.sparse_log', '');
SELECT pg_extension_config_dump('ledger_internal.needed_view', '');
SELECT pg_extension_config_dump('ledger_internal.contradiction', '');
SELECT pg_extension_config_dump('ledger_internal.loose_row', '');
SELECT pg_extension_config_dump('ledger_internal.wanted_chunk', '');
SELECT pg_extension_config_dump('ledger_internal.peer_body', '');
SELECT pg_extension_config_dump('ledger_internal.fetched_body', '');
SELECT pg_extension_config_dump('ledger_internal.own_body', '');
SELECT pg_extension_config_dump('ledger_internal.own_body_position_seq', '');
