-- Receipts of many rows: who may have them, what they share, what is refused.
SET client_min_messages = warning;
CREATE DATABASE regress_receipts TEMPLATE template0 ENCODING 'UTF8';
\c regress_receipts
SET client_min_messages = warning;
\set VERBOSITY default
CREATE EXTENSION telco_ledger CASCADE;
SELECT ledger.consistency_proof(1, 1);
SELECT ledger.create_node('DEUD1', purpose => 'test') IS NOT NULL AS created;
SELECT ledger.consistency_proof(1, 1);
CREATE TABLE cdr (call_id bigint, kind text, charge numeric(10,4)) USING ledger;
INSERT INTO cdr SELECT i, 'Anruf ' || i, i / 100.0 FROM generate_series(1, 1100) AS i;
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM cdr WHERE call_id = 1100;
CREATE TABLE part (id integer, region text) PARTITION BY LIST (region) USING ledger;
CREATE TABLE part_north PARTITION OF part FOR VALUES IN ('north');
INSERT INTO part VALUES (1, 'north'), (2, 'north');
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM part;

-- One verdict a row, in the order of the ledger, each row once.
CREATE FUNCTION receipts_of(condition text, relation regclass DEFAULT 'cdr') RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb;
BEGIN
    EXECUTE format('SELECT ledger.receipts(%L, array_agg(ledger_ref)) FROM %s WHERE %s', relation, relation, condition) INTO result;
    RETURN result;
END $$;
SELECT v.valid, v.reason, v.member, v.height = ledger.height(v.ref) AS height, v.row
  FROM ledger.verify_receipts(receipts_of('call_id IN (1, 256, 257, 1024, 1025, 1100)')) AS v;
SELECT ledger.receipts('cdr', array_agg(ledger_ref) || array_agg(ledger_ref)) = ledger.receipts('cdr', array_agg(ledger_ref)) AS same
  FROM (SELECT ledger_ref FROM cdr WHERE call_id < 20 ORDER BY random()) AS c;
SELECT count(*), count(DISTINCT v.ref), bool_and(v.valid) AS valid FROM ledger.verify_receipts(receipts_of('true')) AS v;

-- Every pair of rows around the edges of tiles.
SELECT count(*), bool_and(v.valid) AS valid
  FROM unnest('{1,2,255,256,257,512,513,1024,1025,1099,1100}'::int[]) AS a, unnest('{1,256,257,512,768,769,1024,1025,1100}'::int[]) AS b,
       LATERAL ledger.verify_receipts(receipts_of(format('call_id IN (%s, %s)', a, b))) AS v
 WHERE a < b;

-- What is shared stands once: all rows need no node at all, one needs a path.
SELECT jsonb_array_length(s -> 'nodes') AS nodes, jsonb_array_length(s -> 'rows') AS rows
  FROM unnest('{true,call_id = 1,call_id < 257,call_id <> 700}'::text[]) AS condition,
       LATERAL jsonb_path_query(receipts_of(condition), '$.rows.blocks[*].batches[*].sections[*]') AS s;

-- The single document is understood by the same function.
SELECT v.valid, v.row FROM cdr, LATERAL ledger.verify_receipts(ledger.receipt('cdr', ledger_ref)) AS v WHERE call_id = 7;
SELECT valid, reason FROM ledger.verify_receipts('{}');
SELECT valid, reason FROM ledger.verify_receipts('{"format": "telco_ledger receipts 1"}');
SELECT count(*) FROM ledger.verify_receipts(NULL);

-- Definitions have receipts like rows, and need none.
SELECT v.valid, v.row ->> 'table_name' AS table_name
  FROM ledger.verify_receipts(receipts_of('version = 1', 'ledger.table_version')) AS v ORDER BY 2;

