-- Test ledgers: the member's own tables can be dropped and truncated, and each
-- time a row of ledger.table_version says so.
SET client_min_messages = warning;
CREATE DATABASE regress_test_ledger TEMPLATE template0 ENCODING 'UTF8';
\c regress_test_ledger
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE EXTENSION telco_ledger CASCADE;
SELECT ledger.create_node('FRAF1', purpose => 'test') IS NOT NULL AS created;
CREATE TABLE a (id integer PRIMARY KEY) USING ledger;
CREATE TABLE b (id integer REFERENCES a) USING ledger;
CREATE TABLE p (id integer) PARTITION BY LIST (id) USING ledger;
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE SCHEMA s CREATE TABLE c (id integer) USING ledger;
INSERT INTO a VALUES (1);
INSERT INTO b VALUES (1);
INSERT INTO p VALUES (1);
INSERT INTO s.c VALUES (1);
TRUNCATE b;
TRUNCATE a CASCADE;
TRUNCATE p;
INSERT INTO a VALUES (1);
SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM p);
DROP TABLE b;
DROP SCHEMA s CASCADE;
DROP TABLE p;
DO $$ BEGIN DROP TABLE a; END $$;
CREATE TABLE a (id text) USING ledger;
INSERT INTO a VALUES ('another');
BEGIN;
DROP TABLE a;
ROLLBACK;
SELECT schema_name, table_name, version, action, type_names FROM ledger.table_version
    ORDER BY ledger_ref;
SELECT relation FROM ledger_internal.ledger_table ORDER BY relation::text;
-- Nothing else gives way.
UPDATE a SET id = 'x';
DELETE FROM a;
ALTER TABLE a DROP COLUMN id;
ALTER TABLE a ALTER COLUMN id TYPE varchar;
ALTER TABLE a SET ACCESS METHOD heap;
TRUNCATE ledger.table_version;
DROP EXTENSION telco_ledger CASCADE;
SELECT id FROM a;
\c contrib_regression
DROP DATABASE regress_test_ledger WITH (FORCE);
