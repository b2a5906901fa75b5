-- Shared tables: ledger tables whose rows go to all members.

CREATE TABLE ledger_internal.shared_table (
    relation regclass PRIMARY KEY,
    table_id uuid UNIQUE NOT NULL,
    contract text NOT NULL,
    height bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.shared_table IS
    'ledger tables whose rows go to all members: the contract that made them, the block since which they are shared';
SELECT pg_extension_config_dump('ledger_internal.shared_table', '');

CREATE FUNCTION ledger_internal.share_table(relation regclass, table_id uuid, contract text DEFAULT 'test', height bigint DEFAULT 0)
    RETURNS void
    AS 'MODULE_PATHNAME', 'tl_share_table' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.share_table(regclass, uuid, text, bigint) IS
    'makes an empty ledger table of a test ledger shared under this table id; a superuser''s function for tests, where a contract does the same on all members at one height';
