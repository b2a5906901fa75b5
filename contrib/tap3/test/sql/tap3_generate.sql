-- Generated files are valid, of any size, and the same every time.
SELECT r.release, form, h.release = r.release AS right_release, h.event_count,
    (SELECT count(*) FROM tap3_audit(file) WHERE NOT passed) AS findings,
    (SELECT count(DISTINCT event_type) FROM tap3_call_events(file)) AS kinds
FROM generate_series(9, 12) AS r(release), unnest(ARRAY[false, true]) AS form,
    LATERAL (SELECT tap3_generate(500, 1, release => r.release, indefinite => form) AS file) f,
    LATERAL tap3_header(file) h
ORDER BY 1, 2;

-- one file whatever the form of its lengths
SELECT tap3_canonical(tap3_generate(500, 1, indefinite => true)) = tap3_generate(500, 1) AS same,
    tap3_canonical(tap3_generate(500, 1)) = tap3_generate(500, 1) AS fixed_point,
    length(tap3_generate(500, 1, indefinite => true)) > length(tap3_generate(500, 1)) AS longer;

-- the octets do not change between machines and versions
SELECT encode(sha256(tap3_generate(1000, 42)), 'hex');
SELECT tap3_generate(100, 1) = tap3_generate(100, 1) AS same_seed, tap3_generate(100, 1) = tap3_generate(100, 2) AS other_seed;

-- subscribers are of the home network, the sender is the visited one
SELECT e.sender, e.recipient, bool_and(e.imsi LIKE n.mcc || n.mnc || '%' AND length(e.imsi) = 15) AS home_imsi,
    bool_and(e.start_utc >= '2025-03-01 00:00+10' AND e.start_utc < '2025-03-02 00:00+10') AS on_that_day
FROM tap3_call_events(tap3_generate(300, 9, 'AUSVF', 'USAW6', 77, '2025-03-01')) e
    JOIN tap3_networks() n ON n.tadig = e.recipient
GROUP BY 1, 2;
SELECT count(*) > 20 AS networks, bool_and(tadig ~ '^[A-Z0-9]{5}$' AND mcc ~ '^\d{3}$' AND mnc ~ '^\d{2,3}$') AS in_form FROM tap3_networks();

SELECT event_count FROM tap3_header(tap3_generate(20000, 3));

SELECT tap3_generate(-1);
SELECT tap3_generate(10000001);
SELECT tap3_generate(1, 1, 'XXXXX');
SELECT tap3_generate(1, 1, 'FRAF1', 'YYYYY');
SELECT tap3_generate(1, file_seq => 0);
SELECT tap3_generate(1, file_seq => 100000);
SELECT tap3_generate(1, release => 8);
SELECT tap3_generate(1, day => 'infinity');
SELECT tap3_generate(1, day => '1969-12-31');

-- every function and type says what it is
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'tap3'
WHERE d.classid = 'pg_proc'::regclass AND (obj_description(p.oid, 'pg_proc') IS NULL OR p.prosecdef);
