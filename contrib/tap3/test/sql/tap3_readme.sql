-- The example of README.md, statement by statement.
SET timezone = 'UTC';
CREATE TABLE cdr (LIKE tap3_call_event);
SELECT * FROM tap3_load(tap3_generate(1000, seed => 7), 'CDFRAF1DEUD100001', 'cdr');
SELECT * FROM tap3_load(tap3_generate(1000, seed => 7), 'CDFRAF1DEUD100001', 'cdr');
SELECT event_type, count(*), sum(charge) AS charge, sum(tax_value) AS tax, currency
FROM cdr GROUP BY event_type, currency ORDER BY charge DESC NULLS LAST LIMIT 3;
SELECT * FROM tap3_load(substring(tap3_generate(1000, file_seq => 2) FOR 9000), 'CDFRAF1DEUD100002', 'cdr');
SELECT code, item, expected, found
FROM tap3_audit(tap3_generate(1000, file_seq => 2), 'CDFRAF1DEUD100003') WHERE NOT passed;
SELECT tap3_encode(h, ARRAY(SELECT e FROM tap3_call_events(file) e ORDER BY event_no)) = file AS same
FROM (SELECT tap3_generate(1000) AS file) f, tap3_header(file) h;
DROP TABLE cdr;
DELETE FROM tap3_file;
