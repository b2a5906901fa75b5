-- Contracts: the roles that they know, what was deployed, what may be
-- (src/contract/README.md).

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['ledger_contract', 'ledger_admin', 'ledger_submitter', 'ledger_reader', 'ledger_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) wanted) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    -- another database of this server has got the extension at the same time
    NULL;
END $$;

CREATE TABLE ledger_internal.ordered_chunk (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    height bigint NOT NULL
);
COMMENT ON TABLE ledger_internal.ordered_chunk IS
    'bodies that were submitted by hand or as the source of a contract: the first final block that has them';

CREATE TABLE ledger_internal.decision (
    height bigint PRIMARY KEY,
    motion bytea NOT NULL
);
COMMENT ON TABLE ledger_internal.decision IS 'motions that were decided, each by the final block at that height';

CREATE TABLE ledger_internal.contract (
    height bigint PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    motion bytea NOT NULL,
    source text,
    state text NOT NULL CHECK (state IN ('deployed', 'failed', 'skipped')),
    reason text
);
CREATE UNIQUE INDEX contract_deployed ON ledger_internal.contract (name, version) WHERE state = 'deployed';
COMMENT ON TABLE ledger_internal.contract IS
    'contracts that were decided on: deployed at that height, or the reason why not, the same at all members; skipped: the members have passed over it (ledger.skip())';

CREATE TABLE ledger_internal.contract_schema (
    schema name PRIMARY KEY,
    contract text NOT NULL,
    indexes name[] NOT NULL
);
COMMENT ON TABLE ledger_internal.contract_schema IS
    'schemas of contracts, where nobody changes anything; indexes: those that the scripts of all versions made';

SELECT pg_extension_config_dump('ledger_internal.ordered_chunk', '');
SELECT pg_extension_config_dump('ledger_internal.decision', '');
SELECT pg_extension_config_dump('ledger_internal.contract', '');
SELECT pg_extension_config_dump('ledger_internal.contract_schema', '');

CREATE FUNCTION ledger.check_contract(source text,
        OUT line integer, OUT construct text, OUT why text, OUT replacement text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_check_contract' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.check_contract(text) IS
    'what in this script no contract may have, one row each, with what to write instead; no row: it can be deployed';

CREATE FUNCTION ledger.check_contract(source text, name text,
        OUT line integer, OUT construct text, OUT why text, OUT replacement text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_check_contract_change' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.check_contract(text, text) IS
    'the same of a script that is to be the next version of that contract: run on what is there, and taken back';

-- State tables: made by contracts, known by where they lie.  Their ids are
-- those of shared tables (src/table/table_shared.c).
CREATE VIEW ledger_internal.state_table AS
    SELECT c.oid::regclass AS relation, s.contract,
           encode(substring(sha256('telco_ledger/1/table'::bytea
                   || int2send(octet_length(n.nspname::text)::int2) || convert_to(n.nspname::text, 'UTF8')
                   || int2send(octet_length(c.relname::text)::int2) || convert_to(c.relname::text, 'UTF8')) FOR 16), 'hex')::uuid AS table_id
      FROM pg_class AS c
      JOIN pg_am AS a ON a.oid = c.relam
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN ledger_internal.contract_schema AS s ON s.schema = n.nspname
     WHERE a.amname = 'ledger_state' AND c.relkind = 'r';
COMMENT ON VIEW ledger_internal.state_table IS 'state tables of contracts, with the ids under which they are in the state root';

CREATE VIEW ledger.state AS
    SELECT coalesce(t.relation, v.relation) AS relation, s.table_id, s.height, s.digest, s.damaged_at
      FROM ledger_internal.table_state AS s
      LEFT JOIN ledger_internal.ledger_table AS t USING (table_id)
      LEFT JOIN ledger_internal.state_table AS v USING (table_id);
GRANT SELECT ON ledger.state TO PUBLIC;
COMMENT ON VIEW ledger.state IS
    'shared tables, and state tables of contracts, as of the last block applied here: digest of the set of their rows, the same on all members that have applied as much';
COMMENT ON COLUMN ledger.state.relation IS 'NULL: a new version of its contract has dropped the table';
COMMENT ON COLUMN ledger.state.height IS 'of the last block that changed the table';

COMMENT ON COLUMN ledger.state.damaged_at IS
    'block before which this node found that the stored set hash was changed; NULL: it never did';
