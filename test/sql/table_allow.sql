-- Ledger tables: what works as on every other table.
\pset null NULL
SET client_min_messages = warning;

-- Before there is a node: tables may be made, rows may not.
CREATE TABLE early (id integer) USING ledger;
INSERT INTO early VALUES (1);
SELECT count(*) FROM ledger.table_version;
SELECT ledger.create_node('FRAF1') IS NOT NULL AS created;
SELECT version, action, table_name, column_names, type_names
    FROM ledger.table_version ORDER BY ledger_ref;
INSERT INTO early VALUES (1);
\set VERBOSITY terse

-- The column, its default and its index come by themselves.
CREATE TABLE cdr (id integer PRIMARY KEY, subscriber text, charge numeric(10,2)) USING ledger;
\d cdr

-- INSERT in all forms.  Refs count from 1 in each transaction.
INSERT INTO cdr VALUES (1, 'a', 1.50) RETURNING ledger.row_number(ledger_ref);
INSERT INTO cdr (id) VALUES (2), (3) RETURNING id, ledger.row_number(ledger_ref);
INSERT INTO cdr SELECT n, 'b', n FROM generate_series(5, 4, -1) AS n
    RETURNING id, ledger.row_number(ledger_ref);
WITH new AS (INSERT INTO cdr VALUES (6, 'c', 0) RETURNING id, ledger_ref)
    SELECT id, ledger.row_number(ledger_ref) FROM new;
INSERT INTO cdr DEFAULT VALUES;
BEGIN;
INSERT INTO cdr VALUES (7, 'd', 1);
SAVEPOINT s;
INSERT INTO cdr VALUES (8, 'e', 1);
ROLLBACK TO SAVEPOINT s;
-- Number 2 has been issued and is never used again.
INSERT INTO cdr VALUES (8, 'f', 1) RETURNING ledger.row_number(ledger_ref);
COMMIT;
PREPARE p (integer) AS INSERT INTO cdr VALUES ($1, 'g', 1) RETURNING ledger.row_number(ledger_ref);
EXECUTE p (9);
EXECUTE p (10);
DEALLOCATE p;
BEGIN;
INSERT INTO cdr VALUES (11, 'h', 1);
PREPARE TRANSACTION 'regress_allow';
SELECT count(*) FROM cdr WHERE id = 11;
COMMIT PREPARED 'regress_allow';
SELECT count(*) FROM cdr WHERE id = 11;
INSERT INTO cdr VALUES (1, 'again', 1) ON CONFLICT DO NOTHING;
INSERT INTO cdr VALUES (1, 'again', 1) ON CONFLICT (id) DO NOTHING RETURNING id;
INSERT INTO cdr VALUES (12, 'i', 1) ON CONFLICT (id) DO NOTHING RETURNING id;
MERGE INTO cdr USING (VALUES (12), (13)) AS s (id) ON cdr.id = s.id
    WHEN NOT MATCHED THEN INSERT (id, subscriber) VALUES (s.id, 'merged');
DO $$ BEGIN INSERT INTO cdr VALUES (14, 'do', 1); END $$;
COPY cdr FROM stdin;
20	copied	1.25
21	\N	\N
\.
COPY cdr (subscriber, id) FROM stdin;
named	22
\.
-- COPY stores many rows at once.
CREATE EXTENSION pg_walinspect;
SELECT pg_current_wal_insert_lsn() AS start \gset
COPY cdr (id) FROM stdin;
23
24
25
\.
SELECT pg_current_wal_flush_lsn() AS stop \gset
SELECT count(*) AS multi_inserts FROM pg_get_wal_records_info(:'start', :'stop')
    WHERE record_type LIKE 'MULTI_INSERT%' AND block_ref LIKE '%/' || pg_relation_filenode('cdr') || ' %';
DROP EXTENSION pg_walinspect;
SELECT id, subscriber, charge, ledger.row_number(ledger_ref) AS row FROM cdr ORDER BY id;
SELECT count(DISTINCT ledger_ref) = count(*) AS refs_are_unique FROM cdr;
-- An UPDATE that finds no row has nothing to refuse.
UPDATE cdr SET subscriber = 'nobody' WHERE id = -1;
DELETE FROM cdr WHERE id = -1;

-- ledger_ref is a value like others.
SELECT min(ledger_ref) < max(ledger_ref) AS ordered,
       bool_and(ledger_ref::text::ledger.ref = ledger_ref) AS text_round,
       bool_and(ledger_ref::uuid::ledger.ref = ledger_ref) AS uuid_round,
       bool_and(ledger.relation_of(ledger_ref) = 'cdr'::regclass) AS found
    FROM cdr;
SELECT ledger.relation_of('1.0.1.1');
SELECT ledger.member('3.1.88123.4'), ledger.incarnation('3.1.88123.4'),
       ledger.transaction('3.1.88123.4'), ledger.row_number('3.1.88123.4');
