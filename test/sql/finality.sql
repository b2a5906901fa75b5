-- Finality as a user meets it: functions, views and settings.
\pset null (null)
CREATE DATABASE regression_finality ENCODING 'UTF8' TEMPLATE template0;
\c regression_finality
SET client_min_messages = warning;
CREATE EXTENSION telco_ledger CASCADE;
RESET client_min_messages;

-- Before the database is a node.
SELECT * FROM ledger.status;
SELECT count(*) FROM ledger.block;
SELECT ledger.is_final('1.0.5.1'), ledger.height('1.0.5.1'), ledger.block_time('1.0.5.1');
\set VERBOSITY terse
SELECT ledger.wait_final('1.0.5.1');
SELECT ledger.finality('1.0.5.1');
SELECT ledger.create_node('');
SELECT ledger.create_node('x', purpose => 'play');

SELECT length(ledger.create_node('FRAF1', purpose => 'test')) AS hex_digits;
SELECT ledger.create_node('again');
SELECT name, member, incarnation, purpose, length(chain), height, rows_pending, pending_age, waiting_tables, blocked_by
  FROM ledger.status;
SELECT height, length(hash), batches, rows FROM ledger.block;

-- A row, from INSERT to final.
CREATE TABLE cdr (id bigint, note text) USING ledger;
INSERT INTO cdr VALUES (1, 'first');
SELECT ledger.wait_final(ledger_ref) > 0 AS final FROM cdr;
SELECT ledger.finality(ledger_ref), ledger.is_final(ledger_ref),
       ledger.block_time(ledger_ref) = block.time AS time_of_block,
       block.hash = sha256('\x00' || block.header) AS hash_of_header
  FROM cdr JOIN ledger.block ON block.height = ledger.height(ledger_ref);
SELECT member, incarnation, rows >= 1 AS rows, sections >= 1 AS sections, late, batch.digest = sha256('\x00' || batch.header) AS digest_of_header
  FROM cdr JOIN ledger.batch ON ledger_ref BETWEEN first_ref AND last_ref;

-- NULL and other members' refs.
SELECT ledger.is_final(NULL), ledger.height(NULL), ledger.block_time(NULL), ledger.finality(NULL), ledger.wait_final(NULL);
SELECT ledger.wait_final('2.0.5.1');
SELECT ledger.finality('2.0.5.1');
SELECT ledger.wait_final('1.0.5.4294967295', '1 ms');

-- In the own transaction a row cannot be waited for.
BEGIN;
INSERT INTO cdr VALUES (2, 'mine');
SELECT ledger.is_final(ledger_ref), ledger.height(ledger_ref) FROM cdr WHERE id = 2;
\set VERBOSITY sqlstate
SELECT ledger.wait_final(ledger_ref) FROM cdr WHERE id = 2;
\set VERBOSITY terse
ROLLBACK;

-- commit_wait.
SHOW telco_ledger.commit_wait;
SHOW telco_ledger.commit_wait_timeout;
SET telco_ledger.commit_wait = on;
\set VERBOSITY sqlstate
SET telco_ledger.commit_wait_timeout = -1;
\set VERBOSITY terse
SET telco_ledger.no_such_setting = 1;
SET telco_ledger.commit_wait = final;
INSERT INTO cdr VALUES (3, 'waits');
SELECT ledger.is_final(ledger_ref) FROM cdr WHERE id = 3;
BEGIN;
SAVEPOINT a;
INSERT INTO cdr VALUES (4, 'taken back') RETURNING ledger_ref AS taken_back \gset
ROLLBACK TO a;
INSERT INTO cdr VALUES (5, 'stays');
COMMIT;
SELECT id, ledger.is_final(ledger_ref) FROM cdr WHERE id >= 4;
RESET telco_ledger.commit_wait;

-- A ref that no row has is nowhere, whatever became of its transaction.
SELECT ledger.is_final(:'taken_back'), ledger.height(:'taken_back'), ledger.block_time(:'taken_back');
\set VERBOSITY sqlstate
SELECT ledger.finality(:'taken_back');
SELECT ledger.wait_final(:'taken_back', '1 s');
\set VERBOSITY terse

-- Who may ask: everybody; who may make a node: whom the owner allows.
CREATE ROLE regress_finality;
GRANT SELECT ON cdr TO regress_finality;
SET ROLE regress_finality;
SELECT count(*), bool_and(ledger.is_final(ledger_ref)) FROM cdr;
SELECT name, rows_pending FROM ledger.status;
SELECT count(*) > 1 FROM ledger.block;
SELECT ledger.create_node('mine');
SELECT count(*) FROM ledger_internal.own_log;
RESET ROLE;
DROP OWNED BY regress_finality;
DROP ROLE regress_finality;

\c postgres
DROP DATABASE regression_finality;
