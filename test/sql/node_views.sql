-- What the planner believes of views and of functions that return rows: few rows, or it
-- has each question about a node compiled, which takes a hundred times as long as the answer.
-- A thousand is what it believes of a function that does not say.

SELECT p.oid::regprocedure
  FROM pg_proc AS p
  JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'telco_ledger'
 WHERE p.proretset AND p.prorows = 1000
 ORDER BY 1;

CREATE FUNCTION plan_cost(relation regclass) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT * FROM %s', relation) INTO plan;
    RETURN plan #> '{0,Plan,Total Cost}';
END $$;
SELECT c.oid::regclass AS compiled
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = 'ledger' AND c.relkind = 'v' AND plan_cost(c.oid::regclass) > (SELECT setting::float8 FROM pg_settings WHERE name = 'jit_above_cost')
 ORDER BY 1;
SELECT plan_cost('pg_catalog.pg_class') BETWEEN 1 AND 1000 AS has_cost;
DROP FUNCTION plan_cost(regclass);
