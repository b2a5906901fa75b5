-- The state of a checkpoint, taken from the other members (src/node/node_take.c).

CREATE FUNCTION ledger_internal.agreed_height(height bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_agreed_height' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.agreed_height(bigint) IS
    'the last checkpoint up to that height after which state and outcomes were here what a quorum has signed, or the state was taken from the others; 0 if there is none';

-- The height of the first one that is in the way, and its words.
CREATE FUNCTION ledger_internal.version_in_the_way(OUT height bigint, OUT name text, OUT version integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT d.height, m.name, m.version
  FROM ledger_internal.applied AS a
  JOIN ledger_internal.decision AS d ON d.height > a.height,
       LATERAL ledger_internal.contract_motion(d.motion) AS m
 WHERE m.version > 1
   AND NOT EXISTS (SELECT FROM ledger_internal.skip AS s WHERE s.height = d.height AND s.ref = ledger_internal.deployment_ref(s.height))
 ORDER BY d.height LIMIT 1
$$;
COMMENT ON FUNCTION ledger_internal.version_in_the_way() IS
    'a block that is not applied here and decides on a new version of a contract, whose script needs the state before it';

CREATE FUNCTION ledger.take_state(reason text, source text DEFAULT NULL, max_mb integer DEFAULT 4096) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    applied bigint;
    chosen bigint;
    stop ledger_internal.apply_stop;
    way record;
    kept record;
BEGIN
    IF take_state.reason IS NULL OR take_state.reason = '' OR take_state.max_mb IS NULL OR take_state.max_mb < 1 THEN
        RAISE EXCEPTION 'ledger.take_state() needs a reason, and a size above zero'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT ledger.take_state(''the disk has lost a page'').';
    END IF;
    PERFORM ledger_internal.check_read_committed('ledger.take_state()', 'what has just been applied');
    LOCK TABLE ledger_internal.skip IN SHARE UPDATE EXCLUSIVE MODE; -- the block that is being applied
    SELECT a.height INTO applied FROM ledger_internal.applied AS a;
    IF NOT FOUND OR NOT EXISTS (SELECT FROM ledger_internal.node AS n JOIN ledger_internal.peer AS p ON p.member <> n.member) THEN
        RAISE EXCEPTION 'there is nobody to take a state from'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'This database is no node of a ledger whose blocks several members order.',
                  HINT = 'A newcomer runs it in the transaction in which it joins, behind ledger.join().';
    END IF;
    SELECT m.member INTO chosen
      FROM ledger_internal.members() AS m JOIN ledger_internal.peer AS p ON p.member = m.member
     WHERE m.name = take_state.source AND m.left_height IS NULL AND m.member <> (SELECT n.member FROM ledger_internal.node AS n);
    IF NOT FOUND AND take_state.source IS NOT NULL THEN
        RAISE EXCEPTION 'there is no other member "%"', take_state.source
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT name FROM ledger.member shows the members; without a source all are asked, one after the other.';
    END IF;
    UPDATE ledger_internal.state_take AS t
       SET reason = take_state.reason, max_mb = take_state.max_mb, asked_of = chosen, left_out = '{}',
           source = NULL, pieces = NULL, received = 0, bytes = 0
     WHERE t.done_at IS NULL;
    IF FOUND THEN
        DELETE FROM ledger_internal.taken_piece; -- all of it: the worker may not get on with it
        PERFORM ledger_internal.wire_changed();
        RETURN applied;
    END IF;
    SELECT c.name, c.version, s.height, s.ref INTO kept
      FROM ledger_internal.skip AS s JOIN ledger_internal.contract AS c ON c.height = s.height AND c.state = 'deployed'
     WHERE s.ref = ledger_internal.deployment_ref(s.height)
     ORDER BY s.height LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'version % of contract "%" is deployed here, and the others have passed over it', kept.version, kept.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'The rows of state tables can be taken from the others, and not what the script has made of the tables.',
                  HINT = format('Restore a backup from before block %s, run SELECT ledger.expect_skip(%s, ''%s'') in it, and then SELECT ledger.accept_restore(''reason'').  Or have this member removed and let it join anew.',
                                kept.height, kept.height, kept.ref);
    END IF;
    SELECT * INTO way FROM ledger_internal.version_in_the_way();
    IF way.height IS NOT NULL AND applied > 0 THEN
        RAISE EXCEPTION 'block % decides on version % of contract "%"', way.height, way.version, way.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Its script may read and change the state before that block, which this member does not have, and the others show no state from before a new version.',
                  HINT = 'Restore a backup from before the state differed, or have this member removed and let it join anew.';
    END IF;
    SELECT * INTO stop FROM ledger_internal.apply_stop;
    INSERT INTO ledger_internal.state_take (number, reason, max_mb, asked_of, begins, unknown_after, stopped_at, stopped_by)
    VALUES ((SELECT coalesce(max(t.number), 0) + 1 FROM ledger_internal.state_take AS t), take_state.reason, take_state.max_mb, chosen, applied = 0,
            ledger_internal.agreed_height(coalesce(least(stop.height - 1, applied), applied)), stop.height, stop.reason);
    INSERT INTO ledger_internal.apply_stop AS s (height, reason) VALUES (applied, 'taking')
        ON CONFLICT (is_on) DO UPDATE SET reason = 'taking';
    PERFORM ledger_internal.wire_changed();
    RETURN applied;
END $$;
REVOKE ALL ON FUNCTION ledger.take_state(text, text, integer) FROM PUBLIC;
COMMENT ON FUNCTION ledger.take_state(text, text, integer) IS
    'where the state of this member is not that of the others: takes the contents of all state tables after a stable checkpoint from source, who has switched telco_ledger.show_state on, or whoever has, of at most so many MB, and goes on from there; what calls, timers and events since the last checkpoint that agreed have done is not known here then; while one is being taken it changes reason, source and max_mb of that, and begins with the first piece, and ledger.cancel_take() ends it; returns the height up to which blocks are applied';

CREATE FUNCTION ledger.cancel_take() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    take ledger_internal.state_take;
BEGIN
    PERFORM ledger_internal.check_read_committed('ledger.cancel_take()', 'what has just been applied');
    LOCK TABLE ledger_internal.skip IN SHARE UPDATE EXCLUSIVE MODE; -- the block that is being applied
    SELECT * INTO take FROM ledger_internal.state_take AS t WHERE t.done_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no state is being taken'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'SELECT * FROM ledger.state_take shows those that were.';
    END IF;
    IF take.passes_over THEN
        RAISE EXCEPTION 'blocks are applied here without the calls in them'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'What these have done is in the state of the others alone.',
                  HINT = 'ledger.take_state() changes whom it asks, and how much may come.';
    END IF;
    DELETE FROM ledger_internal.taken_piece;
    DELETE FROM ledger_internal.state_take AS t WHERE t.done_at IS NULL;
    IF take.stopped_by IS NULL THEN
        DELETE FROM ledger_internal.apply_stop;
    ELSE
        UPDATE ledger_internal.apply_stop SET height = take.stopped_at, reason = take.stopped_by;
    END IF;
    PERFORM ledger_internal.wire_changed();
    RETURN (SELECT a.height FROM ledger_internal.applied AS a);
END $$;
REVOKE ALL ON FUNCTION ledger.cancel_take() FROM PUBLIC;
COMMENT ON FUNCTION ledger.cancel_take() IS
    'ends what ledger.take_state() has begun, as long as no block was applied without its calls: this member applies blocks again, or is stopped as it was before; returns the height up to which they are applied';

CREATE VIEW ledger.state_take AS
    SELECT t.asked_at, t.reason, t.height, t.unknown_after, m.name AS source,
           t.received, t.pieces, t.bytes,
           (SELECT array_agg(r.name ORDER BY r.member) FROM ledger_internal.members() AS r WHERE r.member = ANY (t.refused) AND r.left_height IS NULL) AS refused,
           t.done_at,
           CASE WHEN t.done_at IS NOT NULL THEN NULL
                WHEN (t.passes_over OR NOT t.begins) AND v.height <= coalesce(t.height, 9223372036854775807) THEN
                    format('Block %s decides on a new version of contract "%s", whose script needs the state before it: restore a backup, or let this member join anew.',
                           v.height, v.name)
                WHEN t.height IS NULL THEN 'A stable checkpoint at or above the last block that is applied here.'
                WHEN t.received = t.pieces AND a.height < t.height THEN format('Blocks up to %s, which are being applied; the last one is %s.', t.height, a.height)
                WHEN t.received = t.pieces THEN 'The worker, which puts the state into the tables.'
                WHEN t.pieces IS NULL THEN format('%s to show the state after block %s, with telco_ledger.show_state on there.', coalesce((SELECT o.name FROM ledger_internal.members() AS o WHERE o.member = t.asked_of AND o.left_height IS NULL), 'A member'), t.height)
                ELSE format('Piece %s of %s, from %s.', t.received + 1, t.pieces, m.name) END AS waits_for
      FROM ledger_internal.state_take AS t
           -- it has one row at most, which the planner does not know
           LEFT JOIN (SELECT height FROM ledger_internal.applied LIMIT 1) AS a ON true
           LEFT JOIN LATERAL ledger_internal.version_in_the_way() AS v ON t.done_at IS NULL
           LEFT JOIN ledger_internal.members() AS m ON m.member = t.source AND m.left_height IS NULL;
COMMENT ON VIEW ledger.state_take IS
    'each time that this member has taken the state of a checkpoint from the others (ledger.take_state()): that after block height; of the blocks above unknown_after and up to it it does not know what calls, timers and events were; while it is not done, what it waits for, and members that have shown another state than the one signed (refused)';
GRANT SELECT ON ledger.state_take TO PUBLIC;
