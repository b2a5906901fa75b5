-- Files from rows.
SET timezone = 'UTC';
CREATE TABLE files AS
SELECT release, tap3_generate(400, release, release => release) AS file FROM generate_series(9, 12) AS release;

-- what was decoded is encoded to the same octets
SELECT f.release, tap3_encode(h, ARRAY(SELECT e FROM tap3_call_events(file) e ORDER BY event_no)) = file AS same
FROM files f, tap3_header(file) h ORDER BY 1;
SELECT tap3_encode(tap3_header(tap3_generate(0)), '{}') = tap3_generate(0) AS same;

-- also by way of a table with other columns
CREATE TABLE cdr (note text, LIKE tap3_call_event);
SELECT rows_loaded, status FROM files, tap3_load(file, 'x', 'cdr') WHERE release = 12;
SELECT tap3_encode(h, ARRAY(SELECT jsonb_populate_record(NULL::tap3_call_event, to_jsonb(c)) FROM cdr c ORDER BY event_no)) = file AS same
FROM files f, tap3_header(file) h WHERE f.release = 12;

-- a header made by hand; its tables of offsets and entities complete themselves
CREATE TABLE hand AS
SELECT jsonb_populate_record(NULL::tap3_file_header, '{
    "kind": "batch", "sender": "FRAF1", "recipient": "DEUD1", "file_seq": 12,
    "cutoff_local": "20250602000000", "cutoff_offset": "+0200",
    "available_local": "20250602010000", "available_offset": "+0200",
    "release": 12, "local_currency": "EUR", "decimal_places": 3,
    "tax_codes": [1], "tax_types": ["01"], "tax_rates": [20.0],
    "discount_codes": [1, 2], "discount_rates": [5.25, null], "discount_values": [null, 0.500]}') AS header;
CREATE TABLE events (LIKE tap3_call_event);
INSERT INTO events (event_type, imsi, start_local, utc_offset, duration_s, other_party, rec_entity, service_type,
    service_code, charged_item, charge, tax_code, tax_value, discount_code, discount)
VALUES ('moc', '262011234567890', '20250601120000', '+0200', 61, '33140000000', 'MSC PARIS', 'tele', '11', 'D', 1.234, 1, 0.247, NULL, NULL),
    ('moc', '262011234567890', '20250601130000', '+0100', 10, '*100#', 'MSC LYON', 'tele', '11', 'D', 0, NULL, NULL, 2, 0.5),
    ('content', '262011234567890', '20250601140000', '+0200', NULL, 'NEWS', NULL, NULL, NULL, 'C', -2.5, 1, -0.5, NULL, NULL);
CREATE FUNCTION encoded() RETURNS bytea LANGUAGE sql AS $$
    SELECT tap3_encode(header, ARRAY(SELECT jsonb_populate_record(NULL::tap3_call_event, to_jsonb(e)) FROM events e ORDER BY start_local))
    FROM hand
$$;
SELECT event_no, event_type, other_party, rec_entity, utc_offset, start_utc, charge, currency, tax_value, discount FROM tap3_call_events(encoded());
SELECT utc_offset_codes, utc_offsets, rec_entity_codes, rec_entity_ids, tax_rates, discount_rates, discount_values,
    total_charge, total_charge_refund, total_tax, total_tax_refund, total_discount, earliest_local, latest_local, event_count
FROM tap3_header(encoded());
SELECT * FROM tap3_audit(encoded(), 'CDFRAF1DEUD100012') WHERE NOT passed;

-- nothing is lost in silence: what has no item is refused
CREATE FUNCTION try(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE change;
    PERFORM encoded();
    RAISE EXCEPTION 'accepted' USING ERRCODE = 'P0002';
EXCEPTION
    WHEN invalid_parameter_value OR null_value_not_allowed OR no_data_found THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        RETURN message || coalesce(' - ' || nullif(detail, ''), '');
END
$$;
SELECT try('UPDATE events SET imsi = imsi');
SELECT try($$UPDATE events SET event_type = 'fax'$$);
SELECT try($$UPDATE events SET imsi = '26201x'$$);
SELECT try($$UPDATE events SET imsi = '26201123456789012'$$);
SELECT try($$UPDATE events SET other_party = 'Zürich'$$);
SELECT try($$UPDATE events SET other_party = ' x'$$);
SELECT try($$UPDATE events SET charge = 1.2345$$);
SELECT try($$UPDATE events SET charge = 'NaN'$$);
SELECT try($$UPDATE events SET charge = -1$$);
SELECT try($$UPDATE events SET charge = NULL$$);
SELECT try($$UPDATE events SET charge_type = '01'$$);
SELECT try($$UPDATE events SET tax_code = 2$$);
SELECT try($$UPDATE events SET tax_code = NULL$$);
SELECT try($$UPDATE events SET discount_code = 3$$);
SELECT try($$UPDATE events SET exchange_rate_code = 1$$);
SELECT try($$UPDATE events SET volume_in = 5 WHERE event_type = 'moc'$$);
SELECT try($$UPDATE events SET apn = 'internet'$$);
SELECT try($$UPDATE events SET utc_offset = '0200'$$);
SELECT try($$UPDATE events SET utc_offset = NULL$$);
SELECT try($$UPDATE events SET start_local = '20250631000000'$$);
SELECT try($$UPDATE events SET service_type = NULL$$);
SELECT try($$UPDATE events SET service_type = 'fax'$$);
SELECT try($$UPDATE events SET service_code = '1'$$);
SELECT try($$UPDATE events SET call_reference = ''$$);
SELECT try($$UPDATE events SET event_type = 'vas'$$);
SELECT try($$UPDATE hand SET header.release = 13$$);
SELECT try($$UPDATE hand SET header.release = 9$$);
SELECT try($$UPDATE hand SET header.kind = 'file'$$);
SELECT try($$UPDATE hand SET header.kind = 'notification'$$);
SELECT try($$UPDATE hand SET header.file_seq = 100000$$);
SELECT try($$UPDATE hand SET header.decimal_places = 10$$);
SELECT try($$UPDATE hand SET header.sender = 'FRAF12'$$);
SELECT try($$UPDATE hand SET header.tax_codes = '{1,1}', header.tax_types = '{01,01}', header.tax_rates = '{1,1}'$$);
SELECT try($$UPDATE hand SET header.tax_rates = '{1,2}'$$);
SELECT try($$UPDATE hand SET header.tax_rates = '{100}'$$);
SELECT try($$UPDATE hand SET header.discount_rates = '{5,6}'$$);
SELECT tap3_encode(header, ARRAY[NULL::tap3_call_event]) FROM hand;

DROP FUNCTION try(text);
DROP FUNCTION encoded();
DROP TABLE hand, events, cdr, files;
DELETE FROM tap3_file;
