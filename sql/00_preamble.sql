-- Schemas and roles of the ledger.

\echo Use "CREATE EXTENSION telco_ledger CASCADE" to load this file. \quit

CREATE SCHEMA ledger;
COMMENT ON SCHEMA ledger IS 'telco_ledger: what users may call and read';
GRANT USAGE ON SCHEMA ledger TO PUBLIC;

CREATE SCHEMA ledger_internal;
COMMENT ON SCHEMA ledger_internal IS 'telco_ledger: the chain as it is stored; written by the library only';
