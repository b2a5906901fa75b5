-- Names that come to mean something else between the look at a statement and
-- its run, and functions that are replaced: refused by OID.
SET client_min_messages = warning;
CREATE SCHEMA regress_recheck;
SET search_path = regress_recheck, public;
\set VERBOSITY terse

CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE t (id integer PRIMARY KEY, v varchar(10), m mood, p pair) USING ledger;
INSERT INTO t VALUES (1, 'one', 'sad', ROW(1, 'x'));
CREATE TABLE tree (id integer) PARTITION BY LIST (id) USING ledger;
CREATE TABLE tree1 PARTITION OF tree FOR VALUES IN (1);
INSERT INTO tree VALUES (1);

-- The trigger renames the thing that a statement names, and puts another one
-- of that name into its place.
CREATE FUNCTION swap() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY string_to_array(coalesce(current_setting('regress.swap', true), ''), ';') LOOP
        PERFORM set_config('regress.swap', '', false);
        EXECUTE command;
    END LOOP;
END $$;
CREATE EVENT TRIGGER regress_swap ON ddl_command_start EXECUTE FUNCTION swap();

CREATE TABLE decoy (id integer, v varchar(10));
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE t RENAME TO decoy';
ALTER TABLE decoy SET ACCESS METHOD heap;
RESET regress.swap;
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE t RENAME TO decoy';
ALTER TABLE decoy ALTER COLUMN v TYPE varchar(10) USING 'forged';
RESET regress.swap;
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE t RENAME TO decoy';
ALTER TABLE decoy DROP COLUMN v;
RESET regress.swap;
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE t RENAME TO decoy';
ALTER TABLE decoy ADD COLUMN y float8 DEFAULT random();
RESET regress.swap;
DROP TABLE decoy;

-- The other way: a table that is none must not become one with its rows.
CREATE TABLE plain (id integer, ledger_ref ledger.ref NOT NULL DEFAULT ledger.next_ref());
INSERT INTO plain VALUES (1);
CREATE TABLE decoy (id integer) USING ledger;
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE plain RENAME TO decoy';
ALTER TABLE decoy SET ACCESS METHOD ledger;
RESET regress.swap;
DROP TABLE decoy, plain;

CREATE TYPE decoy AS ENUM ('sad', 'ok');
SET regress.swap = 'ALTER TYPE decoy RENAME TO hidden; ALTER TYPE mood RENAME TO decoy';
ALTER TYPE decoy RENAME VALUE 'sad' TO 'bad';
RESET regress.swap;
DROP TYPE decoy;
CREATE TYPE decoy AS (a integer, b text);
SET regress.swap = 'ALTER TYPE decoy RENAME TO hidden; ALTER TYPE pair RENAME TO decoy';
ALTER TYPE decoy RENAME ATTRIBUTE a TO c;
RESET regress.swap;
SET regress.swap = 'ALTER TYPE decoy RENAME TO hidden; ALTER TYPE pair RENAME TO decoy';
ALTER TYPE decoy ADD ATTRIBUTE c integer;
RESET regress.swap;
DROP TYPE decoy;

CREATE TABLE filled (id integer, ledger_ref ledger.ref NOT NULL DEFAULT ledger.next_ref());
INSERT INTO filled VALUES (2);
CREATE TABLE decoy (id integer) PARTITION BY LIST (id);
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE tree RENAME TO decoy';
ALTER TABLE decoy ATTACH PARTITION filled FOR VALUES IN (2);
RESET regress.swap;
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE tree RENAME TO decoy';
CREATE TABLE part2 PARTITION OF decoy FOR VALUES IN (2) USING heap;
RESET regress.swap;
CREATE TABLE tree1_decoy PARTITION OF decoy FOR VALUES IN (1);
SET regress.swap = 'ALTER TABLE decoy RENAME TO hidden; ALTER TABLE tree RENAME TO decoy; ALTER TABLE tree1_decoy RENAME TO hidden1; ALTER TABLE tree1 RENAME TO tree1_decoy';
ALTER TABLE decoy DETACH PARTITION tree1_decoy;
RESET regress.swap;
DROP TABLE decoy, filled;
DROP EVENT TRIGGER regress_swap;

-- The functions of the library stay what they are, under any name.
BEGIN;
ALTER FUNCTION ledger_internal.table_am_handler(internal) RENAME TO handler;
CREATE OR REPLACE FUNCTION ledger_internal.handler(internal) RETURNS table_am_handler
    LANGUAGE internal STRICT AS 'heap_tableam_handler';
ROLLBACK;
CREATE OR REPLACE FUNCTION ledger.next_ref() RETURNS ledger.ref LANGUAGE sql AS $$SELECT NULL::ledger.ref$$;
CREATE OR REPLACE FUNCTION ledger.ref_cmp(ledger.ref, ledger.ref) RETURNS integer LANGUAGE sql AS 'SELECT 0';
ALTER EXTENSION telco_ledger DROP FUNCTION ledger.next_ref();
ALTER EXTENSION telco_ledger DROP ACCESS METHOD ledger;
CREATE FUNCTION handler(internal) RETURNS table_am_handler LANGUAGE c STRICT
    AS '$libdir/telco_ledger', 'tl_table_am_handler';
CREATE FUNCTION handler(internal) RETURNS table_am_handler LANGUAGE internal STRICT AS 'heap_tableam_handler';
CREATE OR REPLACE FUNCTION handler(internal) RETURNS table_am_handler LANGUAGE c STRICT
    AS '$libdir/telco_ledger', 'tl_table_am_handler';

-- An index in an order of somebody else does not stand in for the ref index.
CREATE OPERATOR CLASS other_order FOR TYPE ledger.ref USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 ledger.ref_cmp(ledger.ref, ledger.ref);
CREATE UNIQUE INDEX other_index ON t (ledger_ref other_order);
DROP INDEX t_ledger_ref_idx;

-- COPY writes as ALTER TABLE does when it rewrites a table.
CREATE FUNCTION copies(integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    name text := (SELECT oid::regclass FROM pg_class WHERE relrewrite = 't'::regclass);
BEGIN
    IF name IS NOT NULL THEN
        EXECUTE format('COPY %s (id, ledger_ref) FROM PROGRAM ''echo 9 1.0.1.1'' (DELIMITER '' '') WHERE random() >= 0', name);
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN copied AS integer CHECK (copies(VALUE));
\set VERBOSITY sqlstate
ALTER TABLE t ADD COLUMN y copied;
\set VERBOSITY terse

-- After all of this
SELECT id, v, m, p FROM t;
SELECT tableoid::regclass, id FROM tree;
UPDATE t SET v = 'forged';
SELECT relname, amname FROM pg_class JOIN pg_am ON pg_am.oid = relam
    WHERE relnamespace = 'regress_recheck'::regnamespace AND relkind = 'r' ORDER BY relname;
SELECT table_name, version, action FROM ledger.table_version
    WHERE schema_name = 'regress_recheck' ORDER BY ledger_ref;