SELECT '4294967295.65535.281474976710655.4294967295'::ledger.ref::uuid;
SELECT '1.0.1'::ledger.ref;
SELECT '1.0.281474976710656.1'::ledger.ref;
SELECT '01.0.1.1'::ledger.ref;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM cdr WHERE ledger_ref = '1.0.1.1';
RESET enable_seqscan;
CREATE INDEX cdr_ref_hash ON cdr USING hash (ledger_ref);
CREATE INDEX cdr_ref_brin ON cdr USING brin (ledger_ref);
CREATE TABLE correction (of_row ledger.ref NOT NULL, reason text) USING ledger;
INSERT INTO correction SELECT ledger_ref, 'wrong rate' FROM cdr WHERE id = 1;
SELECT c.reason, cdr.id FROM correction AS c JOIN cdr ON cdr.ledger_ref = c.of_row;

-- Columns: added ones read NULL in older rows, whatever the default.
ALTER TABLE cdr ADD COLUMN note text DEFAULT 'new';
ALTER TABLE cdr ADD COLUMN cell integer CHECK (cell > 0), ADD COLUMN ratio double precision DEFAULT random();
INSERT INTO cdr (id, ratio) VALUES (30, 0.5);
-- A domain with constraints makes ALTER TABLE rewrite the rows.
CREATE DOMAIN regress_rank AS integer CHECK (VALUE > 0);
SELECT pg_relation_filenode('cdr') AS before, md5(string_agg(ledger_ref::text, ',' ORDER BY id)) AS refs FROM cdr \gset
ALTER TABLE cdr ADD COLUMN rank regress_rank;
CREATE DOMAIN regress_serial_number AS text;
ALTER TABLE early ADD COLUMN device regress_serial_number;
SELECT pg_relation_filenode('cdr') <> :before AS rewritten,
       md5(string_agg(ledger_ref::text, ',' ORDER BY id)) = :'refs' AS same_refs, count(rank) FROM cdr;
INSERT INTO cdr (id, cell) VALUES (31, -1);
SELECT id, note, cell, ratio FROM cdr WHERE id IN (1, 30) ORDER BY id;
SELECT atthasmissing FROM pg_attribute WHERE attrelid = 'cdr'::regclass AND attname = 'note';
ALTER TABLE cdr ALTER COLUMN note SET DEFAULT 'other', ALTER COLUMN note SET STATISTICS 10;
ALTER TABLE cdr RENAME COLUMN cell TO cell_id;
ALTER TABLE cdr RENAME TO call;
ALTER TABLE call RENAME TO cdr;
CREATE SCHEMA regress_archive;
ALTER TABLE early SET SCHEMA regress_archive;
ALTER SCHEMA regress_archive RENAME TO regress_archived;
SELECT schema_name, table_name, version, action, attribute_numbers, column_names, type_tags
    FROM ledger.table_version WHERE table_name IN ('early', 'cdr', 'call')
    ORDER BY table_id = (SELECT table_id FROM ledger_internal.ledger_table WHERE relation = 'cdr'::regclass), version;

-- Constraints, foreign keys both ways, generated and identity columns.
CREATE TABLE tariff (code text PRIMARY KEY);
INSERT INTO tariff VALUES ('T1');
CREATE TABLE rated (
    id integer GENERATED ALWAYS AS IDENTITY,
    seconds integer NOT NULL CHECK (seconds >= 0),
    minutes integer GENERATED ALWAYS AS (seconds / 60) STORED,
    code text REFERENCES tariff,
    UNIQUE (id)
) USING ledger;
INSERT INTO rated (seconds, code) VALUES (120, 'T1'), (30, NULL) RETURNING id, minutes;
INSERT INTO rated (seconds) VALUES (-1);
INSERT INTO rated (seconds, code) VALUES (1, 'T2');
DELETE FROM tariff;
CREATE TABLE dispute (rated_id integer REFERENCES rated (id) ON DELETE CASCADE, row_ref ledger.ref REFERENCES rated (ledger_ref));
INSERT INTO dispute SELECT id, ledger_ref FROM rated WHERE id = 1;
INSERT INTO dispute VALUES (99, NULL);
ALTER TABLE rated ADD CONSTRAINT short CHECK (seconds < 100000);
ALTER TABLE rated DROP CONSTRAINT short;
ALTER TABLE rated ADD FOREIGN KEY (code) REFERENCES tariff;

