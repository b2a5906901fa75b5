-- Contracts: what calls tell applications (src/contract/README.md).

CREATE FUNCTION ledger.emit(name text, payload jsonb DEFAULT '{}') RETURNS void
    AS 'MODULE_PATHNAME', 'tl_emit' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.emit(text, jsonb) IS
    'for contracts: tells an event, a row of ledger.event at all members if the call is done; sessions that LISTEN to ledger_event are woken';

CREATE TABLE ledger_internal.event (
    height bigint NOT NULL,
    number integer NOT NULL,
    ref ledger.ref NOT NULL,
    contract text NOT NULL,
    name text NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (height, number)
);
COMMENT ON TABLE ledger_internal.event IS 'what calls and timers of contracts have told, the same at all members (src/chain/chain_state.c)';
SELECT pg_extension_config_dump('ledger_internal.event', '');

CREATE VIEW ledger.event AS
    SELECT e.height, e.number, e.contract, e.name, e.payload, e.ref
      FROM ledger_internal.event AS e;
COMMENT ON VIEW ledger.event IS
    'what contracts have told, in the order of height and number; ref: of the call, row or timer that told it';
GRANT SELECT ON ledger.event TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;
