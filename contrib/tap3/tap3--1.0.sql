/* tap3--1.0.sql */

\echo Use "CREATE EXTENSION tap3" to load this file. \quit

--
-- Types
--

CREATE TYPE tap3_call_event AS (
    sender text,
    recipient text,
    file_seq integer,
    file_type text,
    event_no integer,
    event_type text,
    imsi text,
    msisdn text,
    equipment text,
    start_local text,
    utc_offset text,
    start_utc timestamptz,
    duration_s bigint,
    volume_in bigint,
    volume_out bigint,
    other_party text,
    apn text,
    rec_entity text,
    location_area integer,
    cell_id integer,
    service_type text,
    service_code text,
    charged_item text,
    call_type_1 integer,
    call_type_2 integer,
    call_type_3 integer,
    charge_type text,
    charge numeric,
    currency text,
    exchange_rate_code integer,
    tax_code integer,
    tax_value numeric,
    taxable_amount numeric,
    discount_code integer,
    discount numeric,
    cause_for_term integer,
    partial_type text,
    call_reference bytea,
    charging_id bigint,
    raw_hash bytea
);

COMMENT ON TYPE tap3_call_event IS 'one call event of a TAP file; CREATE TABLE t (LIKE tap3_call_event) makes a table for tap3_load';
COMMENT ON COLUMN tap3_call_event.sender IS 'TADIG code of the visited network';
COMMENT ON COLUMN tap3_call_event.recipient IS 'TADIG code of the home network';
COMMENT ON COLUMN tap3_call_event.file_seq IS 'file sequence number, 1 to 99999';
COMMENT ON COLUMN tap3_call_event.file_type IS 'T for a test file, NULL for chargeable data';
COMMENT ON COLUMN tap3_call_event.event_no IS 'position in the file, from 1';
COMMENT ON COLUMN tap3_call_event.event_type IS 'moc, mtc, sse, scu, gprs, content, location, messaging, session, vas';
COMMENT ON COLUMN tap3_call_event.equipment IS 'IMEI or ESN';
COMMENT ON COLUMN tap3_call_event.start_local IS 'CCYYMMDDhhmmss as in the file';
COMMENT ON COLUMN tap3_call_event.utc_offset IS '+hhmm or -hhmm, resolved by the header''s code table';
COMMENT ON COLUMN tap3_call_event.start_utc IS 'derived from start_local and utc_offset';
COMMENT ON COLUMN tap3_call_event.volume_in IS 'octets';
COMMENT ON COLUMN tap3_call_event.volume_out IS 'octets';
COMMENT ON COLUMN tap3_call_event.other_party IS 'called or calling number or user, or the provider of the content';
COMMENT ON COLUMN tap3_call_event.rec_entity IS 'recording entity, resolved by the header''s code table';
COMMENT ON COLUMN tap3_call_event.service_type IS 'tele, bearer, supplementary, messaging, session';
COMMENT ON COLUMN tap3_call_event.service_code IS 'two hexadecimal digits; the service''s number for messaging and session';
COMMENT ON COLUMN tap3_call_event.charge_type IS '00, or the first part''s type if the event has no total';
COMMENT ON COLUMN tap3_call_event.charge IS 'sum of the charges of type 00, exact; negative where content is refunded';
COMMENT ON COLUMN tap3_call_event.currency IS 'TAP currency, or the local one if the file names no other';
COMMENT ON COLUMN tap3_call_event.tax_value IS 'sum of the event''s taxes, exact; negative where content is refunded';
COMMENT ON COLUMN tap3_call_event.discount IS 'sum of the event''s discounts, exact; negative where content is refunded';
COMMENT ON COLUMN tap3_call_event.call_reference IS 'call reference, or the event reference of messaging and session';
COMMENT ON COLUMN tap3_call_event.raw_hash IS 'SHA-256 of the event''s octets in the file';

CREATE TYPE tap3_file_header AS (
    kind text,
    sender text,
    recipient text,
    file_seq integer,
    file_type text,
    rap_file_seq text,
    created_local text,
    created_offset text,
    cutoff_local text,
    cutoff_offset text,
    available_local text,
    available_offset text,
    release integer,
    local_currency text,
    tap_currency text,
    decimal_places integer,
    exchange_rate_codes integer[],
    exchange_rates numeric[],
    tax_codes integer[],
    tax_types text[],
    tax_rates numeric[],
    discount_codes integer[],
    discount_rates numeric[],
    discount_values numeric[],
    utc_offset_codes integer[],
    utc_offsets text[],
    rec_entity_codes integer[],
    rec_entity_types integer[],
    rec_entity_ids text[],
    earliest_local text,
    earliest_offset text,
    latest_local text,
    latest_offset text,
    total_charge numeric,
    total_charge_refund numeric,
    total_tax numeric,
    total_tax_refund numeric,
    total_discount numeric,
    total_discount_refund numeric,
    event_count bigint
);

COMMENT ON TYPE tap3_file_header IS 'what a TAP file says about itself: control, accounting, network and audit information';
COMMENT ON COLUMN tap3_file_header.kind IS 'batch or notification';
COMMENT ON COLUMN tap3_file_header.release IS '9 to 12, of TAP 3';
COMMENT ON COLUMN tap3_file_header.exchange_rates IS 'same order as exchange_rate_codes; so with the other tables';
COMMENT ON COLUMN tap3_file_header.tax_rates IS 'percent';
COMMENT ON COLUMN tap3_file_header.discount_rates IS 'percent, NULL for a fixed discount';
COMMENT ON COLUMN tap3_file_header.total_charge IS 'as the file states it, not as it is summed';

--
-- Reading
--

