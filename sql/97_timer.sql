-- Contracts: what runs at a time (src/contract/README.md).

CREATE TYPE ledger.timer AS (
    key text,
    at timestamptz,
    ref ledger.ref,
    block_time timestamptz,
    height bigint
);
COMMENT ON TYPE ledger.timer IS
    'the argument of a handler of timers of a contract: the key under which the timer was set, when it was due, the ref of its outcome, time and height of the block that runs it';

CREATE FUNCTION ledger.set_timer(handler text, key text, at timestamptz) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_set_timer' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.set_timer(text, text, timestamptz) IS
    'for contracts: the first block at that time or after it runs this handler of the contract, with this key; a timer of that key moves; one that a call sets for a time that has passed runs at the end of the block, one that a handler sets a second after it or later';

CREATE FUNCTION ledger.cancel_timer(handler text, key text) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_cancel_timer' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.cancel_timer(text, text) IS
    'for contracts: the timer of this handler and key does not run; nothing happens if there is none';

CREATE TABLE ledger_internal.timer_run (
    ref ledger.ref PRIMARY KEY,
    contract text NOT NULL,
    handler text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE ledger_internal.timer_run IS
    'timers that have run; what became of them is in ledger_internal.call_outcome';
SELECT pg_extension_config_dump('ledger_internal.timer_run', '');

CREATE VIEW ledger.timer_outcome AS
    SELECT t.contract, t.handler, t.key, t.at, o.ref, o.height, o.state, o.sqlstate, o.message
      FROM ledger_internal.timer_run AS t
      JOIN ledger.call_outcome AS o USING (ref);
COMMENT ON VIEW ledger.timer_outcome IS
    'timers of contracts that have run here: when each was due, and what became of it, as of a call';
GRANT SELECT ON ledger.timer_outcome TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;
