-- Reading TAP files: what is in one, and what is refused.
SET timezone = 'UTC';
\x on
-- one call, with definite and indefinite lengths mixed, 2 decimal places
SELECT * FROM tap3_call_events('\x6180641c5f81440544455544315f81360546524146315f814901035f813d010c650c5f8107034555525f8174010266317f816a127f81690e5f816801015f8167052b303130307f813c177f8137135f813801075f813a01015f8310054d53433031638069807f8113807f832b0c7f8147085f8101042621017f7f59055f8317010f7f2c15500e32303235303630313132303030305f816801015f815f013c00007f810a097f811c055f81380107000000000000');
SELECT * FROM tap3_header(tap3_generate(4, 1));
SELECT event_no, event_type, imsi, msisdn, equipment, start_local, utc_offset, start_utc, duration_s,
    volume_in, volume_out, other_party, apn, rec_entity, service_type, service_code, charged_item, charge_type,
    charge, currency, tax_code, tax_value, taxable_amount, call_reference, charging_id,
    length(raw_hash) AS hash_size
FROM tap3_call_events(tap3_generate(4, 1));
\x off

-- the hash is that of the event's octets in the file
SELECT count(*) AS hashes_found
FROM (SELECT tap3_generate(1, 1) AS file) f, tap3_call_events(file) e, generate_series(1, length(file)) a
WHERE sha256(substring(file FROM a FOR 300)) = e.raw_hash
    OR EXISTS (SELECT FROM generate_series(1, 300) s WHERE sha256(substring(file FROM a FOR s)) = e.raw_hash);

-- a notification has a header and no events
SELECT kind, sender, recipient, file_seq, release, utc_offset_codes FROM tap3_header(tap3_generate(0));
SELECT count(*) FROM tap3_call_events(tap3_generate(0));

-- as a set-returning function in the select list, and of NULL
SELECT (tap3_call_events(tap3_generate(2, 1))).event_type;
SELECT count(*) FROM tap3_call_events(NULL);
SELECT count(*) FROM tap3_audit(NULL);

-- what is refused, with the place
SELECT tap3_header('');
SELECT tap3_header('\x30820000');
SELECT tap3_header('\x7f841600');
SELECT tap3_header('\x61045f290102');
SELECT tap3_header('\x610c640a5f814901035f813d0108');
SELECT tap3_header('\x610c640a5f814901035f813d010d');
SELECT tap3_header('\x61026400');
SELECT tap3_header('\x0888ffffffffffffffffff000000232eff');
SELECT tap3_header('\x6184ffffffff00');
SELECT tap3_header('\x6104640a5f81');
SELECT count(*) FROM tap3_call_events(substring(tap3_generate(10, 1) FOR 1500));
SELECT count(*) FROM tap3_call_events(tap3_generate(10, 1) || '\x00');
SELECT count(*) FROM tap3_call_events(tap3_generate(10, 1) || tap3_generate(10, 2));
-- a group longer than the group around it, in an event and in an unknown group
SELECT count(*) FROM tap3_call_events('\x611b640a5f814901035f813d010c6500630b69077f8113054101006a00');
SELECT count(*) FROM tap3_call_events('\x6119640a5f814901035f813d010c7f830007610562064101006300');
-- a group where a value belongs; an end-of-contents in a definite group; one that lacks
SELECT count(*) FROM tap3_call_events('\x611c640a5f814901035f813d010c630e690c7f8113087f832b045f814700');
SELECT count(*) FROM tap3_call_events('\x6110640a5f814901035f813d010c63020000');
SELECT count(*) FROM tap3_call_events('\x6180640a5f814901035f813d010c63806980');
-- nested without end
SELECT count(*) FROM tap3_call_events('\x6180640a5f814901035f813d010c6380' || decode(repeat('6980', 100000), 'hex'));
-- repeated group, unknown event, ten decimal places, an integer of no octets
SELECT count(*) FROM tap3_call_events('\x6110640a5f814901035f813d010c65006500');
SELECT count(*) FROM tap3_call_events('\x6110640a5f814901035f813d010c63026500');
SELECT count(*) FROM tap3_call_events('\x6113640a5f814901035f813d010c65055f8174010a');
SELECT tap3_header('\x610b64095f814901035f813d00');
SELECT tap3_canonical('\x6103410500');
SELECT tap3_audit('\x6103410500');

-- every prefix of a file is refused
CREATE FUNCTION refused_prefixes(file bytea) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    refused integer := 0;
BEGIN
    FOR i IN 0 .. length(file) - 1 LOOP
        BEGIN
            PERFORM tap3_header(substring(file FOR i));
        EXCEPTION WHEN invalid_binary_representation THEN
            refused := refused + 1;
        END;
    END LOOP;
    RETURN refused;
END
$$;
SELECT refused_prefixes(file) = length(file) AS all_refused FROM (SELECT tap3_generate(5, 3) AS file) f;
SELECT refused_prefixes(file) = length(file) AS all_refused
FROM (SELECT tap3_generate(5, 3, indefinite => true) AS file) f;
DROP FUNCTION refused_prefixes(bytea);

-- the audit: each total said wrong, a spoiled event
CREATE FUNCTION spoiled(file bytea, what bytea, instead bytea) RETURNS bytea
LANGUAGE sql AS $$
    SELECT overlay(file PLACING instead FROM position(what IN file) FOR length(what))
$$;
SELECT severity, passed, count(*) FROM tap3_audit(tap3_generate(30, 5), 'CDFRAF1DEUD100001') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT severity, code, item, passed, expected, found, message
FROM tap3_audit(tap3_generate(30, 5), 'CDFRAF1DEUD100001') ORDER BY item, code, message;
-- count of events 30 (5f2b 01 1e) stated as 31
SELECT severity, code, item, event_no, expected, found, message
FROM tap3_audit(spoiled(tap3_generate(30, 5), '\x5f2b011e', '\x5f2b011f')) WHERE NOT passed;
-- an IMSI with a filler in its middle, a destination of no digits
SELECT severity, code, item, event_no, message
FROM tap3_audit(spoiled(tap3_generate(30, 5), '\x5f8101082620', '\x5f810108f620')) WHERE NOT passed;
SELECT event_no, imsi FROM tap3_call_events(spoiled(tap3_generate(30, 5), '\x5f8101082620', '\x5f810108f620')) WHERE imsi IS NULL;
-- a month 13, an offset code that is not in the header
SELECT severity, code, item, event_no, message
FROM tap3_audit(spoiled(tap3_generate(3, 5), '\x7f2c15500e323032353036', '\x7f2c15500e323032353133')) WHERE NOT passed;
SELECT severity, code, item, event_no, message
FROM tap3_audit(spoiled(tap3_generate(30, 5), '\x5f816801015f815f', '\x5f816801095f815f')) WHERE NOT passed;
-- a name that contradicts the file, also one that is cut within a character
SELECT severity, code, item, expected, found, message
FROM tap3_audit(tap3_generate(30, 5), 'CDFRAF1DEUD100002') WHERE NOT passed;
SELECT found FROM tap3_audit(tap3_generate(30, 5), repeat('x', 62) || 'ää') WHERE message LIKE '%name%';
DROP FUNCTION spoiled(bytea, bytea, bytea);