-- Partitions through the parent, under the names that they had; several
-- versions of one table.
CREATE TABLE part_south (region text, id integer) USING ledger;
ALTER TABLE part ATTACH PARTITION part_south FOR VALUES IN ('south');
INSERT INTO part VALUES (3, 'south');
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM part;
ALTER TABLE part_north RENAME TO part_septentrion;
ALTER TABLE cdr RENAME COLUMN charge TO price;
ALTER TABLE cdr ADD COLUMN note text;
INSERT INTO cdr (call_id, note) VALUES (2000, 'neu');
SELECT ledger.wait_final(ledger_ref) > 0 AS final FROM cdr WHERE call_id = 2000;
CREATE SCHEMA archive;
ALTER TABLE cdr SET SCHEMA archive;
INSERT INTO archive.cdr (call_id, note) VALUES (2001, 'neuer');
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM archive.cdr WHERE call_id >= 2000;
SELECT v.valid, v.row FROM ledger.verify_receipts(receipts_of('true', 'part')) AS v ORDER BY v.row ->> 'id';
SELECT s ->> 'table' AS table, jsonb_array_length(s -> 'rows') AS rows
  FROM jsonb_path_query(receipts_of('true', 'part'), '$.rows.blocks[*].batches[*].sections[*]') AS s ORDER BY 1;
SELECT v.valid, v.row FROM ledger.verify_receipts(receipts_of('call_id IN (5, 2000, 2001)', 'archive.cdr')) AS v;
SELECT s ->> 'schema' AS schema, s ->> 'table' AS table, s -> 'definition' AS definition
  FROM jsonb_path_query(receipts_of('call_id IN (5, 2000, 2001)', 'archive.cdr'), '$.rows.blocks[*].batches[*].sections[*]') AS s;
SELECT ledger.receipt('part', ledger_ref) ->> 'table' AS table FROM part WHERE id = 1;
SELECT ledger.receipt('part_septentrion', ledger_ref) ->> 'table' AS table FROM part WHERE id = 1;
DO $$
BEGIN
    PERFORM ledger.receipts('part_septentrion', array_agg(ledger_ref)) FROM part;
EXCEPTION WHEN SQLSTATE 'TL018' THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF');
END $$;
ALTER TABLE archive.cdr SET SCHEMA public;

-- Each part changed: which rows are refused, and why.
CREATE TABLE saved AS SELECT receipts_of('call_id IN (10, 20, 2001)') AS r;
CREATE FUNCTION verdict(changed jsonb) RETURNS TABLE (valid bigint, invalid bigint, reasons text) LANGUAGE sql
    RETURN (SELECT (count(*) FILTER (WHERE v.valid), count(*) FILTER (WHERE NOT v.valid),
                    string_agg(DISTINCT v.reason, '; ') FILTER (WHERE NOT v.valid))
              FROM ledger.verify_receipts(changed) AS v);
SELECT v.* FROM saved, verdict(r) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks,0,batches,0,sections,0,rows,0,row,charge}', '"9"')) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks,0,batches,0,sections,0,rows,1,index}', '20')) AS v;
SELECT v.* FROM saved, verdict(r #- '{rows,blocks,0,batches,0,sections,0,rows,1}') AS v;
SELECT v.* FROM saved, verdict(r #- '{rows,blocks,0,batches,0,sections,0,nodes,1}') AS v;
SELECT v.* FROM saved, verdict(jsonb_insert(r, '{rows,blocks,0,batches,0,sections,0,rows,1}', r #> '{rows,blocks,0,batches,0,sections,0,rows,0}')) AS v;
SELECT v.* FROM saved, verdict(r #- '{rows,blocks,0}') AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks}', jsonb_build_array(r #> '{rows,blocks,1}', r #> '{rows,blocks,0}'))) AS v;
SELECT v.* FROM saved, verdict(r #- '{definitions,blocks,0}') AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks,0,batches,0,sections,0,definition}', '1')) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks,0,batches,0,member}', '"DEUD2"')) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,blocks,1,batches,0,sections,0,schema}', '"public"')) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{head}', r #> '{genesis}')) AS v;
SELECT v.* FROM saved, verdict(jsonb_set(r, '{rows,history,0}', to_jsonb(repeat('0', 64)))) AS v;

-- Tree heads.
SELECT count(ledger.wait_final(ledger_ref)) > 4 AS final FROM ledger.table_version;
SELECT split_part(ledger.tree_head(), E'\n', 2)::bigint AS size, ledger.tree_head() AS kept \gset
INSERT INTO cdr (call_id) VALUES (3000);
SELECT count(ledger.wait_final(ledger_ref)) AS final FROM cdr WHERE call_id = 3000;
SELECT v.valid, v.reason FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref, :size), :'kept') AS v WHERE call_id = 5;
SELECT v.valid, v.reason FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref), :'kept') AS v WHERE call_id = 5;
SELECT call_id, v.valid, v.reason
  FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref), :'kept', ledger.consistency_proof(:size, :size + 1)) AS v
 WHERE call_id IN (5, 3000) ORDER BY call_id;
