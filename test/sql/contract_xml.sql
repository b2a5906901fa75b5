-- XML in a contract: it is refused, also where the server was built without libxml and
-- says so itself (contract_xml_1.out).
\pset format unaligned
\pset footer off
\pset tuples_only on

CREATE FUNCTION refused(source text) RETURNS SETOF text LANGUAGE sql AS
    $$ SELECT c.line || ' ' || c.construct || ': ' || c.why || ' -> ' || c.replacement FROM ledger.check_contract(source) AS c $$;
-- one function with this body, beside a state table
CREATE FUNCTION body(text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT refused(
'CREATE TABLE t (k integer PRIMARY KEY, v text) USING ledger_state;
CREATE FUNCTION f() RETURNS void LANGUAGE ' || $1)
$$;

SELECT refused('CREATE VIEW v AS SELECT xmlelement(name a) AS a');
SELECT refused('CREATE TABLE m (y integer CHECK (xpath_exists(''/a'', ''<a/>'') AND y > 1)) USING ledger');
SELECT body('sql BEGIN ATOMIC UPDATE t SET v = xmlelement(name a)::text; END');
SELECT body('sql BEGIN ATOMIC UPDATE t SET v = (xpath(''/a'', ''<a/>''))[1]; END');
SELECT body('plpgsql AS ''DECLARE y text; BEGIN y := ''''x''''::xml; END''');

DROP FUNCTION refused, body;
