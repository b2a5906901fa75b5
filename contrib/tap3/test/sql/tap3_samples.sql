-- Files that nobody of this project made, where they are present.
-- The folder is $TL_SHARED_DATA; the test passes, saying so, without it.
SET timezone = 'UTC';
\getenv shared TL_SHARED_DATA
\set folder :shared '/roaming/tap'
\setenv TAP3_SAMPLES :folder
\set present `test -r "$TAP3_SAMPLES/in_tap_3_12_valid.ber" && echo true || echo false`
\if :present
\else
\echo skipped: shared data absent
\quit
\endif

CREATE TABLE sample (name text, file bytea);
\set valid `od -An -v -tx1 "$TAP3_SAMPLES/in_tap_3_12_valid.ber" | tr -d ' \n'`
\set negative `od -An -v -tx1 "$TAP3_SAMPLES/in_tap_3_12_negative_volume.ber" | tr -d ' \n'`
\set timestamps `od -An -v -tx1 "$TAP3_SAMPLES/in_tap_3_12_timestamps.ber" | tr -d ' \n'`
\set asn1c `od -An -v -tx1 "$TAP3_SAMPLES/in_asn1c_examples_sample.source.TAP3_sample-DataInterChange-1.ber" | tr -d ' \n'`
\set notification `od -An -v -tx1 "$TAP3_SAMPLES/in_tap_notification.ber" | tr -d ' \n'`
\set deep `od -An -v -tx1 "$TAP3_SAMPLES/in_deep_invalid.ber" | tr -d ' \n'`
\set overflow `od -An -v -tx1 "$TAP3_SAMPLES/in_length_overflow.ber" | tr -d ' \n'`
INSERT INTO sample VALUES
    ('valid', decode(:'valid', 'hex')), ('negative_volume', decode(:'negative', 'hex')),
    ('timestamps', decode(:'timestamps', 'hex')), ('asn1c', decode(:'asn1c', 'hex')),
    ('notification', decode(:'notification', 'hex')), ('deep_invalid', decode(:'deep', 'hex')),
    ('length_overflow', decode(:'overflow', 'hex'));

-- each into a table of its own: three of them carry the same number
CREATE TABLE cdr_valid (LIKE tap3_call_event);
CREATE TABLE cdr_negative (LIKE tap3_call_event);
CREATE TABLE cdr_timestamps (LIKE tap3_call_event);
CREATE TABLE cdr_asn1c (LIKE tap3_call_event);
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_valid') l WHERE name = 'valid';
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_negative') l WHERE name = 'negative_volume';
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_timestamps') l WHERE name = 'timestamps';
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_asn1c') l WHERE name = 'asn1c';
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_asn1c') l WHERE name = 'notification';
SELECT target, kind, release, event_count, total_charge, fatal_count, severe_count FROM tap3_file ORDER BY target::text, kind;
-- another file under the same number
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_valid') l WHERE name = 'timestamps';
-- the broken ones are refused and leave nothing
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_valid') l WHERE name = 'deep_invalid';
SELECT l.* FROM sample, tap3_load(file, name, 'cdr_valid') l WHERE name = 'length_overflow';
SELECT (SELECT count(*) FROM tap3_file) AS files, (SELECT count(*) FROM cdr_valid) AS events;

-- the values that an independent decoder shows
SELECT event_no, event_type, imsi, start_local, utc_offset, start_utc, duration_s, volume_in, volume_out, apn,
    rec_entity, location_area, cell_id, service_type, service_code, charged_item, charge, currency
FROM cdr_valid ORDER BY event_no;
SELECT event_no, volume_in, volume_out FROM cdr_negative;
SELECT event_no, start_local, utc_offset, start_utc FROM cdr_timestamps ORDER BY event_no;
SELECT event_no, event_type, rec_entity, location_area, cell_id, call_reference FROM cdr_asn1c ORDER BY event_no;

-- "valid" is valid by its grammar only: 2.300 stated, 71.200 summed, times ten years off
SELECT severity, code, item, event_no, expected, found FROM sample, tap3_audit(file) WHERE name = 'valid' AND NOT passed;
SELECT severity, code, item, event_no, message FROM sample, tap3_audit(file) WHERE name = 'negative_volume' AND NOT passed;
SELECT code, item, expected, found FROM sample, tap3_audit(file) WHERE name = 'timestamps' AND item = 'CallEventDetailsCount';
SELECT severity, count(*) FROM sample, tap3_audit(file) WHERE name = 'notification' GROUP BY 1 ORDER BY 1;
SELECT sender, recipient, file_seq, release FROM sample, tap3_header(file) WHERE name = 'notification';

-- its known octets encode again; each sample is read the same in canonical form
SELECT name, (SELECT count(*) FROM tap3_call_events(tap3_canonical(file))) AS events FROM sample
WHERE name NOT IN ('deep_invalid', 'length_overflow') ORDER BY name;

DROP TABLE sample, cdr_valid, cdr_negative, cdr_timestamps, cdr_asn1c;
DELETE FROM tap3_file;
