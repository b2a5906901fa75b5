-- Contracts: what is called, and what becomes of it (src/contract/README.md).

CREATE TYPE ledger.context AS (
    member bigint,
    roles text[],
    signer bytea,
    ref ledger.ref,
    block_time timestamptz,
    height bigint
);
COMMENT ON TYPE ledger.context IS
    'first argument of an entry point of a contract: whose call it is, with the roles of that member, its ref, time and height of its block; signer is the key by which the call is signed, or NULL if its table demands no signature';

CREATE FUNCTION ledger.require(condition boolean, message text) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_require' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.require(boolean, text) IS
    'for contracts: ends the call with this message, of which nothing is left then, unless the condition is true';

-- Text that is read as a number in a call (src/contract/contract_number.c).
CREATE FUNCTION ledger.to_bigint(value text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_to_bigint' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.to_bigint(text) IS 'the decimal integer that is written there; what releases of PostgreSQL read differently is an error';
CREATE FUNCTION ledger.to_numeric(value text) RETURNS numeric
    AS 'MODULE_PATHNAME', 'tl_to_numeric' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger.to_numeric(text) IS 'the decimal number that is written there; what releases of PostgreSQL read differently is an error';

CREATE TABLE ledger_internal.call_outcome (
    ref ledger.ref PRIMARY KEY,
    height bigint NOT NULL,
    sqlstate text NOT NULL,
    words text,
    error_sqlstate text,
    error_message text
);
CREATE INDEX call_outcome_by_height ON ledger_internal.call_outcome (height);
COMMENT ON TABLE ledger_internal.call_outcome IS
    'what became of each call: sqlstate and words are the same at all members (src/chain/chain_state.c), the error beside them is what this server said';
SELECT pg_extension_config_dump('ledger_internal.call_outcome', '');

CREATE VIEW ledger.call_outcome AS
    SELECT o.ref, o.height,
           CASE o.sqlstate WHEN '00000' THEN 'done' WHEN 'P0001' THEN 'refused' WHEN 'TL025' THEN 'skipped' ELSE 'failed' END AS state,
           coalesce(o.error_sqlstate, o.sqlstate) AS sqlstate, coalesce(o.words, o.error_message) AS message
      FROM ledger_internal.call_outcome AS o;
COMMENT ON VIEW ledger.call_outcome IS
    'what became of each call that is final here: done; refused by the contract, whose words are the message; failed by an error, of which this server tells more; or skipped, since the members have passed over it (ledger.skip()), as deployments are that they have passed over (0.0.height.0); without those in blocks whose state was taken from the others (ledger.state_take)';
GRANT SELECT ON ledger.call_outcome TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;

CREATE FUNCTION ledger_internal.is_call(ref ledger.ref) RETURNS boolean
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$
SELECT EXISTS (SELECT
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN ledger_internal.contract_schema AS s ON s.schema = n.nspname
  JOIN pg_proc AS p ON p.pronamespace = n.oid AND (c.relname = p.proname || '_call' OR p.proname = 'on_' || c.relname)
 WHERE c.oid = ledger.relation_of($1) AND p.proargtypes[0] = 'ledger.context'::regtype)
$$;
COMMENT ON FUNCTION ledger_internal.is_call(ledger.ref) IS 'is a function of a contract called by that row, or does one handle it?';

CREATE FUNCTION ledger_internal.wait_applied(height bigint, timeout interval) RETURNS void
    AS 'MODULE_PATHNAME', 'tl_wait_applied' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.wait_applied(bigint, interval) IS 'waits until that block is applied here, or the time is over';

-- The ref of a timer names its block (src/node/node_call.c), and no row.
CREATE FUNCTION ledger.outcome(ref ledger.ref, wait interval DEFAULT '0',
        OUT state text, OUT sqlstate text, OUT message text, OUT height bigint)
    LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    taken text;
BEGIN
    IF outcome.wait > '0' AND ledger.member(outcome.ref) = 0 THEN
        PERFORM ledger_internal.wait_applied(ledger.transaction(outcome.ref), outcome.wait);
    ELSIF outcome.wait > '0' AND NOT ledger.is_final(outcome.ref) THEN
        BEGIN
            PERFORM ledger.wait_final(outcome.ref, outcome.wait);
        EXCEPTION WHEN SQLSTATE 'TL020' THEN
            NULL;
        END;
    END IF;
    SELECT o.state, o.sqlstate, o.message, o.height INTO outcome.state, outcome.sqlstate, outcome.message, outcome.height
      FROM ledger.call_outcome AS o WHERE o.ref = outcome.ref;
    IF NOT FOUND THEN
        IF (ledger.is_final(outcome.ref) AND NOT ledger_internal.is_call(outcome.ref))
           OR EXISTS (SELECT FROM ledger.rejected AS r WHERE r.ref = outcome.ref) THEN
            RAISE EXCEPTION 'row % is no call', outcome.ref
                USING ERRCODE = 'TL018',
                      DETAIL = 'It is final or rejected, and no function of a contract is called by it.',
                      HINT = 'Give the ref that a function of a contract has returned.';
        END IF;
        -- a call's block, if it is applied here, and a timer's
        SELECT CASE WHEN t.done_at IS NULL THEN 'is taking the state of a later block' ELSE format('has taken the state of block %s', t.height) END,
               CASE WHEN ledger.member(outcome.ref) = 0 THEN ledger.transaction(outcome.ref) ELSE ledger.height(outcome.ref) END
          INTO taken, outcome.height
          FROM ledger_internal.state_take AS t
         WHERE CASE WHEN ledger.member(outcome.ref) = 0 THEN ledger.transaction(outcome.ref) ELSE ledger.height(outcome.ref) END
               BETWEEN t.unknown_after + 1 AND CASE WHEN t.done_at IS NULL THEN (SELECT a.height FROM ledger_internal.applied AS a) ELSE t.height END
         ORDER BY t.number DESC LIMIT 1;
        IF FOUND THEN
            outcome.state := 'unknown';
            outcome.sqlstate := '40003';
            outcome.message := format('this member %s from the others, and does not know what became of calls before', taken);
            RETURN;
        END IF;
        -- in one statement: the block may have been applied since the one above
        IF ledger.member(outcome.ref) = 0
              AND EXISTS (SELECT FROM ledger_internal.applied AS a
                           WHERE a.height >= ledger.transaction(outcome.ref)
                             AND NOT EXISTS (SELECT FROM ledger_internal.call_outcome AS o WHERE o.ref = outcome.ref)) THEN
            RAISE EXCEPTION '% is no timer', outcome.ref
                USING ERRCODE = 'TL018',
                      DETAIL = 'Its block is applied here, and has run no timer of that ref.',
                      HINT = 'Give the ref of a row of ledger.timer_outcome.';
        END IF;
        outcome.state := 'waiting';
    END IF;
END $$;
COMMENT ON FUNCTION ledger.outcome(ledger.ref, interval) IS
    'what became of a call, by the ref that it returned, or of a timer: done, refused, failed, skipped, as of a deployment (0.0.height.0) that was passed over; unknown in blocks whose state was taken from the others (ledger.take_state()); waiting while its block is not applied here, for which wait says how long to wait; in a transaction that is not READ COMMITTED, as it was when that began';
GRANT EXECUTE ON FUNCTION ledger.outcome(ledger.ref, interval) TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;

-- No SECURITY DEFINER and no SET: either would keep it from committing.
CREATE PROCEDURE ledger.execute(INOUT ref ledger.ref, wait interval DEFAULT '30 s', INOUT height bigint DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'tl_execute' LANGUAGE C;
COMMENT ON PROCEDURE ledger.execute(ledger.ref, interval, bigint) IS
    'CALL ledger.execute(contract.function(...)): commits the call, waits until it is done and gives its block; the error of a call that was refused or failed; not in a transaction block';
REVOKE ALL ON PROCEDURE ledger.execute(ledger.ref, interval, bigint) FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE ledger.execute(ledger.ref, interval, bigint) TO ledger_admin, ledger_submitter, ledger_reader, ledger_auditor;
