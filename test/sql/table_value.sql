-- From bytes back to values, as rows of other members are read.  What is refused
-- is refused with a verdict: TL007, TL010, or class 22, and nothing of the server's.
SET client_min_messages = warning;
CREATE FUNCTION told(bytes bytea, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
BEGIN
    EXECUTE format('SELECT left(ledger_internal.decode_value($1, NULL::%s)::text, 40)', type) INTO result USING bytes;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' ' || detail, '');
END $$;
CREATE FUNCTION nested(depth int) RETURNS bytea LANGUAGE sql
    RETURN convert_to(repeat('[', depth) || repeat(']', depth), 'UTF8');

-- Back and forth
SELECT told(ledger.encode_value(ARRAY[[1, 2], [3, NULL]]), 'int[]'),
       told(ledger.encode_value(B'10110011101'), 'varbit'),
       told(ledger.encode_value('{"a": [1, {"b": 1.50}]}'::jsonb), 'jsonb'),
       told(ledger.encode_value('[5:6]={7,8}'::int[]), 'int[]'),
       told(ledger.encode_value(-12.50), 'numeric'),
       told(ledger.encode_value('Infinity'::numeric), 'numeric');

-- Dimensions that no array has: lower bound and size of each
SELECT what, told(bytes, 'int[]') FROM (VALUES
    ('two large', '\x02 00000001 7fffffff 00000001 7fffffff'::bytea),
    ('six large', '\x06 00000001 00010000 00000001 00010000 00000001 00010000 00000001 00010000 00000001 00010000 00000001 00010000'),
    ('a bound', '\x01 7fffffff 00000001 00000004 00000001'),
    ('the last bound', '\x01 7ffffffe 00000001 00000004 00000001'),
    ('negative', '\x01 00000001 80000000'),
    ('seven', '\x07')) AS v (what, bytes);

-- Bits that are not there, or fewer than bytes
SELECT what, told(bytes, 'varbit') FROM (VALUES
    ('nothing', '\x'::bytea),
    ('no count', '\x000000'),
    ('many', '\x7ffffff0'),
    ('negative', '\xffffffff'),
    ('nine in a byte', '\x00000009 ff'),
    ('eight in two', '\x00000008 ffff'),
    ('none', '\x00000000')) AS v (what, bytes);

-- JSON, nested deeply, with many elements, or with numbers that grow
SELECT depth, type, told(nested(depth), type)
    FROM unnest(ARRAY['json', 'jsonb']) AS type, unnest(ARRAY[64, 65, 1000000]) AS depth;
SELECT told(convert_to('[' || repeat('1,', 1000000) || '1]', 'UTF8'), 'jsonb');
SELECT told(convert_to('[1e131071]', 'UTF8'), 'jsonb');
SELECT told(convert_to('1e131071', 'UTF8'), 'numeric');

-- Arrays of many elements
SELECT told('\x01 00000001 000f4241'::bytea || decode(repeat('ffffffff', 1000001), 'hex'), 'name[]');
