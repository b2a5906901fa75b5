-- The bytes of values.  What is expected was written down by hand, from the
-- table in src/table/table_type.c.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA regress_types;
SET search_path = regress_types;
CREATE TYPE mood AS ENUM ('sad', 'glücklich');
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE nested AS (p pair, m mood[]);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN tadig AS varchar(5);
CREATE DOMAIN tadigs AS tadig[];
CREATE TYPE textrange AS RANGE (SUBTYPE = text);

CREATE TABLE expected (number serial, type text, value text, bytes text);
INSERT INTO expected (type, value, bytes) VALUES
    ('boolean', 'true', '01'),
    ('boolean', 'false', '00'),
    ('smallint', '-2', 'fffe'),
    ('integer', '-2147483648', '80000000'),
    ('integer', '305419896', '12345678'),
    ('bigint', '-1', 'ffffffffffffffff'),
    ('real', '1', '3f800000'),
    ('real', '-0', '00000000'),
    ('real', 'NaN', '7fc00000'),
    ('real', '-Infinity', 'ff800000'),
    ('double precision', '-2.5', 'c004000000000000'),
    ('double precision', '-0', '0000000000000000'),
    ('double precision', 'NaN', '7ff8000000000000'),
    ('double precision', 'Infinity', '7ff0000000000000'),
    ('numeric', '1.50', '312e3530'),
    ('numeric', '-0.0', '302e30'),
    ('numeric(10,3)', '7', '372e303030'),
    ('numeric', 'NaN', '4e614e'),
    ('numeric', '1e20', '313030303030303030303030303030303030303030'),
    ('text', '', ''),
    ('text', 'Grüße', '4772c3bcc39f65'),
    ('varchar(10)', 'ab', '6162'),
    ('char(4)', 'ab', '61622020'),
    ('name', 'ab', '6162'),
    ('json', '{"b": 1,  "a":2}', '7b2262223a20312c20202261223a327d'),
    ('jsonb', '{"b": 1,  "a":2}', '7b2261223a20322c202262223a20317d'),
    ('bytea', '\x00ff', '00ff'),
    ('uuid', '00112233-4455-6677-8899-aabbccddeeff', '00112233445566778899aabbccddeeff'),
    ('ledger.ref', '3.1.88123.4', '00000003 0001 00000001583b 00000004'),
    ('date', '2000-01-02', '00000001'),
    ('date', '1999-12-31', 'ffffffff'),
    ('date', '-infinity', '80000000'),
    ('date', 'infinity', '7fffffff'),
    ('time', '00:00:01', '00000000000f4240'),
    ('timetz', '00:00:01+01', '00000000000f4240 fffff1f0'),
    ('timestamp', '2000-01-01 00:00:01', '00000000000f4240'),
    ('timestamptz', '2000-01-01 01:00:01+01', '00000000000f4240'),
    ('timestamptz', 'infinity', '7fffffffffffffff'),
    ('timestamp', '-infinity', '8000000000000000'),
    ('interval', '1 month -2 days 00:00:01', '00000000000f4240 fffffffe 00000001'),
    ('inet', '192.168.1.5/24', '04 18 00 c0a80105'),
    ('cidr', '192.168.1.0/24', '04 18 01 c0a80100'),
    ('inet', '::1', '06 80 00 00000000000000000000000000000001'),
    ('macaddr', '08:00:2b:01:02:03', '08002b010203'),
    ('macaddr8', '08:00:2b:01:02:03:04:05', '08002b0102030405'),
    ('bit(3)', '101', '00000003 a0'),
    ('varbit', '', '00000000'),
    ('varbit', '111100001', '00000009 f080'),
    ('mood', 'glücklich', '676cc3bc636b6c696368'),
    ('positive', '5', '00000005'),
    ('tadig', 'FRAF1', '4652414631'),
    ('int4range', '[1,3)', '02 00000004 00000001 00000004 00000003'),
    ('int4range', '[1,2]', '02 00000004 00000001 00000004 00000003'),
    ('int4range', 'empty', '01'),
    ('int4range', '(,)', '18'),
    ('numrange', '(1.0,2]', '04 00000003 312e30 00000001 32'),
    ('textrange', '[a,)', '12 00000001 61'),
    ('integer[]', '{1,NULL}', '01 00000001 00000002 00000004 00000001 ffffffff'),
    ('integer[]', '{}', '00'),
    ('integer[]', '[0:0][2:3]={{1,2}}', '02 00000000 00000001 00000002 00000002 00000004 00000001 00000004 00000002'),
    ('text[]', '{"",b}', '01 00000001 00000002 00000000 00000001 62'),
    ('mood[]', '{sad}', '01 00000001 00000001 00000003 736164'),
    ('tadigs', '{AB}', '01 00000001 00000001 00000002 4142'),
    ('pair', '(7,)', '0002 00000004 00000007 ffffffff'),
    ('pair', '(,"")', '0002 ffffffff 00000000'),
    ('pair[]', '{"(7,x)"}', '01 00000001 00000001 0000000f 0002 00000004 00000007 00000001 78'),
    ('nested', '("(1,y)",{sad})', '0002 0000000f 0002 00000004 00000001 00000001 79 00000010 01 00000001 00000001 00000003 736164');
