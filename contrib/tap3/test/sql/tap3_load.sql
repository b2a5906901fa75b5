-- Loading files into a table: once, wholly or not at all.
SET timezone = 'UTC';
CREATE TABLE cdr (
    LIKE tap3_call_event,
    loaded_by_rule text DEFAULT 'by default',
    position bigint GENERATED ALWAYS AS IDENTITY
);

SELECT * FROM tap3_load(tap3_generate(100, 1), 'CDFRAF1DEUD100001', 'cdr');
SELECT count(*), count(DISTINCT event_no), sum(charge), min(loaded_by_rule), max(position) FROM cdr;
-- the register
SELECT target, sender, recipient, file_type, file_seq, rap_file_seq, kind, release, file_name, length(file_hash),
    file_size, event_count, total_charge, currency, fatal_count, severe_count, returned
FROM tap3_file;
SELECT total_charge = (SELECT sum(greatest(charge, 0)) FROM cdr) AS totals_agree FROM tap3_file;

-- the same file again is no error and no row
SELECT * FROM tap3_load(tap3_generate(100, 1), 'CDFRAF1DEUD100001', 'cdr');
SELECT * FROM tap3_load(tap3_generate(100, 1), 'a copy of it', 'cdr');
SELECT count(*) FROM cdr;

-- the same number with other contents is one
SELECT * FROM tap3_load(tap3_generate(100, 2), 'another one', 'cdr');
SELECT count(*) FROM cdr;
-- until the first one has been returned
UPDATE tap3_file SET returned = true WHERE file_seq = 1;
SELECT * FROM tap3_load(tap3_generate(100, 2), 'another one', 'cdr');
-- which stays known
SELECT * FROM tap3_load(tap3_generate(100, 1), 'CDFRAF1DEUD100001', 'cdr');
SELECT count(*) FROM cdr;

-- test data count their own sequence, another pair too
SELECT * FROM tap3_load(tap3_generate(10, 3, test_file => true), 'TDFRAF1DEUD100001', 'cdr');
SELECT file_type, count(*) FROM cdr GROUP BY 1 ORDER BY 1 NULLS FIRST;
SELECT * FROM tap3_load(tap3_generate(10, 3, 'ITAOM', 'GBRVF'), 'CDITAOMGBRVF00001', 'cdr');

-- a notification is a file without rows, and numbered as one
SELECT * FROM tap3_load(tap3_generate(0, file_seq => 2), 'CDFRAF1DEUD100002', 'cdr');
SELECT * FROM tap3_load(tap3_generate(0, file_seq => 2), 'CDFRAF1DEUD100002', 'cdr');
SELECT kind, event_count FROM tap3_file WHERE file_seq = 2;

-- gaps
SELECT * FROM tap3_load(tap3_generate(5, 4, file_seq => 7), 'CDFRAF1DEUD100007', 'cdr');
SELECT * FROM tap3_missing_file;

-- another table is another load
CREATE TABLE other_cdr (LIKE tap3_call_event) PARTITION BY LIST (event_type);
CREATE TABLE other_cdr_gprs PARTITION OF other_cdr FOR VALUES IN ('gprs');
CREATE TABLE other_cdr_rest PARTITION OF other_cdr DEFAULT;
SELECT * FROM tap3_load(tap3_generate(100, 2), 'another one', 'other_cdr');
SELECT count(*) > 30 AS gprs FROM other_cdr_gprs;

-- refusals leave nothing
CREATE TABLE sums AS SELECT (SELECT count(*) FROM cdr) AS events, (SELECT count(*) FROM tap3_file) AS files;
SELECT * FROM tap3_load(tap3_generate(10, 5, file_seq => 8), 'CDFRAF1DEUD100009', 'cdr');
SELECT * FROM tap3_load(tap3_generate(10, 5, file_seq => 8), '/in/TDFRAF1DEUD100008.dat', 'cdr');
SELECT * FROM tap3_load(substring(tap3_generate(10, 5, file_seq => 8) FOR 2000), 'cut', 'cdr');
SELECT * FROM tap3_load('\x6180640a5f814901035f813d010c638000000000', 'nameless', 'cdr');
SELECT * FROM tap3_load('\x', 'empty', 'cdr');
-- fatal findings are recorded, or refused when asked for
CREATE FUNCTION miscounted(file bytea) RETURNS bytea LANGUAGE sql AS $$
    SELECT overlay(file PLACING '\x0b' FROM position('\x5f2b010a' IN file) + 3 FOR 1)
