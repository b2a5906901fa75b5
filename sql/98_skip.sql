-- Calls and deployments that the members pass over (src/node/node_skip.c).

CREATE TABLE ledger_internal.skip (
    height bigint NOT NULL CHECK (height > 0),
    ref ledger.ref NOT NULL,
    decided_at bigint CHECK (decided_at > height),
    told boolean NOT NULL DEFAULT false,
    PRIMARY KEY (height, ref)
);
COMMENT ON TABLE ledger_internal.skip IS 'calls and deployments of final blocks that are not executed';
COMMENT ON COLUMN ledger_internal.skip.height IS 'of the block that has the call, handled row or timer, or deploys the contract';
COMMENT ON COLUMN ledger_internal.skip.decided_at IS 'the final block that decides it';
COMMENT ON COLUMN ledger_internal.skip.told IS 'said by the invitation or by ledger.expect_skip(), before the block that decides it is known here';
SELECT pg_extension_config_dump('ledger_internal.skip', '');

-- Each block that is applied asks for own approvals; few of these, if any, pass over a call.
CREATE INDEX own_log_skip ON ledger_internal.own_log (epoch) WHERE kind = 9 AND position('skip call '::bytea IN message) > 0;

CREATE FUNCTION ledger_internal.make_skip(notice text, subject bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_skip' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.make_skip(text, bytea) IS
    'a motion of kind skip, for this epoch, about what has that SHA-256';

-- All that the motion says is in its text, so that all members make the same one.
-- An error here would keep the block that decides it from being stored.
CREATE FUNCTION ledger_internal.skip_motion(motion bytea, OUT height bigint, OUT ref ledger.ref) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE STRICT ROWS 1 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
        SELECT words[2]::bigint, words[1]::ledger.ref
          FROM ledger_internal.motion_parts($1) AS p,
               LATERAL regexp_match(p.reason, '^skip call ([0-9.]{7,47}) of block ([1-9][0-9]{0,17})$') AS words
         WHERE p.kind = 'skip' AND p.subject = sha256(convert_to(p.reason, 'UTF8')) AND words IS NOT NULL;
EXCEPTION WHEN data_exception THEN
    RETURN;
END $$;
COMMENT ON FUNCTION ledger_internal.skip_motion(bytea) IS 'the call or deployment that a motion passes over; no row if it is another one';

-- A block decides one motion, and the timers of a block are numbered from 1.
CREATE FUNCTION ledger_internal.deployment_ref(height bigint) RETURNS ledger.ref
    LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
    AS $$ SELECT format('0.0.%s.0', $1)::ledger.ref $$;
COMMENT ON FUNCTION ledger_internal.deployment_ref(bigint) IS 'that by which the deployment of a contract is passed over, which the block at that height decides';

CREATE FUNCTION ledger_internal.stand_words(ref ledger.ref) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE WHEN $1 <> ledger_internal.deployment_ref(ledger.transaction($1)) OR $1 IS NULL THEN format('call %s', $1)
            ELSE coalesce((SELECT format('deployment %s (contract "%s", version %s)', $1, m.name, m.version)
                             FROM ledger_internal.decision AS d, LATERAL ledger_internal.contract_motion(d.motion) AS m
                            WHERE d.height = ledger.transaction($1)), format('deployment %s', $1)) END
$$;
COMMENT ON FUNCTION ledger_internal.stand_words(ledger.ref) IS 'what has that ref, in words: a call, handled row or timer, or the deployment of a contract';

CREATE FUNCTION ledger.skip(ref ledger.ref) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    stand record;
    words text;
BEGIN
    -- what the statements behind the lock see must be newer than it
    PERFORM ledger_internal.check_read_committed('ledger.skip()', 'that the call has just been executed');
    PERFORM ledger_internal.check_validator();
    SELECT s.* INTO stand FROM ledger_internal.stand() AS s;
    IF stand.ref IS NULL OR skip.ref IS NULL OR stand.ref <> skip.ref THEN
        RAISE EXCEPTION 'applying does not stand at %', ledger_internal.stand_words(skip.ref)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = CASE WHEN stand.ref IS NULL THEN 'It stands at nothing.' ELSE format('It stands at %s of block %s.', ledger_internal.stand_words(stand.ref), stand.height) END
                      || ' A member approves to pass over something only while it cannot execute it itself.',
                  HINT = 'SELECT applied_height, stands_at, stands_since, stands_for FROM ledger.status shows it.';
    END IF;
    -- the attempt that runs ends, and the next one waits for this transaction
    PERFORM pg_cancel_backend(stand.pid);
    LOCK TABLE ledger_internal.skip IN SHARE UPDATE EXCLUSIVE MODE; -- ordering, which writes into it, does not wait
    IF (SELECT a.height FROM ledger_internal.applied AS a) >= stand.height THEN
        RAISE EXCEPTION '% has just been executed', ledger_internal.stand_words(skip.ref)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('Block %s is applied.', stand.height),
                  HINT = 'There is nothing to pass over: SELECT * FROM ledger.call_outcome shows what became of a call, and ledger.contract of a deployment.';
    END IF;
    IF EXISTS (SELECT FROM ledger_internal.checkpoint AS c WHERE c.height >= stand.height) THEN
        RAISE EXCEPTION '% is not passed over any more', ledger_internal.stand_words(skip.ref)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('A quorum of the members has applied block %s, and signed the state after it.', stand.height),
                  HINT = 'What keeps it from being executed is this server''s: column stands_for of ledger.status names it.';
    END IF;
    words := format('skip call %s of block %s', stand.ref, stand.height);
    RETURN ledger_internal.ask_approval(ledger_internal.make_skip(words, sha256(convert_to(words, 'UTF8'))));
END $$;
COMMENT ON FUNCTION ledger.skip(ledger.ref) IS
    'proposes that the members pass over a call or a deployment at which applying stands here, or approves of that; until it is decided, or the members change, this node does not execute it; once a quorum approves nobody does; returns the motion';

-- Before accept_restore() lets the worker begin.
CREATE FUNCTION ledger.expect_skip(height bigint, ref ledger.ref) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF expect_skip.height IS NULL OR expect_skip.ref IS NULL OR expect_skip.height < 1 THEN
        RAISE EXCEPTION 'the height of a block and the ref of what is passed over are needed' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'SELECT height, ref FROM ledger.call_outcome WHERE state = ''skipped'', at another member, shows both.';
    END IF;
    IF (SELECT a.height FROM ledger_internal.applied AS a) >= expect_skip.height THEN
        RAISE EXCEPTION 'block % is applied already', expect_skip.height
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = format('What has ref %s was executed then, or passed over.', expect_skip.ref),
                  HINT = 'Restore a backup from before that block.';
    END IF;
    INSERT INTO ledger_internal.skip (height, ref, told) VALUES (expect_skip.height, expect_skip.ref, true)
        ON CONFLICT ON CONSTRAINT skip_pkey DO UPDATE SET told = true;
END $$;
REVOKE ALL ON FUNCTION ledger.expect_skip(bigint, ledger.ref) FROM PUBLIC;
COMMENT ON FUNCTION ledger.expect_skip(bigint, ledger.ref) IS
    'tells a database that was restored to before that block that the members have passed over a call in it, or the deployment; to be run before ledger.accept_restore()';
