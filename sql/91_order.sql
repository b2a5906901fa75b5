-- Ordering among several members (src/node/node_order.c).

CREATE TABLE ledger_internal.order_mode (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    alone_height bigint NOT NULL DEFAULT 0,
    alone_hash bytea CHECK (octet_length(alone_hash) = 32),
    alone_nonces bytea[] NOT NULL DEFAULT '{}',
    alone_sequences bigint[] NOT NULL DEFAULT '{}',
    CHECK (cardinality(alone_nonces) = cardinality(alone_sequences)),
    CHECK (alone_height = 0 OR (alone_hash IS NOT NULL AND cardinality(alone_nonces) > 0))
);
COMMENT ON TABLE ledger_internal.order_mode IS
    'a row here: consensus makes the blocks of this ledger; alone_...: up to which block the founder had made them alone, and where its log was then, incarnation by incarnation';

CREATE TABLE ledger_internal.submitted (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chunk bytea NOT NULL CHECK (octet_length(chunk) BETWEEN 1 AND 1048576)
);
COMMENT ON TABLE ledger_internal.submitted IS 'bodies that wait for a batch of this member';

CREATE VIEW ledger_internal.ordered_block AS
    SELECT b.height, b.hash, b.header, o.cut, o.entries, o.certificate, o.standing, o.stored_at
      FROM ledger_internal.block_order AS o
      JOIN ledger_internal.block AS b USING (height);
COMMENT ON VIEW ledger_internal.ordered_block IS 'final blocks, as the core of consensus hands them over';

-- Batches are named by their digests: SHA-256(0x00 || header), the header being
-- the payload of the BATCH row.
CREATE FUNCTION ledger_internal.batch_digest(message bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.sha256(E'\\x00'::pg_catalog.bytea OPERATOR(pg_catalog.||)
        pg_catalog.substring(message, 83, pg_catalog.octet_length(message) OPERATOR(pg_catalog.-) 146));
COMMENT ON FUNCTION ledger_internal.batch_digest(bytea) IS 'digest of the batch that a stored BATCH row carries';
CREATE INDEX own_log_by_batch ON ledger_internal.own_log (ledger_internal.batch_digest(message)) WHERE kind = 1;
CREATE INDEX peer_log_by_batch ON ledger_internal.peer_log (ledger_internal.batch_digest(message)) WHERE kind = 1;
CREATE INDEX loose_row_by_batch ON ledger_internal.loose_row (ledger_internal.batch_digest(message)) WHERE kind = 1;

SELECT pg_extension_config_dump('ledger_internal.order_mode', '');
SELECT pg_extension_config_dump('ledger_internal.submitted', '');
SELECT pg_extension_config_dump('ledger_internal.submitted_position_seq', '');

CREATE FUNCTION ledger_internal.submit(chunk bytea) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    place bigint;
BEGIN
    INSERT INTO ledger_internal.submitted AS s (chunk) VALUES (submit.chunk) RETURNING s.position INTO place;
    PERFORM ledger_internal.wire_changed();
    RETURN place;
END $$;
COMMENT ON FUNCTION ledger_internal.submit(bytea) IS 'has the members order this body: the source of a contract; also for tests of ordering';

-- From a ledger of one member to one that can have several (src/node/node_order_begin.c).
CREATE FUNCTION ledger_internal.begin_order() RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_begin_order' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.begin_order() IS
    'has consensus make the blocks of a ledger whose only member has made them alone; false if it does already';

-- What a row waits for.
CREATE FUNCTION ledger_internal.waiting_batch(ref ledger.ref) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_waiting_batch' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.waiting_batch(ledger.ref) IS 'the batch that has this row and is in no final block';

CREATE FUNCTION ledger.explain_wait(ref ledger.ref) RETURNS text
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    node record;
    stand record;
    waiting record;
    silent text;
    reason text;
BEGIN
    IF ledger.height(explain_wait.ref) IS NOT NULL THEN
        RETURN format('The row is final, in block %s.', ledger.height(explain_wait.ref));
    END IF;
    SELECT r.reason INTO reason FROM ledger_internal.rejected AS r WHERE r.ref = explain_wait.ref;
    IF FOUND THEN
        RETURN format('The row was rejected and never will be final. %s', reason);
    END IF;
    SELECT b.batch, b.digest IS NOT NULL AS placed INTO waiting
      FROM ledger_internal.batch AS b WHERE b.batch = ledger_internal.waiting_batch(explain_wait.ref);
    IF FOUND AND NOT waiting.placed THEN
        RETURN format('The row is in batch %s, which the process of the wire has to append to the own log.', waiting.batch);
    ELSIF FOUND THEN
        SELECT string_agg(p.member::text, ', ' ORDER BY p.member) INTO silent
          FROM ledger.peer AS p
         WHERE p.log_link IS DISTINCT FROM 'streaming'
           AND p.member <> (SELECT n.member FROM ledger_internal.node AS n);
        RETURN format('The row is in batch %s of the own log, which a quorum of the members has to order.', waiting.batch)
            || coalesce(format(' The links to members %s do not work.', silent), '');
    END IF;
    SELECT s.* INTO stand FROM ledger_internal.stand() AS s;
    IF FOUND THEN
        RETURN format('Applying stands at %s of block %s since %s: %s', ledger_internal.stand_words(stand.ref), stand.height, stand.since,
                      coalesce(stand.message || '.', 'it is being executed.'))
            || format('  If no member can finish it, a quorum passes over it, each at its own node: SELECT ledger.skip(''%s'').', stand.ref);
    END IF;
    SELECT s.worker_pid, s.waiting_tables, s.blocked_by INTO node FROM ledger.status AS s;
    IF node.worker_pid IS NULL THEN
        RETURN 'No worker runs for this ledger: the server''s log says why.';
    ELSIF node.waiting_tables IS NOT NULL THEN
        RETURN format('Tables %s wait for a lock of processes %s; a row of another table is in the next batch.',
                      array_to_string(node.waiting_tables, ', '), array_to_string(node.blocked_by, ', '));
    END IF;
    PERFORM ledger.finality(explain_wait.ref);      -- an error if there is no such row
    RETURN 'The worker has the row in no batch yet.';
END $$;
COMMENT ON FUNCTION ledger.explain_wait(ledger.ref) IS 'a sentence: what this row waits for before it is final';