UPDATE expected SET bytes = replace(bytes, ' ', '');

CREATE FUNCTION encoded(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result bytea;
BEGIN
    EXECUTE format('SELECT ledger.encode_value(%L::%s)', value, type) INTO result;
    RETURN encode(result, 'hex');
END $$;

SELECT count(*) FROM expected;
SELECT type, value, bytes, encoded(type, value) AS found
    FROM expected WHERE encoded(type, value) IS DISTINCT FROM bytes ORDER BY number;
-- Settings of the session change nothing.
SET client_encoding = latin1;
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET extra_float_digits = 0;
SET bytea_output = 'escape';
SET timezone = 'Asia/Tokyo';
SELECT count(*) AS different FROM expected
    WHERE type NOT IN ('date', 'timestamptz') AND encoded(type, value) IS DISTINCT FROM bytes;
SELECT ledger.encode_value('2000-01-01 00:00:01+00'::timestamptz) = '\x00000000000f4240'::bytea AS same;
RESET client_encoding;
RESET bytea_output;
SELECT ledger.encode_value('NaN'::float8 * -1) = ledger.encode_value('NaN'::float8) AS one_nan;

-- Toasted and compressed values are what they were.
CREATE TABLE large (v text COMPRESSION pglz, e text);
ALTER TABLE large ALTER COLUMN e SET STORAGE external;
INSERT INTO large VALUES (repeat('x', 100000), repeat('y', 100000));
SELECT ledger.encode_value(v) = convert_to(v, 'UTF8') AND
       ledger.encode_value(e) = convert_to(e, 'UTF8') AS same FROM large;

-- Type tags: OIDs of built-in types, hashes of the names of others.
SELECT t, ledger.type_tag(t::regtype)
    FROM unnest(ARRAY['int4', 'text', 'numeric', 'int4[]', 'positive', 'tadig', 'tadigs', 'int4range']) AS t;
SELECT t, ledger.type_tag(t::regtype) =
       ((('x' || encode(substr(sha256(convert_to(n, 'UTF8')), 1, 4), 'hex'))::bit(32)::bigint) | 2147483648) AS hash
    FROM (VALUES ('mood', 'regress_types.mood'), ('mood[]', 'regress_types.mood[]'),
                 ('pair', 'regress_types.pair'), ('textrange', 'regress_types.textrange'),
                 ('ledger.ref', 'ledger.ref')) AS v (t, n);

-- A type that is renamed has a new tag, and its tables a new version.
CREATE TABLE feeling (m mood, p pair) USING ledger;
INSERT INTO feeling VALUES ('sad', ROW(1, 'x'));
ALTER TYPE mood RENAME TO temper;
ALTER TYPE temper ADD VALUE 'angry';
CREATE SCHEMA regress_types_other;
ALTER TYPE pair SET SCHEMA regress_types_other;
SELECT version, action, type_names, type_tags[1] = ledger.type_tag('temper'::regtype) AS first,
       type_tags[2] = ledger.type_tag('regress_types_other.pair'::regtype) AS second
    FROM ledger.table_version WHERE table_name = 'feeling' ORDER BY version;

-- Refused
SELECT ledger.encode_value('(1,2)'::point);
SELECT ledger.encode_value(ARRAY[NULL::xml]);
SELECT ledger.encode_value(1::oid);
SELECT ledger.type_tag('pg_class'::regclass::text::regtype);