$$;
SELECT * FROM tap3_load(miscounted(tap3_generate(10, 5, file_seq => 8)), 'miscounted', 'cdr', refuse_fatal => true);
SELECT (SELECT count(*) FROM cdr) = events AS same_events, (SELECT count(*) FROM tap3_file) = files AS same_files FROM sums;
SELECT * FROM tap3_load(miscounted(tap3_generate(10, 5, file_seq => 8)), 'miscounted', 'cdr');
SELECT fatal_count FROM tap3_file WHERE file_seq = 8;

-- a target without the columns, or that is no table
CREATE TABLE narrow (sender text, recipient text, charge numeric);
SELECT * FROM tap3_load(tap3_generate(10, 5), 'x', 'narrow');
CREATE SEQUENCE numbers;
SELECT * FROM tap3_load(tap3_generate(10, 5), 'x', 'numbers');

-- a constraint or trigger of the target that says no takes the register's row back
CREATE TABLE strict_cdr (LIKE tap3_call_event, CHECK (charge < 1));
SELECT * FROM tap3_load(tap3_generate(100, 1), 'x', 'strict_cdr');
SELECT count(*) FROM tap3_file WHERE target = 'strict_cdr'::regclass;
-- and so does the end of the transaction
BEGIN;
SELECT rows_loaded FROM tap3_load(tap3_generate(10, 6, file_seq => 9), 'rolled back', 'cdr');
ROLLBACK;
SELECT count(*) FROM tap3_file WHERE file_seq = 9;
SELECT rows_loaded FROM tap3_load(tap3_generate(10, 6, file_seq => 9), 'and again', 'cdr');

-- it has no more rights than who calls it
CREATE ROLE regress_tap3_loader;
SET ROLE regress_tap3_loader;
SELECT * FROM tap3_load(tap3_generate(10, 7, file_seq => 10), 'x', 'cdr');
RESET ROLE;
GRANT SELECT, INSERT ON tap3_file TO regress_tap3_loader;
SET ROLE regress_tap3_loader;
SELECT * FROM tap3_load(tap3_generate(10, 7, file_seq => 10), 'x', 'cdr');
RESET ROLE;
GRANT INSERT ON cdr TO regress_tap3_loader;
SET ROLE regress_tap3_loader;
SELECT * FROM tap3_load(tap3_generate(10, 7, file_seq => 10), 'x', 'cdr');
RESET ROLE;
SELECT loaded_by FROM tap3_file WHERE file_seq = 10;
DROP OWNED BY regress_tap3_loader;
DROP ROLE regress_tap3_loader;

-- a hostile search path changes nothing
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.tap3_call_events(bytea) RETURNS SETOF tap3_call_event LANGUAGE sql AS 'SELECT NULL::public.tap3_call_event';
CREATE TABLE hostile.tap3_file (x integer);
SET search_path = hostile, public;
SELECT * FROM tap3_load(tap3_generate(10, 8, file_seq => 11), 'x', 'cdr');
SELECT count(*) FROM public.cdr WHERE file_seq = 11;
RESET search_path;

-- nor does another schema for the extension
CREATE SCHEMA roaming_files;
ALTER EXTENSION tap3 SET SCHEMA roaming_files;
SELECT * FROM roaming_files.tap3_load(roaming_files.tap3_generate(10, 9, file_seq => 12), 'x', 'cdr');
ALTER EXTENSION tap3 SET SCHEMA public;
DROP SCHEMA roaming_files;

DROP SCHEMA hostile CASCADE;
DROP FUNCTION miscounted(bytea);
DROP TABLE cdr, other_cdr, narrow, strict_cdr, sums;
DROP SEQUENCE numbers;
DELETE FROM tap3_file;
