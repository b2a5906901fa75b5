-- What resume() and accept_restore() refuse, and a node that its operator
-- declares to be restored.
SET client_min_messages = warning;
CREATE DATABASE regress_restore TEMPLATE template0 ENCODING 'UTF8';
\c regress_restore
SET client_min_messages = warning;
CREATE EXTENSION telco_ledger CASCADE;

-- no node
SELECT ledger.resume();
SELECT ledger.accept_restore('why not');
SELECT * FROM ledger.incarnation;

-- restore mode: tables as a dump brings them, and rows with their refs
CREATE TABLE cdr (id integer, ledger_ref ledger.ref DEFAULT ledger.next_ref() NOT NULL) USING ledger;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'cdr'::regclass;
SELECT count(*) AS ids FROM ledger_internal.ledger_table WHERE relation = 'cdr'::regclass;
BEGIN;
TRUNCATE ONLY cdr;
INSERT INTO cdr VALUES (1, '1.0.800.1');
TRUNCATE ONLY cdr;
ROLLBACK;
INSERT INTO cdr VALUES (1, '1.0.800.0');
INSERT INTO cdr VALUES (1, '0.0.800.1');
SELECT '1.0.800.0'::ledger.ref < '1.0.800.1' AS bound_before_the_first;
SET default_table_access_method = ledger;
CREATE TABLE plain (id integer) PARTITION BY LIST (id);
CREATE TABLE parent (id integer, ledger_ref ledger.ref DEFAULT ledger.next_ref() NOT NULL) PARTITION BY LIST (id);
RESET default_table_access_method;
SELECT relation FROM ledger_internal.ledger_parent;
SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'ledger_ref' AND attrelid IN ('plain'::regclass, 'parent'::regclass);

-- the node completes what was left out
SELECT ledger.create_node('FRAF1', purpose => 'test') IS NOT NULL AS created;
SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'cdr'::regclass;
SELECT count(*) AS ids FROM ledger_internal.ledger_table WHERE relation = 'cdr'::regclass;
SELECT version, action, table_name FROM ledger.table_version ORDER BY table_name, version;
TRUNCATE ledger.table_version;

-- a node that lives
SELECT ledger.resume();
SELECT ledger.accept_restore('');
SELECT ledger.accept_restore(repeat('x', 1025));
SELECT ledger.accept_restore(NULL) IS NULL AS nothing;
BEGIN READ ONLY;
SELECT ledger.accept_restore('read only');
ROLLBACK;
CREATE ROLE regress_restore_user;
GRANT INSERT ON cdr TO regress_restore_user;
SET ROLE regress_restore_user;
SELECT ledger.resume();
SELECT ledger.accept_restore('mine');
SELECT count(*) AS incarnations FROM ledger.incarnation;
RESET ROLE;

-- its operator knows better, and may say so; what happens is one transaction
INSERT INTO cdr VALUES (1);
BEGIN;
SELECT ledger.accept_restore('rolled back') > 0 AS opened;
INSERT INTO cdr VALUES (2);
SELECT id, ledger.incarnation(ledger_ref) FROM cdr ORDER BY id;
ROLLBACK;
SELECT state, incarnation FROM ledger.status;
SELECT ledger.accept_restore('the mark was lost with the disk') > 0 AS opened;
SELECT incarnation, opened_by, reason, lost_height, problems FROM ledger.incarnation;
INSERT INTO cdr VALUES (3);
SELECT ledger.wait_final(max(ledger_ref)) > 0 AS final FROM cdr;
SELECT id, ledger.incarnation(ledger_ref), ledger.is_final(ledger_ref) FROM cdr ORDER BY id;
SELECT valid FROM cdr, ledger.verify_receipt(ledger.receipt('cdr', ledger_ref));
SELECT kind, detail FROM ledger.verify(mode => 'full');
SELECT kind, detail FROM ledger.verify();

-- a REJOIN that somebody changed, or the entries of its block, is found
BEGIN;
UPDATE ledger_internal.own_log SET message = overlay(message PLACING 'other' FROM 307) WHERE kind = 11;
SELECT kind, detail FROM ledger.verify(mode => 'full');
ROLLBACK;
BEGIN;
DELETE FROM ledger_internal.own_log WHERE kind = 11;
SELECT kind FROM ledger.verify(mode => 'full') ORDER BY kind;
ROLLBACK;
BEGIN;
DELETE FROM ledger_internal.own_log WHERE incarnation = 0 AND seq = (SELECT max(seq) FROM ledger_internal.own_log WHERE incarnation = 0);
SELECT kind FROM ledger.verify(mode => 'full') ORDER BY kind;
ROLLBACK;
SELECT ledger.dispose();
\c postgres
DROP DATABASE regress_restore;
DROP ROLE regress_restore_user;
