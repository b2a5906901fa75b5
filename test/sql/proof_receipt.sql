-- Receipts: who may have one, what they show, what makes them invalid.
SET client_min_messages = warning;
CREATE DATABASE regress_receipt TEMPLATE template0 ENCODING 'UTF8';
\c regress_receipt
SET client_min_messages = warning;
\set VERBOSITY default
CREATE EXTENSION telco_ledger CASCADE;
-- Nothing to prove yet.
SELECT ledger.tree_head();
CREATE TABLE cdr (call_id bigint, "Gesprächs Art" text, charge numeric(10,4)) USING ledger;
SELECT ledger.receipt('cdr', '1.0.745.1');
SELECT ledger.create_node('DEUD1', purpose => 'test') IS NOT NULL AS created;
SELECT regexp_replace(ledger.tree_head(), '[0-9a-f]{64}', 'CHAIN') AS empty_tree_head;
-- Definition and rows lie in different blocks.
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM ledger.table_version;

CREATE TYPE direction AS ENUM ('originating', 'terminating');
CREATE TABLE event (
    id integer, at timestamptz, on_day date, direction direction, labels text[],
    amount numeric, ratio float8, payload bytea, detail jsonb, ok boolean, missing text
) USING ledger;
INSERT INTO event VALUES (1, '2026-02-03 04:05:06.7+02', '2026-02-03', 'terminating', '{a,"b,c",NULL}',
    12.500, 0.1, '\x00ff', '{"b": 1, "a": [true]}', true, NULL);
INSERT INTO cdr SELECT i, 'Anruf ' || i, i / 100.0 FROM generate_series(1, 700) AS i;
CREATE TABLE part (id integer, region text) PARTITION BY LIST (region) USING ledger;
CREATE TABLE part_north PARTITION OF part FOR VALUES IN ('north');
INSERT INTO part VALUES (1, 'north');
SELECT max(ledger.wait_final(ledger_ref)) IS NOT NULL AS final FROM cdr WHERE call_id = 700;
SELECT max(ledger.wait_final(ledger_ref)) IS NOT NULL AS final FROM part;

-- What a receipt shows does not depend on settings.
SET timezone = 'Asia/Kathmandu';
SET bytea_output = escape;
SET datestyle = german;
SET extra_float_digits = -10;
SELECT jsonb_pretty(ledger.receipt('event', ledger_ref) -> 'row') FROM event;
RESET ALL;
SELECT r ->> 'format' AS format, r ->> 'purpose' AS purpose, r ->> 'member' AS member,
       r ->> 'schema' AS schema, r ->> 'table' AS table,
       (r ->> 'ref')::ledger.ref = ledger_ref AS ref,
       (r ->> 'height')::bigint = ledger.height(ledger_ref) AS height,
       (r ->> 'time')::timestamptz = ledger.block_time(ledger_ref) AS time,
       (SELECT count(*) FROM jsonb_object_keys(r)) AS keys
  FROM (SELECT ledger_ref, ledger.receipt('event', ledger_ref) AS r FROM event) AS e;

-- Valid for every row, tile and kind of table.
SELECT count(*), bool_and(v.valid) AS valid, min(v.member) AS member, bool_and(v.row ->> 'call_id' = call_id::text) AS row
  FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref)) AS v
 WHERE call_id IN (1, 2, 255, 256, 257, 512, 513, 699, 700);
SELECT v.valid, v.reason, v.row FROM part, LATERAL ledger.verify_receipt(ledger.receipt('part', ledger_ref)) AS v;
SELECT ledger.receipt('part', ledger_ref) ->> 'table' AS leaf FROM part;
SELECT v.valid, v.row ->> 'table_name' AS table_name, v.row ->> 'column_names' AS column_names
  FROM ledger.table_version AS t, LATERAL ledger.verify_receipt(ledger.receipt('ledger.table_version', t.ledger_ref)) AS v
 ORDER BY t.ledger_ref;