SELECT count(*), count(*) FILTER (WHERE v.valid) AS valid, count(DISTINCT v.reason) AS reasons
  FROM ledger.verify_receipts(receipts_of('call_id IN (5, 6, 3000)'), :'kept', ledger.consistency_proof(:size, :size + 1)) AS v;
SELECT v.valid, v.reason FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref), :'kept', ledger.consistency_proof(:size - 1, :size)) AS v WHERE call_id = 5;
SELECT v.valid, v.reason FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref), :'kept', '{}') AS v WHERE call_id = 5;
SELECT v.valid, v.reason FROM cdr, LATERAL ledger.verify_receipt(ledger.receipt('cdr', ledger_ref), translate(:'kept', E'\n', E'\t')) AS v WHERE call_id = 5;
SELECT ledger.verify_receipt('{}', NULL, '{}');
SELECT ledger.verify_receipt('{}', :'kept', '{"\\x00"}');
SELECT ledger.verify_receipt('{}', :'kept', '{NULL}');
SELECT array_length(ledger.consistency_proof(:size, :size), 1) AS same_size;
CREATE FUNCTION head(size bigint) RETURNS bytea LANGUAGE sql
    RETURN (SELECT substr(header, length(header) - 31) FROM ledger_internal.block WHERE height = size);
SELECT bool_and(ledger.merkle_verify_consistency(old, new, ledger.consistency_proof(old, new), head(old), head(new))) AS consistent
  FROM generate_series(1, :size + 1) AS old, generate_series(old, :size + 1) AS new;
SELECT ledger.consistency_proof(0, 1);
SELECT ledger.consistency_proof(2, 1);
SELECT ledger.consistency_proof(NULL, 1) IS NULL AS null;
DO $$
BEGIN
    PERFORM ledger.receipts('cdr', array_agg(ledger_ref), 2) FROM cdr WHERE call_id = 2001;
EXCEPTION WHEN SQLSTATE 'TL017' THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF');
END $$;

-- Whom one of the rows or columns is hidden from gets no receipts.
CREATE ROLE regress_reader;
CREATE TABLE refs AS SELECT array_agg(ledger_ref) AS nine_and_ten, min(ledger_ref) AS nine FROM cdr WHERE call_id IN (9, 10);
GRANT SELECT ON refs TO regress_reader;
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || regexp_replace(SQLERRM, '\d+\.\d+\.\d+\.\d+', 'REF');
END $$;
SELECT try('SELECT ledger.consistency_proof(1, 100000)');
SET ROLE regress_reader;
SELECT try('SELECT ledger.receipts(''cdr'', nine_and_ten) FROM refs');
SELECT try('SELECT ledger.receipts(''part'', nine_and_ten) FROM refs');
RESET ROLE;
GRANT SELECT (call_id, kind, price, ledger_ref) ON cdr TO regress_reader;
SET ROLE regress_reader;
SELECT try('SELECT ledger.receipts(''cdr'', nine_and_ten) FROM refs') AS without_note;
SELECT try('SELECT ledger.receipt(''cdr'', nine) FROM refs') AS without_note;
SELECT try('SELECT ledger.encode_row(''cdr'', nine) FROM refs') AS without_note;
RESET ROLE;
GRANT SELECT (note) ON cdr TO regress_reader;
SET ROLE regress_reader;
SELECT try('SELECT ledger.receipts(''cdr'', nine_and_ten) FROM refs') AS with_note;
RESET ROLE;
ALTER TABLE cdr ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cdr FOR SELECT TO regress_reader USING (call_id = 9);
SET ROLE regress_reader;
SELECT try('SELECT ledger.receipts(''cdr'', nine_and_ten) FROM refs') AS ten_is_hidden;
SELECT v.valid, v.row ->> 'call_id' AS call_id FROM refs, LATERAL ledger.verify_receipts(ledger.receipts('cdr', ARRAY[nine])) AS v;
SELECT ledger.receipts('cdr', ARRAY[nine])::text ~ 'Anruf 10' AS shows_others FROM refs;
RESET ROLE;
-- Which leaf a row is in has a right of its own.
GRANT SELECT (id, region, ledger_ref) ON part TO regress_reader;
SET ROLE regress_reader;
SELECT try('SELECT ledger.receipts(''part'', nine_and_ten) FROM refs') AS without_tableoid;
RESET ROLE;
-- A policy on the parent counts through the parent, one on the leaf in the leaf.
GRANT SELECT ON part TO regress_reader;
ALTER TABLE part ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON part FOR SELECT TO regress_reader USING (id = 1);
CREATE TABLE part_refs AS SELECT id, ledger_ref AS ref FROM part;
GRANT SELECT ON part_refs TO regress_reader;
SET ROLE regress_reader;
SELECT id, try(format('SELECT ledger.receipts(''part'', ARRAY[%L::ledger.ref])', ref)) AS parent,
       try(format('SELECT ledger.receipts(''part_septentrion'', ARRAY[%L::ledger.ref])', ref)) AS leaf
  FROM part_refs ORDER BY id;
