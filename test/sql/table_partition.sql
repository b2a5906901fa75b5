-- Partitioned ledger tables, also before version 17.
SET client_min_messages = warning;
CREATE SCHEMA regress_partition;
SET search_path = regress_partition;
CREATE TABLE p (id integer, v text) PARTITION BY LIST (id) USING ledger;
\d p
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY LIST (v);
CREATE TABLE p2a PARTITION OF p2 FOR VALUES IN ('a');
-- ATTACH: an empty table becomes one, in another order of columns too.
CREATE TABLE p3 (v text, id integer);
ALTER TABLE p ATTACH PARTITION p3 FOR VALUES IN (3);
CREATE TABLE p4 (id integer, v text) USING ledger;
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES IN (4);
CREATE TABLE p5 (LIKE p INCLUDING ALL);
ALTER TABLE p ATTACH PARTITION p5 FOR VALUES IN (5);
\d p3
SELECT relname, amname FROM pg_class AS c LEFT JOIN pg_am AS a ON a.oid = c.relam
    WHERE relname ~ '^p\d' AND relkind IN ('r', 'p') ORDER BY relname;
SELECT relation FROM ledger_internal.ledger_parent JOIN pg_class ON oid = relation
    WHERE relnamespace = 'regress_partition'::regnamespace ORDER BY relation::text;

-- Rows find their partition, and refs lead back to it.
INSERT INTO p VALUES (1, 'a'), (2, 'a'), (3, 'c'), (4, 'd'), (5, 'e')
    RETURNING id, ledger.row_number(ledger_ref);
COPY p FROM stdin;
1	x
3	z
\.
SELECT tableoid::regclass, id, v, ledger.relation_of(ledger_ref) = tableoid AS found
    FROM p ORDER BY ledger_ref;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM p WHERE id = 1 AND ledger_ref = '1.0.1.1';
RESET enable_seqscan;

-- Definitions follow in every leaf.
ALTER TABLE p ADD COLUMN w integer DEFAULT 4;
ALTER TABLE p RENAME COLUMN v TO vv;
SELECT id, vv, w FROM p WHERE id = 1 ORDER BY ledger_ref;
SELECT table_name, version, action, attribute_numbers, column_names
    FROM ledger.table_version WHERE schema_name = 'regress_partition'
    ORDER BY table_name, version;

-- Refused
CREATE TABLE p6 (id integer, vv text, w integer);
INSERT INTO p6 VALUES (6, 'x', 1);
ALTER TABLE p ATTACH PARTITION p6 FOR VALUES IN (6);
CREATE TABLE p7 PARTITION OF p FOR VALUES IN (7) USING heap;
CREATE FOREIGN DATA WRAPPER regress_wrapper;
CREATE SERVER regress_server FOREIGN DATA WRAPPER regress_wrapper;
CREATE FOREIGN TABLE p8 PARTITION OF p FOR VALUES IN (8) SERVER regress_server;
ALTER TABLE p DETACH PARTITION p1;
ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;
DROP TABLE p1;
DROP TABLE p2;
DROP TABLE p;
TRUNCATE p;
TRUNCATE ONLY p1;
UPDATE p SET vv = 'u';
DELETE FROM p WHERE id = 1;
UPDATE p SET id = 2, vv = 'a' WHERE id = 1;
ALTER TABLE p ALTER COLUMN vv TYPE varchar;
ALTER TABLE p DROP COLUMN vv;
ALTER TABLE p ADD COLUMN x integer NOT NULL;
ALTER TABLE p ALTER COLUMN ledger_ref DROP DEFAULT;
ALTER TABLE p1 ALTER COLUMN ledger_ref DROP DEFAULT;
DROP INDEX p1_ledger_ref_idx;
CREATE TABLE base (id integer PRIMARY KEY);
INSERT INTO base SELECT generate_series(1, 9);
ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES base ON DELETE CASCADE;
ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES base ON DELETE RESTRICT;
CREATE RULE r AS ON INSERT TO p DO INSTEAD NOTHING;

-- Heap trees stay heap trees.
CREATE TABLE h (id integer) PARTITION BY LIST (id);
CREATE TABLE h1 PARTITION OF h FOR VALUES IN (1) USING ledger;
CREATE TABLE h1 PARTITION OF h FOR VALUES IN (1);
CREATE TABLE h2 (id integer) USING ledger;
ALTER TABLE h ATTACH PARTITION h2 FOR VALUES IN (2);

-- By the default access method
SET default_table_access_method = ledger;
CREATE TABLE q (id integer) PARTITION BY RANGE (id);
CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO (10);
RESET default_table_access_method;
CREATE TABLE q2 PARTITION OF q FOR VALUES FROM (10) TO (20);
INSERT INTO q VALUES (1), (11);
SELECT relname, amname FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam
    WHERE relname ~ '^q\d$' ORDER BY relname;

-- Empty trees can go.
CREATE TABLE e (id integer) PARTITION BY LIST (id) USING ledger;
CREATE TABLE e1 PARTITION OF e FOR VALUES IN (1);
DROP TABLE e;
SELECT relation FROM ledger_internal.ledger_parent JOIN pg_class ON oid = relation
    WHERE relnamespace = 'regress_partition'::regnamespace ORDER BY relation::text;
