-- Rows that were passed over when they should have been batched.

CREATE TABLE ledger_internal.rejected (
    ref ledger.ref PRIMARY KEY,
    table_id uuid NOT NULL,
    height bigint,
    sqlstate text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ledger_internal.rejected IS
    'rows that are in their table and in no batch, since they are not signed as it demands';
SELECT pg_extension_config_dump('ledger_internal.rejected', '');

-- Rows that are in a final block, and were refused by all members when it was
-- applied.
CREATE TABLE ledger_internal.refused_row (
    ref ledger.ref NOT NULL,
    table_id uuid NOT NULL,
    height bigint NOT NULL,
    batch bigint NOT NULL,
    sqlstate text NOT NULL,
    reason text NOT NULL,
    bytes bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refused_row_by_ref ON ledger_internal.refused_row (ref);
COMMENT ON TABLE ledger_internal.refused_row IS
    'rows of shared tables that a final block orders and that break a rule: the same on all members';
SELECT pg_extension_config_dump('ledger_internal.refused_row', '');

-- The bytes are a row: for whom its table shows all rows.  Where there is no table, for superusers.
CREATE VIEW ledger.rejected AS
    SELECT r.ref, t.relation, r.height, r.sqlstate, r.reason, r.at,
           CASE WHEN coalesce(has_table_privilege(t.relation, 'SELECT') AND NOT row_security_active(t.relation),
                              (SELECT u.rolsuper FROM pg_roles AS u WHERE u.rolname = current_user))
                THEN r.bytes END AS bytes
      FROM (SELECT ref, table_id, height, sqlstate, reason, at, NULL::bytea AS bytes
              FROM ledger_internal.rejected
             UNION ALL
            SELECT ref, table_id, height, sqlstate, reason, at, bytes
              FROM ledger_internal.refused_row) AS r
      LEFT JOIN ledger_internal.ledger_table AS t USING (table_id);
GRANT SELECT ON ledger.rejected TO PUBLIC;
COMMENT ON VIEW ledger.rejected IS 'rows of ledger tables that are on no ledger, or were refused by all members, and why';
COMMENT ON COLUMN ledger.rejected.bytes IS 'of a row that a block has: its encoding; NULL for whom the table does not show all rows';
COMMENT ON COLUMN ledger.rejected.height IS
    'of the block that rejected the row, NULL where it never was in one';