-- The names are those of the version that the row was written under.
ALTER TABLE cdr RENAME COLUMN charge TO price;
ALTER TABLE cdr ADD COLUMN note text;
INSERT INTO cdr (call_id, note) VALUES (701, 'neu');
SELECT ledger.wait_final(ledger_ref) IS NOT NULL AS final FROM cdr WHERE call_id = 701;
SELECT ledger.receipt('cdr', ledger_ref) -> 'row' AS row FROM cdr WHERE call_id IN (7, 701) ORDER BY call_id;

-- Any part changed makes it invalid; the verdict says which.
CREATE TABLE receipt AS SELECT ledger.receipt('cdr', ledger_ref) AS r FROM cdr WHERE call_id = 300;
CREATE FUNCTION verdict(changed jsonb) RETURNS text LANGUAGE sql
    RETURN (SELECT valid || ': ' || reason || coalesce(member || height || "row", '') FROM ledger.verify_receipt(changed));
SELECT verdict(jsonb_set(r, '{row,charge}', '"3.0001"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{row,charge}', 'null')) FROM receipt;
SELECT verdict(jsonb_set(r, '{row,more}', '"x"')) FROM receipt;
SELECT verdict(r #- '{row,charge}') FROM receipt;
SELECT verdict(jsonb_set(r, '{member}', '"DEUD2"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{purpose}', '"production"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{schema}', '"other"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{table}', '"other"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{ref}', '"1.0.1.1"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{height}', '1000000')) FROM receipt;
SELECT verdict(jsonb_set(r, '{height}', '"1"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{time}', '"2026-01-01T00:00:00.000000Z"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{format}', '"telco_ledger receipt 2"')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,index}', '298')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,index}', '299.0')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,path,0}', to_jsonb(repeat('0', 64)))) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,section,random}', to_jsonb(repeat('0', 32)))) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,section,random}', '""')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,batch,digests}', '[]')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,row,block}', r #> '{proof,definition,block}')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,definition}', 'null')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,definition}', r #> '{proof,row}')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,head,certificate}', '""')) FROM receipt;
SELECT verdict(jsonb_set(r, '{proof,extra}', '1')) FROM receipt;
SELECT verdict(jsonb_set(r, '{chain}', to_jsonb(upper(r ->> 'chain')))) FROM receipt;
SELECT verdict(jsonb_set(r, '{chain}', to_jsonb(repeat('0', 64)))) FROM receipt;
SELECT verdict('{}'), verdict('[]'), verdict('1');
SELECT * FROM ledger.verify_receipt(NULL);

-- A definition of another version.
SELECT verdict(jsonb_set(r, '{proof,definition}', ledger.receipt('cdr', ledger_ref) #> '{proof,definition}'))
  FROM receipt, cdr WHERE call_id = 701;

-- A receipt for an earlier tree head.
SELECT v.valid FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref, ledger.height(ledger_ref) + 1)) AS v
 WHERE call_id = 5;
DO $$
BEGIN
    PERFORM ledger.receipt('cdr', ledger_ref, ledger.height(ledger_ref)) FROM cdr WHERE call_id = 5;
EXCEPTION WHEN SQLSTATE 'TL017' THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', 'N', 'g');
END $$;
DO $$
BEGIN
    PERFORM ledger.receipt('cdr', ledger_ref, 1000000) FROM cdr WHERE call_id = 5;
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE WARNING '%', SQLERRM;
END $$;
SELECT ledger.receipt('cdr', ledger_ref, 0) FROM cdr WHERE call_id = 5;

-- Whom the row is hidden from gets no receipt.
CREATE ROLE regress_reader;
SET ROLE regress_reader;
SELECT ledger.receipt('cdr', '1.0.745.1');
RESET ROLE;
GRANT SELECT (call_id, ledger_ref) ON cdr TO regress_reader;
SET ROLE regress_reader;
SELECT ledger.receipt('cdr', '1.0.745.1');
RESET ROLE;
GRANT SELECT ON cdr TO regress_reader;
ALTER TABLE cdr ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cdr FOR SELECT TO regress_reader USING (call_id = 9);
CREATE TABLE hidden AS SELECT ledger_ref FROM cdr WHERE call_id = 10;
GRANT SELECT ON hidden TO regress_reader;
SET ROLE regress_reader;
SELECT call_id, v.valid FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref)) AS v;
DO $$
BEGIN
    PERFORM ledger.receipt('cdr', ledger_ref) FROM hidden;