-- LIKE takes the column along and makes it whole.
CREATE TABLE cdr_like (LIKE cdr INCLUDING ALL) USING ledger;
\d cdr_like
CREATE TABLE keyed (ledger_ref ledger.ref PRIMARY KEY, id integer) USING ledger;
INSERT INTO keyed (id) VALUES (1) RETURNING id;
\d keyed
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;
BEGIN;
ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ADD UNIQUE (ledger_ref);
ROLLBACK;
CREATE TABLE cdr_like2 (LIKE cdr) USING ledger;
INSERT INTO cdr_like2 (id) VALUES (1) RETURNING id;
SET default_table_access_method = ledger;
CREATE TABLE by_default (id integer);
RESET default_table_access_method;
INSERT INTO by_default VALUES (1) RETURNING id;
CREATE SCHEMA regress_elements CREATE TABLE element (id integer) USING ledger;
INSERT INTO regress_elements.element VALUES (1) RETURNING id;

-- Indexes of all kinds, and what a DBA does to tables.
CREATE INDEX CONCURRENTLY cdr_subscriber ON cdr (subscriber);
CREATE UNIQUE INDEX cdr_upper ON cdr (upper(subscriber), id);
CREATE INDEX cdr_partial ON cdr (id) WHERE charge > 1;
REINDEX TABLE cdr;
REINDEX INDEX CONCURRENTLY cdr_ledger_ref_idx;
DROP INDEX cdr_partial;
VACUUM cdr;
VACUUM (FREEZE) cdr;
VACUUM FULL cdr;
CLUSTER cdr USING cdr_pkey;
ANALYZE cdr;
ALTER TABLE cdr SET (fillfactor = 90);
SET allow_in_place_tablespaces = true;
CREATE TABLESPACE regress_space LOCATION '';
ALTER TABLE cdr SET TABLESPACE regress_space;
ALTER TABLE cdr SET TABLESPACE pg_default;
DROP TABLESPACE regress_space;
CREATE TABLE cdr_copy AS SELECT * FROM cdr;
DROP TABLE cdr_copy;
CREATE MATERIALIZED VIEW cdr_sum AS SELECT sum(charge) FROM cdr;
REFRESH MATERIALIZED VIEW cdr_sum;
CREATE VIEW cdr_view AS SELECT id, subscriber FROM cdr;
INSERT INTO cdr_view VALUES (60, 'by view');
SELECT count(*), count(DISTINCT ledger_ref) FROM cdr;
COMMENT ON TABLE cdr IS 'call detail records';
COMMENT ON COLUMN cdr.ledger_ref IS 'address';
SELECT id FROM cdr WHERE id = 1 FOR UPDATE;
SELECT id FROM cdr WHERE id = 1 FOR KEY SHARE;
CREATE UNIQUE INDEX cdr_ledger_ref_idx ON cdr USING btree (ledger_ref);	-- as a dump does
SELECT relname, relkind FROM pg_class AS c JOIN pg_am AS a ON a.oid = relam WHERE amname = 'ledger' AND relkind <> 'r';

-- Megabytes.
CREATE TABLE blob (id integer, body text) USING ledger;
ALTER TABLE blob ALTER COLUMN body SET STORAGE external;
INSERT INTO blob SELECT n, repeat(n::text, 3000000) FROM generate_series(1, 2) AS n;
SELECT id, length(body), md5(body) FROM blob ORDER BY id;

-- Row level security and grants.
CREATE ROLE regress_reader;
GRANT SELECT, INSERT ON cdr TO regress_reader;
ALTER TABLE cdr ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cdr USING (subscriber = 'a') WITH CHECK (subscriber = 'a');
SET ROLE regress_reader;
SELECT id FROM cdr;
INSERT INTO cdr (id, subscriber) VALUES (40, 'a') RETURNING id;
INSERT INTO cdr (id, subscriber) VALUES (41, 'b');
UPDATE cdr SET id = 2;
INSERT INTO rated (seconds) VALUES (1);
RESET ROLE;

-- Triggers run; a row that one suppresses leaves a gap in the numbers.
CREATE FUNCTION regress_trigger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.id < 0 THEN RETURN NULL; END IF; NEW.note := 'seen'; RETURN NEW; END $$;
CREATE TRIGGER before_row BEFORE INSERT ON cdr FOR EACH ROW EXECUTE FUNCTION regress_trigger();
INSERT INTO cdr (id) VALUES (-5), (50) RETURNING id, note, ledger.row_number(ledger_ref);

-- An empty table can go, a table with rows cannot.
CREATE TABLE empty (id integer) USING ledger;
DROP TABLE empty;
SELECT version, action FROM ledger.table_version WHERE table_name = 'empty' ORDER BY version;
CREATE TABLE undone (id integer) USING ledger;
BEGIN;
INSERT INTO undone VALUES (1);
ROLLBACK;
DROP TABLE undone;
SELECT count(*) FROM ledger_internal.ledger_table AS t
    WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = t.relation);

-- Every table on the ledger has a definition that fits.
SELECT t.relation
    FROM ledger_internal.ledger_table AS t
    WHERE t.relation <> 'ledger.table_version'::regclass
    AND NOT EXISTS (SELECT FROM ledger.table_version AS v WHERE v.table_id = t.table_id);

DROP OWNED BY regress_reader;
DROP ROLE regress_reader;
