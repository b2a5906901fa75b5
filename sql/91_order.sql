-- Ordering among several founders of a test ledger (src/node/node_order.c).

CREATE TABLE ledger_internal.order_mode (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on)
);
COMMENT ON TABLE ledger_internal.order_mode IS
    'a row here: this test ledger orders what is submitted, with its other founders';

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
    RETURN pg_catalog.sha256('\x00'::pg_catalog.bytea OPERATOR(pg_catalog.||)
        pg_catalog.substring(message, 83, pg_catalog.octet_length(message) OPERATOR(pg_catalog.-) 146));
COMMENT ON FUNCTION ledger_internal.batch_digest(bytea) IS 'digest of the batch that a stored BATCH row carries';
CREATE INDEX own_log_by_batch ON ledger_internal.own_log (ledger_internal.batch_digest(message)) WHERE kind = 1;
CREATE INDEX peer_log_by_batch ON ledger_internal.peer_log (ledger_internal.batch_digest(message)) WHERE kind = 1;
CREATE INDEX loose_row_by_batch ON ledger_internal.loose_row (ledger_internal.batch_digest(message)) WHERE kind = 1;

SELECT pg_extension_config_dump('ledger_internal.order_mode', '');
SELECT pg_extension_config_dump('ledger_internal.submitted', '');

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
COMMENT ON FUNCTION ledger_internal.submit(bytea) IS 'has the members order this body; for tests of ordering';