EXCEPTION WHEN SQLSTATE 'TL018' THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF');
END $$;
SELECT current_user, length(ledger.tree_head()) > 100 AS tree_head;
RESET ROLE;

-- Other refusals.
SELECT ledger.receipt('pg_class', '1.0.745.1');
SELECT ledger.receipt(NULL, '1.0.745.1') IS NULL AS null_relation, ledger.receipt('cdr', NULL) IS NULL AS null_ref;
CREATE TABLE plain (ledger_ref ledger.ref);
INSERT INTO plain VALUES ('1.0.745.1');
SELECT ledger.receipt('plain', '1.0.745.1');
BEGIN;
INSERT INTO event (id) VALUES (2);
DO $$
BEGIN
    PERFORM ledger.receipt('event', ledger_ref) FROM event WHERE id = 2;
EXCEPTION WHEN SQLSTATE 'TL017' THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF');
END $$;
ROLLBACK;

-- Damage to what is stored: no receipt that would be refused elsewhere.
CREATE FUNCTION try_receipt() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM ledger.receipt('cdr', ledger_ref) FROM cdr WHERE call_id = 300;
    RETURN 'a receipt';
EXCEPTION WHEN SQLSTATE 'TL021' THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(': ', regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF'), nullif(detail, ''));
END $$;
CREATE FUNCTION damage(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE statement;
    result := try_receipt();
    RAISE EXCEPTION USING MESSAGE = result;
EXCEPTION WHEN raise_exception THEN
    RETURN SQLERRM;
END $$;
SELECT try_receipt();
SELECT damage('UPDATE ledger_internal.section SET row_key = sha256(row_key)');
SELECT damage('UPDATE ledger_internal.section SET commitment = substr(sha256(commitment), 1, 16)');
SELECT damage('UPDATE ledger_internal.section SET commitment = NULL');
SELECT damage('UPDATE ledger_internal.section SET commitment = substr(commitment, 2)');
SELECT damage('UPDATE ledger_internal.section SET root = sha256(root)');
SELECT damage('UPDATE ledger_internal.section SET nodes = substr(nodes, 2)');
SELECT damage('UPDATE ledger_internal.section SET manifest = substr(manifest, 1, 20)');
SELECT damage('UPDATE ledger_internal.section SET manifest = (SELECT manifest FROM ledger_internal.section ORDER BY row_count LIMIT 1)');
SELECT damage('UPDATE ledger_internal.section SET table_version = 9');
SELECT damage('UPDATE ledger_internal.section SET row_count = row_count - 1');
SELECT damage('DELETE FROM ledger_internal.section');
SELECT damage('UPDATE ledger_internal.batch SET header = set_byte(header, 40, 1)');
SELECT damage('UPDATE ledger_internal.batch SET digest = sha256(digest)');
SELECT damage('UPDATE ledger_internal.block SET header = set_byte(header, 110, 1)');
SELECT damage('UPDATE ledger_internal.block SET header = substr(header, 2)');
SELECT damage('UPDATE ledger_internal.block SET subtree_roots = sha256(subtree_roots)');
SELECT damage('UPDATE ledger_internal.block SET subtree_roots = substr(subtree_roots, 2)');
SELECT damage('DELETE FROM ledger_internal.own_log');
SELECT damage('UPDATE ledger_internal.own_log SET message = set_byte(message, 150, get_byte(message, 150) # 1)');
SELECT damage('UPDATE ledger_internal.node SET genesis_body = set_byte(genesis_body, 3, 0)');
SELECT damage('UPDATE ledger_internal.ledger_table SET table_id = gen_random_uuid()');
SELECT try_receipt();

-- Another database without a node gives the same verdict.
\t on
\a
\o /dev/null
SELECT r AS saved FROM receipt \gset
\o
\a
\t off
\c contrib_regression
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS telco_ledger CASCADE;
SELECT valid, member, "row" FROM ledger.verify_receipt(:'saved');
DROP DATABASE regress_receipt WITH (FORCE);
DROP ROLE regress_reader;
