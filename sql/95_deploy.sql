-- Contracts: proposed, approved, deployed (src/contract/README.md).

CREATE FUNCTION ledger_internal.body(digest bytea) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT b.chunk
  FROM (SELECT o.chunk, 1 AS place FROM ledger_internal.own_body AS o WHERE o.digest = $1
        UNION ALL SELECT p.chunk, 2 FROM ledger_internal.peer_body AS p WHERE p.digest = $1) AS b
 ORDER BY b.place LIMIT 1
$$;
COMMENT ON FUNCTION ledger_internal.body(bytea) IS 'the chunk with that SHA-256, of this member or of another; NULL if it is not here';

-- Views of the schema ledger call it, and may be granted to anybody.
CREATE FUNCTION ledger_internal.source_text(hash bytea) RETURNS text
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(ledger_internal.body($1), 'UTF8');
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION ledger_internal.source_text(bytea) IS 'the body with that SHA-256 as text; NULL if it is not here or is none';

CREATE FUNCTION ledger_internal.contract_motion(motion bytea,
        OUT name text, OUT version integer, OUT size integer, OUT hash bytea, OUT epoch bigint) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT words[1], words[2]::integer, words[3]::integer, p.subject, p.epoch
  FROM ledger_internal.motion_parts($1) AS p,
       LATERAL regexp_match(p.reason, '^contract ([a-z][a-z0-9_]{0,62}) version ([1-9][0-9]{0,8}) of ([1-9][0-9]{0,8}) bytes$') AS words
 WHERE p.kind = 'deploy' AND words IS NOT NULL
$$;
COMMENT ON FUNCTION ledger_internal.contract_motion(bytea) IS 'the contract that a motion deploys; no row if it is another one';

-- A version replaces the one before it, of which there is one: so of two
-- proposals of the same version the second that is decided fails.
CREATE FUNCTION ledger_internal.next_version(name text) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT 1 + coalesce(max(c.version), 0) FROM ledger_internal.contract AS c WHERE c.name = $1 AND c.state = 'deployed'
$$;
COMMENT ON FUNCTION ledger_internal.next_version(text) IS 'the version that can be deployed next under that name: 1 if there is none';

CREATE FUNCTION ledger_internal.check_contract_name(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF check_contract_name.name IS NULL OR check_contract_name.name !~ '^[a-z][a-z0-9_]{0,62}$'
       OR check_contract_name.name ~ '^(pg_|ledger)' OR check_contract_name.name IN ('public', 'information_schema') THEN
        RAISE EXCEPTION 'a contract cannot be called "%"', check_contract_name.name
            USING ERRCODE = 'invalid_name',
                  DETAIL = 'Its name is that of a schema at all members: small letters, digits and _, at most 63; names that begin with pg_ or ledger, and those of schemas that every database has, are taken.';
    END IF;
    IF EXISTS (SELECT FROM ledger_internal.decision AS d, LATERAL ledger_internal.contract_motion(d.motion) AS m
                WHERE m.name = check_contract_name.name
                  AND NOT EXISTS (SELECT FROM ledger_internal.contract AS c WHERE c.motion = d.motion)) THEN
        RAISE EXCEPTION 'a version of contract "%" is decided, and not applied here yet', check_contract_name.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Try again when ledger.contract shows it as deployed, failed or skipped; ledger.status shows whether applying stands at it.';
    END IF;
    IF ledger_internal.next_version(check_contract_name.name) = 1
       AND EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = check_contract_name.name) THEN
        RAISE EXCEPTION 'schema "%" exists already', check_contract_name.name
            USING ERRCODE = 'duplicate_schema',
                  DETAIL = 'The objects of a contract lie in a schema of their own, which has its name at all members.',
                  HINT = format('Rename the schema that is there: ALTER SCHEMA %I RENAME TO ...', check_contract_name.name);
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_contract_name(text) IS 'an error unless a contract can have that name here and now';

