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

CREATE VIEW ledger.rejected AS
    SELECT rejected.ref,
           ledger_table.relation,
           rejected.height,
           rejected.sqlstate,
           rejected.reason,
           rejected.at
      FROM ledger_internal.rejected
      LEFT JOIN ledger_internal.ledger_table USING (table_id);
GRANT SELECT ON ledger.rejected TO PUBLIC;
COMMENT ON VIEW ledger.rejected IS 'rows of ledger tables that are on no ledger, and why';
COMMENT ON COLUMN ledger.rejected.height IS
    'of the block that rejected the row, NULL where it never was in one';
