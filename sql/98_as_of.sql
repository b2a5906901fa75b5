-- Contracts: state tables as they were after a block (src/node/node_image.c).

CREATE TABLE ledger_internal.state_image (
    height bigint,
    number bigint,
    table_id uuid NOT NULL,
    key bytea NOT NULL CHECK (octet_length(key) = 32),
    before bytea,
    PRIMARY KEY (height, number)
);
COMMENT ON TABLE ledger_internal.state_image IS
    'what rows of state tables were before the block at that height has changed them, NULL where they were not there; of the last telco_ledger.keep_state, this member''s own, not dumped';

CREATE TABLE ledger_internal.state_kept (
    is_on boolean PRIMARY KEY DEFAULT true CHECK (is_on),
    since bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.state_kept IS
    'above that block the images in ledger_internal.state_image have no gap; no row: there are none';

CREATE VIEW ledger_internal.state_since AS
    SELECT t.table_id, t.relation,
           greatest(least(coalesce((SELECT k.since FROM ledger_internal.state_kept AS k), a.height),
                          coalesce((SELECT s.height FROM ledger_internal.table_state AS s WHERE s.table_id = t.table_id), 0)),
                    coalesce((SELECT max(c.height) FROM ledger_internal.contract AS c
                               WHERE c.name = t.contract AND c.state = 'deployed' AND c.version > 1), 0)) AS since
      FROM ledger_internal.state_table AS t, ledger_internal.applied AS a;
COMMENT ON VIEW ledger_internal.state_since IS 'from which block on it can be told what each state table was';

CREATE FUNCTION ledger_internal.image_key("row" anyelement) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_image_key' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.image_key(anyelement) IS 'the key by which a row of a state table is known among old images';

CREATE FUNCTION ledger_internal.image("row" anyelement) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_image' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.image(anyelement) IS 'the bytes of a row of a state table';

CREATE FUNCTION ledger_internal.image_row(type anyelement, image bytea) RETURNS anyelement
    AS 'MODULE_PATHNAME', 'tl_image_row' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.image_row(anyelement, bytea) IS 'an old image as a row of that state table';

-- No SECURITY DEFINER: the caller has to be able to read the table.
CREATE FUNCTION ledger.as_of(relation anyelement, height bigint) RETURNS SETOF anyelement
    AS 'MODULE_PATHNAME', 'tl_as_of' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 10000
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.as_of(anyelement, bigint) IS
    'the rows of a state table after the block at that height: SELECT * FROM ledger.as_of(NULL::contract.relation, 1234); so far back as telco_ledger.keep_state says';