CREATE FUNCTION ledger_internal.check_source(source text, name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_first CONSTANT boolean := ledger_internal.next_version(check_source.name) = 1;
    wanted text := 'contract';
    arguments text := 'source';
    refused text;
BEGIN
    IF NOT is_first THEN
        wanted := format('new version of contract "%s"', check_source.name);
        arguments := 'source, name';
    END IF;
    SELECT string_agg(format('line %s: %s: %s', c.line, c.construct, c.why), E'\n' ORDER BY c.line)
      INTO refused
      FROM (SELECT f.line, f.construct, f.why
              FROM ledger.check_contract(check_source.source) AS f
             WHERE is_first
            UNION ALL
            SELECT n.line, n.construct, n.why
              FROM ledger.check_contract(check_source.source, check_source.name) AS n
             WHERE NOT is_first) AS c;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'this script can be no %', wanted
            USING ERRCODE = 'invalid_object_definition', DETAIL = refused,
                  HINT = format('SELECT * FROM ledger.check_contract(%s) says what to write instead.', arguments);
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_source(text, text) IS 'an error that names everything that ledger.check_contract() refuses';

-- The source travels as a body; this member approves once a final block has it,
-- so that nothing is decided whose source is not on the ledger.
CREATE FUNCTION ledger.deploy(name text, source text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    body CONSTANT bytea := convert_to(deploy.source, 'UTF8');
    change bytea;
    other record;
    earlier ledger_internal.contract;
BEGIN
    PERFORM ledger_internal.check_validator();
    PERFORM ledger_internal.check_contract_name(deploy.name);
    IF deploy.source IS NULL OR octet_length(body) = 0 THEN
        RAISE EXCEPTION 'a contract needs a source'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Give its script: ledger.deploy(name, source).';
    END IF;
    PERFORM ledger_internal.check_source(deploy.source, deploy.name);
    SELECT o.* INTO other FROM ledger_internal.open_contracts() AS o WHERE o.name = deploy.name ORDER BY o.digest LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'contract "%" is proposed already', deploy.name
            USING ERRCODE = 'duplicate_object',
                  DETAIL = format('The proposal has %s bytes, with SHA-256 %s.', other.size, encode(other.hash, 'hex')),
                  HINT = 'SELECT * FROM ledger.contract shows it; ledger.approve(name) approves of it.';
    END IF;
    change := ledger_internal.make_notice(format('contract %s version %s of %s bytes', deploy.name,
                                                 ledger_internal.next_version(deploy.name), octet_length(body)), sha256(body));
    SELECT * INTO earlier FROM ledger_internal.contract AS c WHERE c.motion = change;
    IF FOUND THEN
        RAISE EXCEPTION 'this script was proposed as version % of contract "%" before', earlier.version, deploy.name
            USING ERRCODE = 'duplicate_object',
                  DETAIL = format('Block %s has decided on it: %s.', earlier.height, earlier.reason),
                  HINT = 'Change the script, be it a comment: a motion is decided once.';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_internal.ordered_chunk AS o WHERE o.digest = sha256(body)) THEN
        PERFORM ledger_internal.submit(body);
    END IF;
    RETURN ledger_internal.ask_approval(change, sha256(body));
END $$;
COMMENT ON FUNCTION ledger.deploy(text, text) IS
    'proposes a contract to all members, or the next version of one that is deployed, and approves of it; once a quorum approves (ledger.approve()) every member runs the script; returns the motion';

-- Motions of this epoch that deploy contracts and are not decided.
CREATE FUNCTION ledger_internal.open_contracts(
        OUT motion bytea, OUT digest bytea, OUT name text, OUT version integer, OUT size integer, OUT hash bytea) RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
SELECT a.motion, p.digest, c.name, c.version, c.size, c.hash
  FROM (SELECT DISTINCT motion FROM ledger_internal.approval WHERE epoch = ledger_internal.epoch_now()
        UNION SELECT motion FROM ledger_internal.approval_asked) AS a,
       LATERAL ledger_internal.contract_motion(a.motion) AS c,
       LATERAL ledger_internal.motion_parts(a.motion) AS p
 WHERE c.epoch = ledger_internal.epoch_now()
   AND c.version = ledger_internal.next_version(c.name)
   AND NOT EXISTS (SELECT FROM ledger_internal.decision AS d WHERE d.motion = a.motion)
 ORDER BY p.digest
$$;
COMMENT ON FUNCTION ledger_internal.open_contracts() IS 'contracts that somebody has proposed and that can be decided now';

CREATE FUNCTION ledger.approve(name text, hash bytea DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    proposal record;
    count bigint;
    body bytea;
BEGIN
    PERFORM ledger_internal.check_validator();
    SELECT count(*) INTO count FROM ledger_internal.open_contracts() AS o
     WHERE o.name = approve.name AND (approve.hash IS NULL OR o.hash = approve.hash);
    IF count > 1 THEN
        RAISE EXCEPTION 'contract "%" is proposed more than once', approve.name
            USING ERRCODE = 'ambiguous_parameter',
                  DETAIL = (SELECT string_agg(format('A proposal has %s bytes, with SHA-256 %s.', o.size, encode(o.hash, 'hex')), E'\n' ORDER BY o.digest)
                              FROM ledger_internal.open_contracts() AS o WHERE o.name = approve.name),
                  HINT = 'Name the one that is meant: ledger.approve(name, hash).';
    END IF;
    SELECT o.* INTO proposal FROM ledger_internal.open_contracts() AS o
     WHERE o.name = approve.name AND (approve.hash IS NULL OR o.hash = approve.hash);
    IF NOT FOUND THEN
        PERFORM ledger_internal.check_contract_name(approve.name);
        RAISE EXCEPTION 'contract "%" is not proposed, as far as is known here', approve.name
            USING ERRCODE = 'undefined_object',
                  HINT = 'SELECT name, state FROM ledger.contract shows what is; a proposal counts in the epoch in which it was made.';
    END IF;
    PERFORM ledger_internal.check_not_approved(proposal.motion);
    PERFORM ledger_internal.check_contract_name(approve.name);
    SELECT ledger_internal.body(o.digest) INTO body FROM ledger_internal.ordered_chunk AS o WHERE o.digest = proposal.hash;
    IF body IS NULL THEN
        RAISE EXCEPTION 'the source of contract "%" is in no final block yet', approve.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Try again in a moment; column source of ledger.contract shows it when it is here.';
    END IF;
    IF octet_length(body) <> proposal.size THEN
        RAISE EXCEPTION 'the source of contract "%" has % bytes, and not % as its proposal says', approve.name, octet_length(body), proposal.size
            USING ERRCODE = 'invalid_object_definition',
                  HINT = 'Do not approve; ask who proposes it for a new proposal.';
    END IF;
    PERFORM ledger_internal.check_source(convert_from(body, 'UTF8'), approve.name);
    RETURN ledger_internal.ask_approval(proposal.motion, proposal.hash);
END $$;
COMMENT ON FUNCTION ledger.approve(text, bytea) IS
    'approves of a contract that another member has proposed (ledger.deploy()); hash: which, if there are several proposals; returns the motion';

CREATE VIEW ledger.contract AS
    SELECT c.name, c.version, coalesce(d.source, ledger_internal.source_text(c.hash)) AS source, c.hash,
           a.approved_by, ledger_internal.quorum() AS needed, d.height AS since_height,
           CASE WHEN d.superseded_at IS NOT NULL THEN 'superseded'
                WHEN d.state IS NOT NULL THEN d.state
                WHEN EXISTS (SELECT FROM ledger_internal.decision AS i WHERE i.motion = a.motion) THEN 'approved'
                WHEN c.epoch = ledger_internal.epoch_now() AND c.version = ledger_internal.next_version(c.name) THEN 'proposed'
                ELSE 'lapsed' END AS state,
           d.reason, encode(p.digest, 'hex') AS motion, d.superseded_at
      FROM (SELECT v.motion, array_agg(DISTINCT m.name ORDER BY m.name) AS approved_by
              FROM ledger_internal.approval AS v JOIN ledger_internal.members() AS m USING (member)
             GROUP BY v.motion) AS a
           CROSS JOIN LATERAL ledger_internal.contract_motion(a.motion) AS c
           CROSS JOIN LATERAL ledger_internal.motion_parts(a.motion) AS p
           LEFT JOIN (SELECT i.*, CASE WHEN i.state = 'deployed' THEN
                                       lead(i.height) OVER (PARTITION BY i.name, i.state ORDER BY i.version) END AS superseded_at
                        FROM ledger_internal.contract AS i) AS d ON d.motion = a.motion;
COMMENT ON VIEW ledger.contract IS
    'contracts: state is proposed, approved (decided, and not applied here yet), deployed (in block since_height), superseded (by the version that the block at superseded_at has brought), failed (reason says why, the same at all members), skipped (the members have passed over it, as no quorum could run its script) or lapsed (the members changed, or another proposal of that version was deployed, before it was decided)';