CREATE FUNCTION tap3_header(file bytea) RETURNS tap3_file_header
AS 'MODULE_PATHNAME', 'tap3_sql_header'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION tap3_header(bytea) IS 'header and audit information of a TAP transfer batch or notification';

CREATE FUNCTION tap3_call_events(file bytea) RETURNS SETOF tap3_call_event
AS 'MODULE_PATHNAME', 'tap3_sql_call_events'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10000;

COMMENT ON FUNCTION tap3_call_events(bytea) IS 'call events of a TAP file in their order; a notification has none';

CREATE FUNCTION tap3_audit(
    file bytea,
    file_name text DEFAULT NULL,
    OUT severity text,
    OUT code integer,
    OUT item text,
    OUT event_no integer,
    OUT passed boolean,
    OUT expected text,
    OUT found text,
    OUT message text
) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'tap3_sql_audit'
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 30;

COMMENT ON FUNCTION tap3_audit(bytea, text) IS 'checks of a TAP file: fatal ones of the file, passed or not, and severe ones of call events that did not pass';

CREATE FUNCTION tap3_canonical(file bytea) RETURNS bytea
AS 'MODULE_PATHNAME', 'tap3_sql_canonical'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION tap3_canonical(bytea) IS 'the same file with definite lengths of the fewest octets, so that files equal in content have equal hashes';

--
-- Writing
--

CREATE FUNCTION tap3_encode(header tap3_file_header, events tap3_call_event[]) RETURNS bytea
AS 'MODULE_PATHNAME', 'tap3_sql_encode'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION tap3_encode(tap3_file_header, tap3_call_event[]) IS 'a TAP file from rows; the audit information is computed from them';

CREATE FUNCTION tap3_generate(
    events integer,
    seed bigint DEFAULT 1,
    sender text DEFAULT 'FRAF1',
    recipient text DEFAULT 'DEUD1',
    file_seq integer DEFAULT 1,
    day date DEFAULT '2025-06-01',
    release integer DEFAULT 12,
    indefinite boolean DEFAULT false,
    test_file boolean DEFAULT false
) RETURNS bytea
AS 'MODULE_PATHNAME', 'tap3_sql_generate'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;

COMMENT ON FUNCTION tap3_generate(integer, bigint, text, text, integer, date, integer, boolean, boolean) IS 'a valid TAP file of that many invented events, the same for the same arguments; a notification for 0';

CREATE FUNCTION tap3_networks(
    OUT tadig text,
    OUT mcc text,
    OUT mnc text,
    OUT country_code text,
    OUT currency text,
    OUT utc_offset text
) RETURNS SETOF record
AS 'MODULE_PATHNAME', 'tap3_sql_networks'
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 24;

COMMENT ON FUNCTION tap3_networks() IS 'networks that tap3_generate knows; no register of the world''s networks';

--
-- Loading
--

CREATE TABLE tap3_file (
    target regclass NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    file_type text NOT NULL,
    file_seq integer NOT NULL CHECK (file_seq BETWEEN 1 AND 99999),
    rap_file_seq text,
    kind text NOT NULL CHECK (kind IN ('batch', 'notification')),
    release integer NOT NULL,
    file_name text NOT NULL,
    file_hash bytea NOT NULL CHECK (length(file_hash) = 32),
    file_size bigint NOT NULL,
    event_count bigint NOT NULL,
    total_charge numeric,
    currency text,
    fatal_count integer NOT NULL,
    severe_count integer NOT NULL,
    returned boolean NOT NULL DEFAULT false,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    loaded_by text NOT NULL DEFAULT current_user,
    PRIMARY KEY (target, file_hash)
);

CREATE UNIQUE INDEX tap3_file_sequence ON tap3_file (target, sender, recipient, file_type, file_seq)
    WHERE NOT returned;

COMMENT ON TABLE tap3_file IS 'files that tap3_load has loaded, by target table';
COMMENT ON COLUMN tap3_file.file_type IS 'T for a test file, empty for chargeable data; each counts its own sequence';
COMMENT ON COLUMN tap3_file.file_hash IS 'SHA-256 of the file';
COMMENT ON COLUMN tap3_file.fatal_count IS 'fatal findings of tap3_audit when the file was loaded';
COMMENT ON COLUMN tap3_file.severe_count IS 'severe findings of tap3_audit when the file was loaded';
COMMENT ON COLUMN tap3_file.returned IS 'set it when the file was returned to its sender or its sequence number begins a new cycle: another file may then carry the number';

SELECT pg_catalog.pg_extension_config_dump('tap3_file', '');

CREATE VIEW tap3_missing_file AS
SELECT f.target, f.sender, f.recipient, f.file_type, f.file_seq + 1 AS first_missing, f.next_seq - 1 AS last_missing
FROM (
    SELECT target, sender, recipient, file_type, file_seq,
        lead(file_seq) OVER (PARTITION BY target, sender, recipient, file_type ORDER BY file_seq) AS next_seq
    FROM tap3_file
    WHERE NOT returned
) f
WHERE f.next_seq > f.file_seq + 1;

COMMENT ON VIEW tap3_missing_file IS 'gaps in the sequence numbers of loaded files: candidates of a missing return once the agreed days have passed';

CREATE FUNCTION tap3_load(
    file bytea,
    file_name text,
    target regclass,
    refuse_fatal boolean DEFAULT false,
    OUT rows_loaded bigint,
    OUT status text
) RETURNS record
AS 'MODULE_PATHNAME', 'tap3_sql_load'
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;

COMMENT ON FUNCTION tap3_load(bytea, text, regclass, boolean) IS 'inserts the call events of a TAP file into a table, once; status is loaded or already loaded';
