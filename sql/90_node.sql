-- The node: becoming one, finality, and what it is doing.

CREATE FUNCTION ledger.create_node(name text, purpose text DEFAULT 'production', ordered boolean DEFAULT false, recovery_key bytea DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'tl_create_node' LANGUAGE C VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.create_node(text, text, boolean, bytea) IS
    'makes this database a ledger of one member and returns the chain id; purpose is production or test; ordered: consensus makes its blocks from the first one on, and not only from the first invitation; recovery_key: the public half of a key that is kept offline';

-- Several founders of a test ledger: any other has one, who invites.
CREATE FUNCTION ledger_internal.make_key() RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_key' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.make_key() IS 'makes a signing key file and returns the public key';
CREATE FUNCTION ledger_internal.create_member(names text[], row_keys bytea[], member bigint, founded timestamptz, ordered boolean DEFAULT false)
    RETURNS text
    AS 'MODULE_PATHNAME', 'tl_create_member' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.create_member(text[], bytea[], bigint, timestamptz, boolean) IS
    'makes this database one of several founders of a test ledger; the same names, keys and time make the same chain; ordered: they order what is submitted, and nobody makes blocks alone';

CREATE FUNCTION ledger.dispose() RETURNS void
    AS 'MODULE_PATHNAME', 'tl_dispose' LANGUAGE C VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.dispose() IS
    'ends a test ledger at this node: its tables, its chain, its identity; refused on a production ledger';

-- After a restore.
CREATE FUNCTION ledger.resume(reason text DEFAULT 'restored from a dump', accept_problems boolean DEFAULT false)
    RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_resume' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.resume(text, boolean) IS
    'verifies a node that was restored from a dump, copied or upgraded, and lets it go on as a new incarnation of its member; returns the height of the block that says so, NULL where several members order (ledger.rejoin shows how far it is)';
CREATE FUNCTION ledger.accept_restore(reason text) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_accept_restore' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger.accept_restore(text) IS
    'lets a node that was restored to an older point go on as a new incarnation of its member, and signs what is lost; returns the height of the block that says so, NULL where several members order (ledger.rejoin shows how far it is)';

CREATE FUNCTION ledger_internal.incarnations(
        OUT incarnation integer, OUT height bigint, OUT since timestamptz, OUT opened_by text,
        OUT reason text, OUT known_height bigint, OUT lost_height bigint,
        OUT unbatched_rows bigint, OUT problems bigint) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_incarnations' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.incarnations() IS 'behind ledger.incarnation';
CREATE VIEW ledger.incarnation AS SELECT * FROM ledger_internal.incarnations();
COMMENT ON VIEW ledger.incarnation IS
    'when this member went on after a restore: what was known at that height, what is known to be lost';

CREATE FUNCTION ledger.is_final(ref ledger.ref) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_is_final' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.height(ref ledger.ref) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_height' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.block_time(ref ledger.ref) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'tl_block_time' LANGUAGE C STABLE STRICT PARALLEL SAFE;
CREATE FUNCTION ledger.finality(ref ledger.ref) RETURNS text
    AS 'MODULE_PATHNAME', 'tl_finality' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
CREATE FUNCTION ledger.wait_final(ref ledger.ref, timeout interval DEFAULT '30 s') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tl_wait_final' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger.is_final(ledger.ref) IS 'is the row with this ref in a final block?';
COMMENT ON FUNCTION ledger.height(ledger.ref) IS 'height of the row''s block, NULL while it is not final';
COMMENT ON FUNCTION ledger.block_time(ledger.ref) IS 'time of the row''s block, NULL while it is not final';
COMMENT ON FUNCTION ledger.finality(ledger.ref) IS 'committed, final or rejected; an error if no committed row has this ref';
COMMENT ON FUNCTION ledger.wait_final(ledger.ref, interval) IS
    'waits until the row is final and returns its height; an error when the time is over (TL020) or the row was rejected (TL023)';

-- Subqueries, so that the last blocks of a long chain are found at once.
CREATE VIEW ledger.block AS
    SELECT block.height,
           block.time,
           block.hash,
           (SELECT count(*) FROM ledger_internal.batch WHERE batch.height = block.height)
             + (SELECT count(*) FROM ledger_internal.foreign_batch AS f WHERE f.height = block.height) AS batches,
           (SELECT coalesce(sum(batch.row_count), 0)::bigint
              FROM ledger_internal.batch WHERE batch.height = block.height) AS rows,
           block.header
      FROM ledger_internal.block;
COMMENT ON VIEW ledger.block IS
    'final blocks; hash = SHA-256(0x00 || header); batches are those of all members, rows those of this one';

CREATE VIEW ledger.batch AS
    SELECT batch.member,
           batch.incarnation,
           batch.batch,
           batch.height,
           batch.row_count AS rows,
           batch.first_ref,
           batch.last_ref,
           (SELECT count(*) FROM ledger_internal.section WHERE section.batch = batch.batch) AS sections,
           batch.late,
           batch.digest,
           batch.header
      FROM ledger_internal.batch
     WHERE batch.height IS NOT NULL;
COMMENT ON VIEW ledger.batch IS 'final batches of this member: what it added to the ledger at once';

CREATE FUNCTION ledger_internal.status(
        OUT name text, OUT member bigint, OUT incarnation integer, OUT purpose text,
        OUT chain text, OUT worker_pid integer, OUT rows_pending bigint,
        OUT pending_since timestamptz, OUT waiting_tables regclass[], OUT state text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_node_status' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.status() IS 'one row if this database is a node; behind ledger.status';

CREATE FUNCTION ledger_internal.members(
        OUT member bigint, OUT name text, OUT kind text, OUT roles text[], OUT row_key bytea, OUT recovery_key bytea,
        OUT since_height bigint, OUT left_height bigint, OUT leaf bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_members' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.members() IS 'all that are or were members, from genesis and the decided motions; behind ledger.member';

CREATE FUNCTION ledger_internal.members(before_height bigint,
        OUT member bigint, OUT name text, OUT kind text, OUT roles text[], OUT row_key bytea, OUT recovery_key bytea,
        OUT since_height bigint, OUT left_height bigint, OUT leaf bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_members' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.members(bigint) IS 'the same as the block at that height finds them';

CREATE FUNCTION ledger_internal.stand(
        OUT height bigint, OUT ref ledger.ref, OUT since timestamptz, OUT failures integer,
        OUT pid integer, OUT sqlstate text, OUT message text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_stand' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1;
COMMENT ON FUNCTION ledger_internal.stand() IS
    'the call or deployment at which applying stands: it has failed for a reason that is this server''s, or has been running for 5 seconds; no row: at none';

CREATE VIEW ledger.status AS
    SELECT s.name, s.member, s.incarnation, s.purpose, s.chain, s.state,
           tip.height, tip.time AS block_time,
           s.worker_pid, s.rows_pending,
           clock_timestamp() - s.pending_since AS pending_age,
           s.waiting_tables,
           (SELECT array_agg(DISTINCT l.pid)
              FROM pg_catalog.pg_locks AS l
              JOIN pg_catalog.pg_database AS d ON d.oid = l.database
             WHERE d.datname = current_database()
               AND l.relation IN (SELECT w.relation
                                    FROM unnest(s.waiting_tables::oid[]) AS w (relation)
                                  UNION ALL
                                  SELECT c.reltoastrelid
                                    FROM pg_catalog.pg_class AS c
                                   WHERE c.oid = ANY (s.waiting_tables::oid[])
                                  UNION ALL
                                  SELECT i.indexrelid
                                    FROM pg_catalog.pg_index AS i
                                    JOIN pg_catalog.pg_class AS c ON i.indrelid IN (c.oid, c.reltoastrelid)
                                   WHERE c.oid = ANY (s.waiting_tables::oid[]))
               AND l.mode = 'AccessExclusiveLock') AS blocked_by,
           coalesce((SELECT a.height FROM ledger_internal.applied AS a), tip.height) AS applied_height,
           stop.height AS stopped_at,
           stop.reason AS stopped_by,
           (SELECT array_agg(d.relation ORDER BY d.table_id) FROM ledger.state AS d
             WHERE d.damaged_at IS NOT NULL) AS damaged_tables,
           (SELECT m.kind FROM ledger_internal.members() AS m WHERE m.member = s.member AND m.left_height IS NULL) AS kind,
           stand.ref AS stands_at, stand.since AS stands_since, stand.message AS stands_for
      FROM ledger_internal.status() AS s
           LEFT JOIN ledger_internal.stand() AS stand ON true
           -- it has one row at most, which the planner does not know
           LEFT JOIN (SELECT a.height, a.reason FROM ledger_internal.apply_stop AS a LIMIT 1) AS stop ON true,
           LATERAL (SELECT block.height, block.time
                      FROM ledger_internal.block
                     ORDER BY block.height DESC LIMIT 1) AS tip;
COMMENT ON VIEW ledger.status IS
    'this node: its tip, rows that are committed and not final yet, tables that wait for a lock and the processes that hold it or ask for it; kind: validator, participant or observer, null while it is no member; stands_at: the call that cannot be executed here, or the deployment (0.0.height.0), or that runs since stands_since, and what the error was';