RESET ROLE;

-- Other refusals.
SELECT ledger.receipts('pg_class', ARRAY['1.0.745.1'::ledger.ref]);
SELECT ledger.receipts('cdr', '{}');
SELECT ledger.receipts('cdr', ARRAY[NULL::ledger.ref]);
SELECT ledger.receipts(NULL, ARRAY['1.0.745.1'::ledger.ref]) IS NULL AS null_relation, ledger.receipts('cdr', NULL) IS NULL AS null_refs;
SELECT ledger.receipts('cdr', ARRAY['1.0.3.1'::ledger.ref]);
SELECT ledger.receipts('cdr', ARRAY[nine], 0) FROM refs;
SELECT try('SELECT ledger.receipts(''cdr'', ARRAY[nine], 1000000) FROM refs');
BEGIN;
INSERT INTO cdr (call_id) VALUES (4000);
SELECT try('SELECT ledger.receipts(''cdr'', array_agg(ledger_ref)) FROM cdr WHERE call_id IN (1, 4000)');
ROLLBACK;

-- Damage to what is stored: no document that would be refused elsewhere.
CREATE FUNCTION damage(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE statement;
    result := try('SELECT ledger.receipts(''cdr'', array_agg(ledger_ref)) FROM cdr WHERE call_id IN (300, 301, 2001)');
    RAISE EXCEPTION USING MESSAGE = result;
EXCEPTION WHEN raise_exception THEN
    RETURN SQLERRM;
END $$;
SELECT damage('SELECT');
SELECT damage('UPDATE ledger_internal.section SET row_key = sha256(row_key)');
SELECT damage('UPDATE ledger_internal.section SET commitment = NULL');
SELECT damage('UPDATE ledger_internal.section SET root = sha256(root)');
SELECT damage('UPDATE ledger_internal.section SET nodes = substr(nodes, 34)');
SELECT damage('UPDATE ledger_internal.section SET manifest = substr(manifest, 1, 20)');
SELECT damage('UPDATE ledger_internal.section SET table_version = 9');
SELECT damage('DELETE FROM ledger_internal.section');
SELECT damage('UPDATE ledger_internal.batch SET header = set_byte(header, 40, 1)');
SELECT damage('UPDATE ledger_internal.batch SET digest = sha256(digest)');
SELECT damage('UPDATE ledger_internal.block SET header = set_byte(header, 110, 1)');
SELECT damage('UPDATE ledger_internal.block SET subtree_roots = sha256(subtree_roots)');
SELECT damage('DELETE FROM ledger_internal.own_log');

\c contrib_regression
DROP DATABASE regress_receipts WITH (FORCE);
DROP ROLE regress_reader;
