-- Members: inviting, joining, admitting, removing; who they are
-- (src/node/node_member.c, src/node/node_order_epoch.c).

CREATE TABLE ledger_internal.epoch (
    epoch bigint PRIMARY KEY CHECK (epoch > 0),
    height bigint NOT NULL,
    motion bytea NOT NULL,
    certificate bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ledger_internal.epoch IS
    'each change of the members: the block that founded the epoch, the motion, the epoch certificate';

CREATE TABLE ledger_internal.approval_asked (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    motion bytea NOT NULL CHECK (octet_length(motion) BETWEEN 1 AND 131072),
    source bytea,
    asked_by name NOT NULL DEFAULT session_user
);
COMMENT ON TABLE ledger_internal.approval_asked IS
    'motions that this member approves of, until the process of the wire has signed that; source: not before a final block has the body with this SHA-256';

CREATE TABLE ledger_internal.trusted_block (
    height bigint PRIMARY KEY,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE ledger_internal.trusted_block IS
    'blocks that the invitation names; a node that finds another one at that height goes no further';

CREATE TABLE ledger_internal.prepared_key (
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32)
);
CREATE UNIQUE INDEX prepared_key_one ON ledger_internal.prepared_key ((true));
COMMENT ON TABLE ledger_internal.prepared_key IS 'the key with which this database will join a ledger';

SELECT pg_extension_config_dump('ledger_internal.epoch', '');
SELECT pg_extension_config_dump('ledger_internal.approval_asked', '');
SELECT pg_extension_config_dump('ledger_internal.approval_asked_number_seq', '');
SELECT pg_extension_config_dump('ledger_internal.prepared_key', '');
SELECT pg_extension_config_dump('ledger_internal.trusted_block', '');
SELECT pg_extension_config_dump('ledger_internal.invitation', '');

-- GOVERN rows are few among many.
CREATE INDEX own_log_govern ON ledger_internal.own_log (epoch) WHERE kind = 9;
CREATE INDEX peer_log_govern ON ledger_internal.peer_log (epoch) WHERE kind = 9;
CREATE INDEX peer_log_govern_by_member ON ledger_internal.peer_log (member, epoch, view, seq) WHERE kind = 9;

CREATE FUNCTION ledger_internal.quorum() RETURNS integer
    AS 'MODULE_PATHNAME', 'tl_quorum' LANGUAGE C VOLATILE PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ledger_internal.quorum() IS 'how many validators of now are a quorum';

CREATE FUNCTION ledger_internal.leaf_parts(leaf bytea,
        OUT member bigint, OUT name text, OUT kind text, OUT roles text[], OUT row_key bytea, OUT recovery_key bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_leaf_parts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION ledger_internal.leaf_parts(bytea) IS 'what a member''s leaf says (src/consensus/chain_member.c)';

CREATE FUNCTION ledger_internal.motion_parts(motion bytea,
        OUT kind text, OUT epoch bigint, OUT reason text, OUT digest bytea,
        OUT removed bigint[], OUT leaves bytea[], OUT subject bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_motion_parts' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION ledger_internal.motion_parts(bytea) IS 'what a motion says; no row for bytes that are none';

CREATE FUNCTION ledger_internal.make_leaf(member bigint, name text, kind text, roles text[], row_key bytea, recovery_key bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_leaf' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.make_leaf(bigint, text, text, text[], bytea, bytea) IS 'the leaf of a member; roles ascending; recovery_key may be null';

CREATE FUNCTION ledger_internal.make_change(reason text, removed bigint[], leaves bytea[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_change' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.make_change(text, bigint[], bytea[]) IS
    'a motion that changes the members of now; an error says what cannot be';

CREATE FUNCTION ledger_internal.make_notice(notice text, subject bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_make_notice' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.make_notice(text, bytea) IS
    'a motion of kind deploy, for this epoch, about what has that SHA-256';

CREATE FUNCTION ledger_internal.join_chain(name text, member bigint, header bytea, body bytea, public_key bytea) RETURNS text
    AS 'MODULE_PATHNAME', 'tl_join_chain' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.join_chain(text, bigint, bytea, bytea, bytea) IS
    'makes this database a node of a ledger that others have founded; returns the chain id';

-- A fingerprint is the key itself with a check, so that it can be told over a
-- telephone and needs no other way besides.
CREATE FUNCTION ledger_internal.fingerprint_of(row_key bytea) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT rtrim(regexp_replace(encode($1 || substring(sha256('telco_ledger/1/fingerprint'::bytea || $1) FOR 4), 'hex'),
                                      '(.{8})', E'\\1-', 'g'), '-') $$;
COMMENT ON FUNCTION ledger_internal.fingerprint_of(bytea) IS
    'a row key in hexadecimal digits and the first four bytes of its hash, in groups of eight';

CREATE FUNCTION ledger_internal.key_of(fingerprint text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    digits CONSTANT text := lower(regexp_replace(fingerprint, '[-[:space:]]', '', 'g'));
BEGIN
    IF digits !~ '^[0-9a-f]{72}$'
       OR ledger_internal.fingerprint_of(decode(left(digits, 64), 'hex')) <> rtrim(regexp_replace(digits, '(.{8})', E'\\1-', 'g'), '-') THEN
        RAISE EXCEPTION 'this is no fingerprint of a member''s key'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'It has 72 hexadecimal digits, of which the last eight check the others.',
                  HINT = 'SELECT ledger.fingerprint() on the new member''s database prints it.';
    END IF;
    RETURN decode(left(digits, 64), 'hex');
END $$;
COMMENT ON FUNCTION ledger_internal.key_of(text) IS 'the row key in a fingerprint; an error if a digit is wrong';

CREATE FUNCTION ledger.fingerprint() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key bytea;
BEGIN
    SELECT public_key INTO key FROM ledger_internal.node;
    IF NOT FOUND THEN
        LOCK TABLE ledger_internal.prepared_key IN SHARE ROW EXCLUSIVE MODE;
        SELECT public_key INTO key FROM ledger_internal.prepared_key;
        IF NOT FOUND THEN
            INSERT INTO ledger_internal.prepared_key VALUES (ledger_internal.make_key()) RETURNING public_key INTO key;
        END IF;
    END IF;
    RETURN ledger_internal.fingerprint_of(key);
END $$;
COMMENT ON FUNCTION ledger.fingerprint() IS
    'the fingerprint of this member''s key, to be told to the others; before ledger.join() it makes the key';

CREATE FUNCTION ledger_internal.check_ordered() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_internal.node) THEN
        RAISE EXCEPTION 'this database is not a node of a ledger' USING ERRCODE = 'TL004',
            HINT = 'Call ledger.create_node() or ledger.join().';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_internal.order_mode) THEN
        RAISE EXCEPTION 'this ledger has one member, who makes its blocks alone'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Members are changed, and contracts deployed, where consensus orders the blocks.',
                  HINT = 'Call ledger.announce(''host=... dbname=...''), and ledger.invite(name, fingerprint) for each new member.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_ordered() IS 'an error unless this is a node of a ledger whose members can change';

CREATE FUNCTION ledger_internal.is_validator() RETURNS boolean
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT EXISTS (SELECT FROM ledger_internal.members() AS m JOIN ledger_internal.node AS n USING (member)
                WHERE m.kind = 'validator' AND m.left_height IS NULL)
$$;
COMMENT ON FUNCTION ledger_internal.is_validator() IS 'is this node a validator of now?';

-- What this member is now; an error if it may not decide anything.
CREATE FUNCTION ledger_internal.check_validator() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM ledger_internal.check_ordered();
    IF NOT ledger_internal.is_validator() THEN
        RAISE EXCEPTION 'this node is no validator of its ledger, and decides nothing'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'It is a participant or an observer, or has not been admitted yet, or was removed, or has not learnt yet that it was admitted.',
                  HINT = 'SELECT * FROM ledger.member shows what this node knows.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_validator() IS 'an error unless this node is a validator of now';

CREATE FUNCTION ledger_internal.check_read_committed(caller text, unseen text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION '% needs a transaction that is READ COMMITTED', caller
            USING ERRCODE = 'invalid_transaction_state',
                  DETAIL = format('This one is %s, and would not see %s.', upper(current_setting('transaction_isolation')), unseen),
                  HINT = 'Begin it by BEGIN ISOLATION LEVEL READ COMMITTED, or set default_transaction_isolation to that.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_read_committed(text, text) IS
    'an error in a transaction whose statements behind a lock would not see what is newer than it';

CREATE VIEW ledger_internal.approval AS
    SELECT n.member, o.epoch, substring(o.message FROM 156 FOR greatest(octet_length(o.message) - 219, 0)) AS motion
      FROM ledger_internal.own_log AS o, ledger_internal.node AS n WHERE o.kind = 9
    UNION ALL
    SELECT member, epoch, substring(message FROM 156 FOR greatest(octet_length(message) - 219, 0))
      FROM ledger_internal.peer_log WHERE kind = 9;
COMMENT ON VIEW ledger_internal.approval IS 'motions of GOVERN rows, as the members'' logs have them';

CREATE FUNCTION ledger_internal.epoch_now() RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT coalesce(max(epoch), 0) FROM ledger_internal.epoch $$;
COMMENT ON FUNCTION ledger_internal.epoch_now() IS 'the epoch in which this node is';

CREATE FUNCTION ledger_internal.check_not_approved(motion bytea) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_internal.approval_asked AS a WHERE a.motion = check_not_approved.motion)
       OR EXISTS (SELECT FROM ledger_internal.approval AS a JOIN ledger_internal.node USING (member)
                   WHERE a.motion = check_not_approved.motion) THEN
        RAISE EXCEPTION 'this member has approved of that already'
            USING ERRCODE = 'duplicate_object',
                  HINT = 'SELECT * FROM ledger.motion shows whose approval is still to come.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_not_approved(bytea) IS 'an error if this member has approved of that motion, or was asked to';

-- An approval is asked for once.  The process of the wire, which signs it and takes it
-- from there, does not wait for the session.
CREATE FUNCTION ledger_internal.ask_approval(motion bytea, source bytea DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    LOCK TABLE ledger_internal.approval_asked IN SHARE UPDATE EXCLUSIVE MODE;
    PERFORM ledger_internal.check_not_approved(ask_approval.motion);
    INSERT INTO ledger_internal.approval_asked (motion, source) VALUES (ask_approval.motion, ask_approval.source);
    PERFORM ledger_internal.wire_changed();
    RETURN (SELECT encode(p.digest, 'hex') FROM ledger_internal.motion_parts(ask_approval.motion) AS p);
END $$;
COMMENT ON FUNCTION ledger_internal.ask_approval(bytea, bytea) IS 'has this member approve of a motion; its digest';

-- Motions of this epoch that somebody has approved of.
CREATE FUNCTION ledger_internal.open_motions(
        OUT motion bytea, OUT reason text, OUT removed bigint[], OUT leaves bytea[]) RETURNS SETOF record
    LANGUAGE sql VOLATILE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
SELECT a.motion, p.reason, p.removed, p.leaves
  FROM (SELECT DISTINCT motion FROM ledger_internal.approval WHERE epoch = ledger_internal.epoch_now()
        UNION SELECT motion FROM ledger_internal.approval_asked) AS a,
       LATERAL ledger_internal.motion_parts(a.motion) AS p
 WHERE p.kind = 'change' AND p.epoch = ledger_internal.epoch_now()
 ORDER BY p.digest
$$;
COMMENT ON FUNCTION ledger_internal.open_motions() IS 'changes of the members that can be decided now, and that somebody has proposed';

CREATE FUNCTION ledger.invite(name text, fingerprint text, roles text[] DEFAULT '{}') RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key bytea;
    place bigint;
BEGIN
    IF invite.name IS NULL OR invite.fingerprint IS NULL OR invite.roles IS NULL OR array_position(invite.roles, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'an invitation needs a name and a fingerprint' USING ERRCODE = 'null_value_not_allowed',
            DETAIL = 'The roles may be left out, and none of them may be null.',
            HINT = 'SELECT ledger.fingerprint() on the new member''s database prints the fingerprint.';
    END IF;
    key := ledger_internal.key_of(invite.fingerprint);
    IF NOT EXISTS (SELECT FROM ledger_internal.node) THEN
        PERFORM ledger_internal.check_ordered();
    END IF;
    IF NOT EXISTS (SELECT FROM ledger_internal.peer JOIN ledger_internal.node USING (member) WHERE address IS NOT NULL) THEN
        RAISE EXCEPTION 'the others cannot reach this member yet'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'An invitation says where the wires are, and this member has not said where its own is.',
                  HINT = 'Call ledger.announce(''host=... dbname=...'') first.';
    END IF;
    -- a name or role that cannot be is refused before anything begins
    PERFORM ledger_internal.make_leaf(2, invite.name, 'validator', r.sorted, key, NULL)
       FROM (SELECT ARRAY(SELECT DISTINCT role COLLATE "C" FROM unnest(invite.roles) AS role ORDER BY 1) AS sorted) AS r;
    PERFORM ledger_internal.begin_order();
    PERFORM ledger_internal.check_validator();
    LOCK TABLE ledger_internal.invitation IN SHARE ROW EXCLUSIVE MODE;
    PERFORM ledger_internal.check_new(invite.name, key);
    SELECT number INTO place FROM ledger_internal.invitation AS i WHERE i.row_key = key AND i.name = invite.name;
    IF NOT FOUND THEN
        SELECT 1 + greatest(max(m.member), (SELECT max(number) FROM ledger_internal.invitation)) INTO place
          FROM ledger_internal.members() AS m;
        INSERT INTO ledger_internal.invitation (number, name, roles, row_key)
            VALUES (place, invite.name, ARRAY(SELECT DISTINCT role COLLATE "C" FROM unnest(invite.roles) AS role ORDER BY 1), key);
        PERFORM ledger_internal.wire_changed();
    END IF;
    RETURN (SELECT jsonb_build_object(
                'telco_ledger', 'invitation 1',
                'chain', encode(n.chain_id, 'hex'),
                'purpose', n.purpose,
                'name', invite.name,
                'fingerprint', ledger_internal.fingerprint_of(key),
                'number', place,
                'genesis_header', encode(n.genesis_header, 'hex'),
                'genesis_body', encode(n.genesis_body, 'hex'),
                'members', (SELECT jsonb_agg(jsonb_build_object('number', p.member, 'key', encode(p.row_key, 'hex'), 'address', p.address)
                                             ORDER BY p.member)
                              FROM ledger_internal.peer AS p),
                'alone', (SELECT jsonb_build_object('height', o.alone_height, 'hash', encode(o.alone_hash, 'hex'),
                                                    'logs', (SELECT jsonb_agg(jsonb_build_object('nonce', encode(l.nonce, 'hex'), 'row', l.row)
                                                                              ORDER BY l.place)
                                                               FROM unnest(o.alone_nonces, o.alone_sequences) WITH ORDINALITY AS l (nonce, row, place)))
                            FROM ledger_internal.order_mode AS o WHERE o.alone_height > 0),
                'skipped', (SELECT jsonb_agg(jsonb_build_object('height', s.height, 'ref', s.ref::text) ORDER BY s.height, s.ref)
                              FROM ledger_internal.skip AS s WHERE s.decided_at IS NOT NULL),
                'restart', (SELECT ledger_internal.restart_text(r.document, r.members, r.quorum_of_three)::jsonb
                              FROM ledger_internal.restart AS r WHERE r.begins),
                'checkpoint', (SELECT jsonb_build_object('height', b.height, 'hash', encode(b.hash, 'hex'))
                                 FROM ledger_internal.ordered_block AS b ORDER BY b.height DESC LIMIT 1))::text
              FROM ledger_internal.node AS n);
END $$;
COMMENT ON FUNCTION ledger.invite(text, text, text[]) IS
    'an invitation for the database with that fingerprint (ledger.fingerprint()), to be given to ledger.join() there: what the ledger is, where its members are, its newest block; with the first one consensus begins to make the blocks';

CREATE FUNCTION ledger_internal.check_new(name text, row_key bytea) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    other record;
BEGIN
    SELECT m.* INTO other FROM ledger_internal.members() AS m
     WHERE m.left_height IS NULL AND (m.name = check_new.name OR m.row_key = check_new.row_key);
    IF FOUND THEN
        RAISE EXCEPTION 'member % has that name or that key already', other.member
            USING ERRCODE = 'duplicate_object',
                  DETAIL = format('It is called "%s"; its fingerprint is %s.', other.name, ledger_internal.fingerprint_of(other.row_key)),
                  HINT = 'SELECT name, fingerprint FROM ledger.member shows whose they are; a new member has a name and a key of its own.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_new(text, bytea) IS 'an error if a member of now has that name or key';

CREATE FUNCTION ledger.join(invitation text, name text, address text, recovery_key bytea DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    paper jsonb;
    key bytea;
BEGIN
    IF "join".invitation IS NULL OR "join".name IS NULL OR "join".address IS NULL THEN
        RAISE EXCEPTION 'joining needs an invitation, a name and an address' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'The invitation is the text that ledger.invite() has returned to a member; the address is where the others reach this member''s wire.';
    END IF;
    BEGIN
        paper := "join".invitation::jsonb;
    EXCEPTION WHEN invalid_text_representation THEN
        paper := '{}';
    END;
    IF paper ->> 'telco_ledger' IS DISTINCT FROM 'invitation 1'
       OR NOT coalesce(paper ->> 'genesis_header' ~ '^([0-9a-f]{2})+$' AND paper ->> 'genesis_body' ~ '^([0-9a-f]{2})+$'
                       AND paper ->> 'number' ~ '^[0-9]{1,9}$' AND paper ->> 'chain' ~ '^[0-9a-f]{64}$'
                       AND jsonb_typeof(paper -> 'members') = 'array', false) THEN
        RAISE EXCEPTION 'this is no invitation to a ledger'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Copy the whole text that ledger.invite() has returned.';
    END IF;
    IF paper ->> 'name' IS DISTINCT FROM "join".name THEN
        RAISE EXCEPTION 'the invitation is for "%"', paper ->> 'name' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Join by that name, or ask for an invitation by yours.';
    END IF;
    PERFORM ledger_internal.check_address("join".address);
    SELECT p.public_key INTO key FROM ledger_internal.prepared_key AS p;
    IF key IS NULL OR ledger_internal.fingerprint_of(key) IS DISTINCT FROM paper ->> 'fingerprint' THEN
        RAISE EXCEPTION 'the invitation is for another key'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It names %s; the key of this database is %s.', paper ->> 'fingerprint',
                                  coalesce(ledger_internal.fingerprint_of(key), 'not made yet')),
                  HINT = 'Tell the one who invites what SELECT ledger.fingerprint() prints here.';
    END IF;
    IF jsonb_typeof(paper -> 'restart') = 'object' THEN
        INSERT INTO ledger_internal.restart (begins, document, members, quorum_of_three)
            SELECT true, d.* FROM ledger_internal.restart_from_text(paper ->> 'restart') AS d;
        PERFORM ledger_internal.judge_restart(r.document, r.members, r.quorum_of_three) FROM ledger_internal.restart AS r;
    END IF;
    IF ledger_internal.join_chain("join".name, (paper ->> 'number')::bigint, decode(paper ->> 'genesis_header', 'hex'),
                                  decode(paper ->> 'genesis_body', 'hex'), key) <> paper ->> 'chain' THEN
        RAISE EXCEPTION 'the invitation does not fit together'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'Its first block is not that of the ledger that it names.',
                  HINT = 'Ask for a new invitation.';
    END IF;
    IF paper #>> '{alone,height}' IS NOT NULL AND NOT coalesce(
           (paper #>> '{alone,height}')::bigint > 0 AND paper #>> '{alone,hash}' ~ '^[0-9a-f]{64}$'
           AND (SELECT count(*) BETWEEN 1 AND 4 AND bool_and(l.nonce ~ '^[0-9a-f]{32}$' AND l."row" > 0)
                  FROM jsonb_to_recordset(paper #> '{alone,logs}') AS l (nonce text, "row" bigint)), false) THEN
        RAISE EXCEPTION 'the invitation does not fit together'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = 'What it says of the blocks that the founder made alone makes no sense.',
                  HINT = 'Ask for a new invitation.';
    END IF;
    DELETE FROM ledger_internal.prepared_key;
    IF "join".recovery_key IS NOT NULL THEN
        PERFORM ledger_internal.make_leaf(1, "join".name, 'validator', '{}', key, "join".recovery_key); -- an error if it is none
        INSERT INTO ledger_internal.key_wanted (recovery_key) VALUES ("join".recovery_key);
    END IF;
    INSERT INTO ledger_internal.peer (member, row_key, address)
        SELECT m.number, decode(m.key, 'hex'), left(m.address, 255)
          FROM jsonb_to_recordset(paper -> 'members') AS m (number bigint, key text, address text);
    INSERT INTO ledger_internal.peer (member, row_key, address)
        VALUES ((paper ->> 'number')::bigint, key, "join".address);
    PERFORM ledger.expect_skip(s.height, s.ref) FROM jsonb_to_recordset(nullif(paper -> 'skipped', 'null')) AS s (height bigint, ref ledger.ref);
    INSERT INTO ledger_internal.trusted_block (height, hash)
        SELECT (paper #>> '{checkpoint,height}')::bigint, decode(paper #>> '{checkpoint,hash}', 'hex')
         WHERE paper #>> '{checkpoint,height}' IS NOT NULL;
    UPDATE ledger_internal.order_mode
       SET alone_height = (paper #>> '{alone,height}')::bigint, alone_hash = decode(paper #>> '{alone,hash}', 'hex'),
           (alone_nonces, alone_sequences) =
               (SELECT array_agg(decode(l.nonce, 'hex') ORDER BY place), array_agg(l.row ORDER BY place)
                  FROM ROWS FROM (jsonb_to_recordset(paper #> '{alone,logs}') AS (nonce text, "row" bigint)) WITH ORDINALITY AS l (nonce, row, place))
     WHERE paper #>> '{alone,height}' IS NOT NULL;
    PERFORM ledger_internal.wire_changed();
    RETURN ledger_internal.fingerprint_of(key);
END $$;
COMMENT ON FUNCTION ledger.join(text, text, text, bytea) IS
    'makes this database a node of the ledger that the invitation is to, with its wire at that address; it follows at once, and votes when the members have admitted it (ledger.admit()); recovery_key: the public half of a key that is kept offline, which it registers then; returns its fingerprint';

-- Of a newcomer the first line that says an address counts (follow_members).
CREATE FUNCTION ledger_internal.check_proposed_address(motion bytea, name text, address text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    proposed text;
BEGIN
    SELECT said[1] INTO proposed
      FROM ledger_internal.motion_parts(check_proposed_address.motion) AS p,
           LATERAL unnest(p.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l,
           LATERAL regexp_split_to_table(p.reason, E'\n') WITH ORDINALITY AS lines (line, number),
           LATERAL regexp_match(line, '^address ' || l.member || ' (.+)$') AS said
     WHERE l.name = check_proposed_address.name AND said IS NOT NULL ORDER BY lines.number LIMIT 1;
    IF proposed IS DISTINCT FROM check_proposed_address.address THEN
        RAISE EXCEPTION 'another address is proposed for "%"', check_proposed_address.name
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('Proposed is %s, and an approval is of all that is proposed.', coalesce('"' || proposed || '"', 'none')),
                  HINT = 'Leave the addresses out to approve of it as it is; SELECT reason, changes FROM ledger.motion shows it.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.check_proposed_address(bytea, text, text) IS 'an error unless a motion says that address of its new member';

-- One change for all of them: approved of as it was proposed, or not at all.
CREATE FUNCTION ledger.admit(names text[], fingerprints text[], addresses text[] DEFAULT NULL, kinds text[] DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    wanted text[];
    change bytea;
    near text;
    lacking text;
BEGIN
    PERFORM ledger_internal.check_validator();
    IF cardinality(names) IS DISTINCT FROM cardinality(fingerprints) OR cardinality(names) = 0
       OR cardinality(coalesce(addresses, names)) <> cardinality(names)
       OR cardinality(coalesce(kinds, names)) <> cardinality(names) OR array_position(kinds, NULL) IS NOT NULL
       OR array_position(names, NULL) IS NOT NULL OR array_position(fingerprints, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'each new member needs a name and a fingerprint' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give arrays of the same length: names, fingerprints, addresses if you propose, and kinds unless all are validators.';
    END IF;
    kinds := coalesce(kinds, array_fill('validator'::text, ARRAY[cardinality(names)]));
    IF (SELECT count(DISTINCT u.name) < count(*) OR count(DISTINCT ledger_internal.key_of(u.fingerprint)) < count(*)
          FROM unnest(names, fingerprints) AS u (name, fingerprint)) THEN
        RAISE EXCEPTION 'a new member is named twice' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give each name and each fingerprint once.';
    END IF;
    PERFORM ledger_internal.check_new(u.name, ledger_internal.key_of(u.fingerprint))
       FROM unnest(names, fingerprints) AS u (name, fingerprint);
    wanted := ARRAY(SELECT u.kind || ' ' || u.name || ' ' || encode(ledger_internal.key_of(u.fingerprint), 'hex')
                      FROM unnest(names, fingerprints, kinds) AS u (name, fingerprint, kind) ORDER BY 1);
    SELECT o.motion INTO change FROM ledger_internal.open_motions() AS o
     WHERE o.removed = '{}'
       AND wanted = ARRAY(SELECT l.kind || ' ' || l.name || ' ' || encode(l.row_key, 'hex')
                            FROM unnest(o.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l ORDER BY 1);
    IF NOT FOUND THEN
        -- it is a proposal, and that is for who has invited
        SELECT string_agg(format('"%s"', u.name), ', ') INTO lacking
          FROM unnest(names, fingerprints) AS u (name, fingerprint)
         WHERE NOT EXISTS (SELECT FROM ledger_internal.invitation AS i
                            WHERE i.name = u.name AND i.row_key = ledger_internal.key_of(u.fingerprint));
        SELECT string_agg(array_to_string(ledger_internal.motion_changes(o.removed, o.leaves), ', '), '; ') INTO near
          FROM ledger_internal.open_motions() AS o
         WHERE EXISTS (SELECT FROM unnest(o.leaves) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l
                        WHERE l.name = ANY (names));
        IF lacking IS NOT NULL THEN
            RAISE EXCEPTION 'nobody has proposed that yet, and this member has not invited %', lacking
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = coalesce('Proposed is: ' || near, 'There is no proposal with any of these names.'),
                      HINT = 'The member who has invited proposes by ledger.admit(names, fingerprints, addresses, kinds); others approve by the same names, fingerprints and kinds together.';
        END IF;
        IF addresses IS NULL OR array_position(addresses, NULL) IS NOT NULL THEN
            RAISE EXCEPTION 'who proposes a new member says where its wire is'
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Give the address with which it has called ledger.join() as third argument.';
        END IF;
        PERFORM ledger_internal.check_address(a) FROM unnest(addresses) AS a;
        SELECT ledger_internal.make_change(
                   string_agg(format('%s becomes member %s', i.name, i.number)
                              || CASE WHEN u.kind <> 'validator' THEN format(', %s', u.kind) ELSE '' END, E'\n' ORDER BY i.number) || E'\n'
                   || string_agg(format('address %s %s', i.number, u.address), E'\n' ORDER BY i.number),
                   '{}', array_agg(ledger_internal.make_leaf(i.number, i.name, u.kind, i.roles, i.row_key, NULL) ORDER BY i.number))
          INTO change
          FROM unnest(names, fingerprints, addresses, kinds) AS u (name, fingerprint, address, kind)
          JOIN ledger_internal.invitation AS i ON i.name = u.name AND i.row_key = ledger_internal.key_of(u.fingerprint);
    ELSE
        PERFORM ledger_internal.check_proposed_address(change, u.name, u.address)
           FROM unnest(names, addresses) AS u (name, address) WHERE u.address IS NOT NULL;
    END IF;
    RETURN ledger_internal.ask_approval(change);
END $$;
COMMENT ON FUNCTION ledger.admit(text[], text[], text[], text[]) IS
    'proposes to admit these in one change, or approves of that proposal; who has invited proposes, and gives their addresses; kinds: validator, participant or observer';

CREATE FUNCTION ledger.admit(name text, fingerprint text, address text DEFAULT NULL, kind text DEFAULT 'validator') RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT ledger.admit(ARRAY[$1], ARRAY[$2], CASE WHEN $3 IS NOT NULL THEN ARRAY[$3] END, ARRAY[$4]) $$;
COMMENT ON FUNCTION ledger.admit(text, text, text, text) IS
    'proposes to admit a new member, or approves of that proposal; who has invited proposes, and gives the address; kind: validator, participant or observer';

CREATE FUNCTION ledger_internal.member_of_now(name text,
        OUT member bigint, OUT kind text, OUT roles text[], OUT row_key bytea, OUT recovery_key bytea)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT m.member, m.kind, m.roles, m.row_key, m.recovery_key
      INTO member_of_now.member, member_of_now.kind, member_of_now.roles, member_of_now.row_key, member_of_now.recovery_key
      FROM ledger_internal.members() AS m WHERE m.left_height IS NULL AND m.name = member_of_now.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no member "%"', member_of_now.name
            USING ERRCODE = 'undefined_object', HINT = 'SELECT name FROM ledger.member WHERE state = ''member''.';
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.member_of_now(text) IS 'what a member is; an error if there is none of that name';

-- As an open motion has it, or as a new one.
CREATE FUNCTION ledger_internal.propose_leaf(new_leaf bytea, reason text) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    change bytea;
BEGIN
    SELECT o.motion INTO change FROM ledger_internal.open_motions() AS o WHERE o.removed = '{}' AND o.leaves = ARRAY[new_leaf];
    RETURN ledger_internal.ask_approval(coalesce(change, ledger_internal.make_change(reason, '{}', ARRAY[new_leaf])));
END $$;
COMMENT ON FUNCTION ledger_internal.propose_leaf(bytea, text) IS 'proposes what a member is to be, or approves of that proposal; the motion''s digest';

-- The change that removes exactly this member and sets nothing.
CREATE FUNCTION ledger.remove(name text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    change bytea;
    place bigint;
BEGIN
    PERFORM ledger_internal.check_validator();
    place := (ledger_internal.member_of_now(remove.name)).member;
    SELECT o.motion INTO change FROM ledger_internal.open_motions() AS o
     WHERE o.removed = ARRAY[place] AND cardinality(o.leaves) = 0;
    IF NOT FOUND THEN
        change := ledger_internal.make_change(format('%s, member %s, leaves', remove.name, place), ARRAY[place], '{}');
    END IF;
    RETURN ledger_internal.ask_approval(change);
END $$;
COMMENT ON FUNCTION ledger.remove(text) IS
    'proposes that a member leaves, or approves of that proposal; a quorum of the members decides, the one concerned among them';

CREATE FUNCTION ledger.leave() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM ledger_internal.check_validator();
    RETURN (SELECT ledger.remove(m.name) FROM ledger_internal.members() AS m JOIN ledger_internal.node USING (member));
END $$;
COMMENT ON FUNCTION ledger.leave() IS 'proposes that this member leaves; the others approve by ledger.remove()';

CREATE FUNCTION ledger.set_roles(name text, roles text[]) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now_is record;
    new_leaf bytea;
    wanted CONSTANT text[] := ARRAY(SELECT DISTINCT role COLLATE "C" FROM unnest(set_roles.roles) AS role ORDER BY 1);
BEGIN
    PERFORM ledger_internal.check_validator();
    IF set_roles.roles IS NULL THEN
        RAISE EXCEPTION 'a list of roles is needed' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'An empty one, ''{}'', takes all roles from that member.';
    END IF;
    now_is := ledger_internal.member_of_now(set_roles.name);
    new_leaf := ledger_internal.make_leaf(now_is.member, set_roles.name, now_is.kind, wanted, now_is.row_key, now_is.recovery_key);
    IF EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.leaf = new_leaf) THEN
        RAISE EXCEPTION 'member "%" has just these roles', set_roles.name USING ERRCODE = 'duplicate_object',
            HINT = 'SELECT name, roles FROM ledger.member shows them.';
    END IF;
    RETURN ledger_internal.propose_leaf(new_leaf, format('%s has the roles: %s', set_roles.name, coalesce(nullif(array_to_string(wanted, ', '), ''), 'none')));
END $$;
COMMENT ON FUNCTION ledger.set_roles(text, text[]) IS
    'proposes which business roles a member has (operator, regulator, ...), or approves of that proposal';

-- A validator votes, a participant has a log and rows, an observer neither.
CREATE FUNCTION ledger.set_kind(name text, kind text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now_is record;
    new_leaf bytea;
BEGIN
    PERFORM ledger_internal.check_validator();
    now_is := ledger_internal.member_of_now(set_kind.name);
    new_leaf := ledger_internal.make_leaf(now_is.member, set_kind.name, set_kind.kind, now_is.roles, now_is.row_key, now_is.recovery_key);
    IF new_leaf IS NULL THEN
        RAISE EXCEPTION 'a kind is needed' USING ERRCODE = 'null_value_not_allowed', HINT = 'Use validator, participant or observer.';
    END IF;
    IF EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.leaf = new_leaf) THEN
        RAISE EXCEPTION 'member "%" is a % already', set_kind.name, set_kind.kind USING ERRCODE = 'duplicate_object',
            HINT = 'SELECT name, kind FROM ledger.member shows them.';
    END IF;
    RETURN ledger_internal.propose_leaf(new_leaf, format('%s becomes %s', set_kind.name, set_kind.kind));
END $$;
COMMENT ON FUNCTION ledger.set_kind(text, text) IS
    'proposes what a member is, validator, participant or observer, or approves of that proposal';

-- An address that changes is said in the own log: a GOVERN row of which nobody
-- else approves, since the one signature is all that it takes.
CREATE FUNCTION ledger_internal.announce_to_members(address text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    notice text;
    kind text;
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_internal.order_mode) THEN
        RETURN;
    END IF;
    SELECT m.kind INTO kind FROM ledger_internal.members() AS m JOIN ledger_internal.node AS n USING (member) WHERE m.left_height IS NULL;
    IF kind IS DISTINCT FROM 'validator' THEN
        IF kind IS NOT NULL THEN
            RAISE NOTICE 'the other members do not learn of this address'
                USING DETAIL = 'This node is no validator, and nothing that it says of itself is ordered.',
                      HINT = 'Have each of them call ledger_internal.set_peer() as a superuser.';
        END IF;
        RETURN;
    END IF;
    SELECT format('address %s %s', n.member, announce_to_members.address) INTO notice FROM ledger_internal.node AS n;
    INSERT INTO ledger_internal.approval_asked (motion)
        VALUES (ledger_internal.make_notice(notice, sha256(convert_to(notice, 'UTF8'))));
END $$;
COMMENT ON FUNCTION ledger_internal.announce_to_members(text) IS 'has the process of the wire sign where the own wire is';

-- Of each member the newest row of that kind, among those newer than the last one
-- that was taken: the index is read from its end.  The limit is for one who signs
-- nothing but motions.
CREATE FUNCTION ledger_internal.follow_addresses() RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
UPDATE ledger_internal.peer AS p SET address = left(a.notice[2], 255), announced = a.place
  FROM (SELECT q.member, newest.place, newest.notice
          FROM ledger_internal.peer AS q,
               LATERAL (SELECT ARRAY[l.epoch, l.view, l.seq] AS place,
                               regexp_match(parts.reason, '^address ([0-9]{1,10}) ([^[:space:]].*)$') AS notice
                          FROM (SELECT * FROM ledger_internal.peer_log AS g
                                 WHERE g.kind = 9 AND g.member = q.member
                                   AND (g.epoch, g.view, g.seq) > (coalesce(q.announced[1], -1), coalesce(q.announced[2], 0), coalesce(q.announced[3], 0))
                                 ORDER BY g.epoch DESC, g.view DESC, g.seq DESC LIMIT 1000) AS l,
                               LATERAL ledger_internal.motion_parts(substring(l.message FROM 156 FOR greatest(octet_length(l.message) - 219, 0))) AS parts
                         WHERE parts.kind = 'deploy' AND parts.reason ~ ('^address ' || l.member || ' [^[:space:]]')
                         ORDER BY l.epoch DESC, l.view DESC, l.seq DESC LIMIT 1) AS newest) AS a
 WHERE p.member = a.member
$$;
COMMENT ON FUNCTION ledger_internal.follow_addresses() IS 'takes the addresses that members have announced in their logs';

-- When an epoch begins: who is to be talked to, and where.
CREATE FUNCTION ledger_internal.follow_members() RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
INSERT INTO ledger_internal.peer AS p (member, row_key, address)
    SELECT m.member, m.row_key, left(a.place[2], 255)
      FROM ledger_internal.members() AS m
      LEFT JOIN (SELECT DISTINCT ON (place[1]::bigint) place -- whoever proposed wrote the text, and may lie
                   FROM (SELECT motion FROM ledger_internal.epoch ORDER BY epoch DESC LIMIT 1) AS e,
                        LATERAL ledger_internal.motion_parts(e.motion) AS parts,
                        LATERAL regexp_split_to_table(parts.reason, E'\n') WITH ORDINALITY AS lines (line, number),
                        LATERAL regexp_match(line, '^address ([0-9]{1,10}) (.+)$') AS place
                  WHERE place IS NOT NULL
                  ORDER BY place[1]::bigint, number) AS a
        ON a.place[1]::bigint = m.member
     WHERE m.left_height IS NULL OR m.member = (SELECT member FROM ledger_internal.node)
    ON CONFLICT (member) DO UPDATE SET row_key = excluded.row_key, address = coalesce(p.address, excluded.address), left_at = NULL;
UPDATE ledger_internal.peer AS p SET observes = (m.kind = 'observer')
  FROM ledger_internal.members() AS m WHERE m.member = p.member AND p.observes <> (m.kind = 'observer');
UPDATE ledger_internal.peer AS p SET left_at = clock_timestamp()
 WHERE p.left_at IS NULL AND EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.member = p.member AND m.left_height IS NOT NULL);
SELECT ledger_internal.follow_addresses();
DELETE FROM ledger_internal.invitation WHERE number <= (SELECT max(member) FROM ledger_internal.members());
$$;
COMMENT ON FUNCTION ledger_internal.follow_members() IS 'what a change of the members means for the wire';

CREATE VIEW ledger.member AS
    SELECT m.name, m.member, m.kind, m.roles, ledger_internal.fingerprint_of(m.row_key) AS fingerprint, p.address,
           m.since_height, m.left_height,
           CASE WHEN m.left_height IS NULL THEN 'member' ELSE 'left' END AS state, m.recovery_key
      FROM ledger_internal.members() AS m
      LEFT JOIN ledger_internal.peer AS p USING (member)
    UNION ALL
    SELECT i.name, i.number, NULL, i.roles, ledger_internal.fingerprint_of(i.row_key), NULL, NULL, NULL, 'invited', NULL
      FROM ledger_internal.invitation AS i
    UNION ALL
    SELECT n.name, n.member, NULL, NULL, ledger_internal.fingerprint_of(n.public_key), p.address, NULL, NULL, 'joining', NULL
      FROM ledger_internal.node AS n
      LEFT JOIN ledger_internal.peer AS p USING (member)
     WHERE NOT EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.member = n.member);
COMMENT ON VIEW ledger.member IS
    'who belongs to the ledger, or did: state is member, left, invited (by this node) or joining (this node, until it learns that it was admitted); since_height: the block that changed the members; recovery_key: the public half of a key that is kept offline';

-- The reason is what the one who proposed has written.
CREATE FUNCTION ledger_internal.motion_changes(removed bigint[], leaves bytea[]) RETURNS text[]
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
SELECT ARRAY(SELECT format('%s, member %s, leaves', coalesce(m.name, '(unknown)'), r.member)
               FROM unnest($1) AS r (member) LEFT JOIN ledger_internal.members() AS m USING (member) ORDER BY r.member)
    || ARRAY(SELECT format('%s is member %s, %s, key %s, roles: %s', l.name, l.member, l.kind, ledger_internal.fingerprint_of(l.row_key),
                           coalesce(nullif(array_to_string(l.roles, ', '), ''), 'none'))
                    || CASE WHEN l.recovery_key IS NOT NULL THEN format(', recovery key %s', encode(l.recovery_key, 'hex')) ELSE '' END
               FROM unnest($2) AS u (leaf), LATERAL ledger_internal.leaf_parts(u.leaf) AS l ORDER BY l.member)
$$;
COMMENT ON FUNCTION ledger_internal.motion_changes(bigint[], bytea[]) IS 'what a motion makes of the members, from its bytes';

CREATE VIEW ledger.motion AS
    SELECT encode(p.digest, 'hex') AS motion,
           CASE WHEN p.kind = 'deploy' AND p.reason ~ '^address [0-9]+ ' THEN 'address'
                WHEN p.kind = 'deploy' AND p.reason ~ '^contract ' THEN 'contract' ELSE p.kind END AS kind, p.epoch, p.reason,
           ledger_internal.motion_changes(p.removed, p.leaves) AS changes, a.approved_by, ledger_internal.quorum() AS needed,
           CASE WHEN EXISTS (SELECT FROM ledger_internal.epoch AS e WHERE e.motion = a.motion)
                     OR EXISTS (SELECT FROM ledger_internal.decision AS d WHERE d.motion = a.motion) THEN 'decided'
                WHEN p.epoch = ledger_internal.epoch_now() THEN 'open' ELSE 'lapsed' END AS state
      FROM (SELECT v.motion, array_agg(DISTINCT m.name ORDER BY m.name) AS approved_by
              FROM ledger_internal.approval AS v JOIN ledger_internal.members() AS m USING (member)
             GROUP BY v.motion) AS a,
           LATERAL ledger_internal.motion_parts(a.motion) AS p;
COMMENT ON VIEW ledger.motion IS
    'what members have proposed, and who approves of it as far as their logs are here; reason: the text of the one who proposed; changes: what it makes of the members; needed: a quorum of now; kind address: where a member''s wire is, which needs nobody''s approval';

CREATE VIEW ledger.evidence AS
    SELECT m.name, c.member, c.seq, ledger_internal.kind_name(get_byte(c.message, 61)::smallint) AS kind,
           k.message AS kept, c.message AS contradicts, c.stored_at
      FROM ledger_internal.contradiction AS c
      LEFT JOIN ledger_internal.peer_log AS k ON k.member = c.member AND k.nonce = c.nonce AND k.seq = c.seq
      LEFT JOIN ledger_internal.members() AS m ON m.member = c.member;
COMMENT ON VIEW ledger.evidence IS
    'two rows that a member has signed for one place of its log: anybody can check both signatures';
