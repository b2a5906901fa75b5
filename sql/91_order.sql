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

CREATE TABLE ledger_internal.ordered_block (
    height bigint PRIMARY KEY,
    hash bytea NOT NULL,
    header bytea NOT NULL,
    cut bytea NOT NULL,
    entries bytea NOT NULL,
    certificate bytea NOT NULL,
    standing bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.ordered_block IS 'final blocks, as the core of consensus hands them over';

SELECT pg_extension_config_dump('ledger_internal.order_mode', '');
SELECT pg_extension_config_dump('ledger_internal.submitted', '');
SELECT pg_extension_config_dump('ledger_internal.ordered_block', '');

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
