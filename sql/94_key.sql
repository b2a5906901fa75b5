-- Keys of members: another row key, recovery keys (src/node/node_member_key.c).

CREATE TABLE ledger_internal.key_wanted (
    row_key bytea CHECK (octet_length(row_key) = 32),
    recovery_key bytea CHECK (octet_length(recovery_key) = 32),
    proposes boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX key_wanted_one ON ledger_internal.key_wanted ((true));
COMMENT ON TABLE ledger_internal.key_wanted IS
    'keys that this member made or named for itself and does not have yet; it asks for a recovery key by itself, in each epoch anew, until it has it, and for a row key likewise if that row proposes it';
SELECT pg_extension_config_dump('ledger_internal.key_wanted', '');

CREATE FUNCTION ledger_internal.row_keys(OUT member bigint, OUT epoch bigint, OUT row_key bytea) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tl_row_keys' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION ledger_internal.row_keys() IS 'the row keys of all that are or were members, each with the epoch from which on it signs';

CREATE FUNCTION ledger_internal.keeps_parameters(motion bytea) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_keeps_parameters' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.keeps_parameters(bytea) IS 'a change that can be decided now and leaves the parameters as they are?';

CREATE FUNCTION ledger_internal.recovery_digest(member bigint, row_key bytea, next_key bytea) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tl_recovery_digest' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION ledger_internal.recovery_digest(bigint, bytea, bytea) IS
    'what a recovery key signs so that its member has the next row key in place of the one of now';

CREATE FUNCTION ledger.new_fingerprint() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    key bytea;
BEGIN
    PERFORM ledger_internal.check_ordered();
    LOCK TABLE ledger_internal.key_wanted IN SHARE ROW EXCLUSIVE MODE;
    SELECT k.row_key INTO key FROM ledger_internal.key_wanted AS k;
    IF key IS NULL THEN
        key := ledger_internal.make_key();
        INSERT INTO ledger_internal.key_wanted (row_key) VALUES (key)
            ON CONFLICT ((true)) DO UPDATE SET row_key = excluded.row_key, proposes = false;
    END IF;
    RETURN ledger_internal.fingerprint_of(key);
END $$;
COMMENT ON FUNCTION ledger.new_fingerprint() IS
    'makes this member''s next signing key, beside the one of now, and returns its fingerprint; it signs nothing before the members have approved of it';

-- What this member proposes for itself: the leaf that it has, with those keys.
CREATE FUNCTION ledger_internal.own_keys_motion(row_key bytea, recovery_key bytea) RETURNS bytea
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT ledger_internal.make_change(
           concat_ws(E'\n', CASE WHEN coalesce($1, m.row_key) <> m.row_key
                                 THEN format('%s has another key: %s', m.name, ledger_internal.fingerprint_of($1)) END,
                     CASE WHEN coalesce($2, m.recovery_key) IS DISTINCT FROM m.recovery_key
                          THEN format('%s has a recovery key: %s', m.name, encode($2, 'hex')) END),
           '{}', ARRAY[ledger_internal.make_leaf(m.member, m.name, m.kind, m.roles, coalesce($1, m.row_key), coalesce($2, m.recovery_key))])
  FROM ledger_internal.members() AS m JOIN ledger_internal.node AS n USING (member)
 WHERE m.left_height IS NULL
   AND (coalesce($1, m.row_key) <> m.row_key OR coalesce($2, m.recovery_key) IS DISTINCT FROM m.recovery_key)
$$;
COMMENT ON FUNCTION ledger_internal.own_keys_motion(bytea, bytea) IS 'the motion that gives this member those keys, null if it has them';

CREATE FUNCTION ledger_internal.propose_keys() RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    change bytea;
BEGIN
    SELECT ledger_internal.own_keys_motion(CASE WHEN k.proposes THEN k.row_key END, k.recovery_key) INTO change FROM ledger_internal.key_wanted AS k;
    IF change IS NULL
       OR EXISTS (SELECT FROM ledger_internal.approval_asked AS a WHERE a.motion = change)
       OR EXISTS (SELECT FROM ledger_internal.approval AS a JOIN ledger_internal.node USING (member) WHERE a.motion = change) THEN
        RETURN NULL;
    END IF;
    RETURN ledger_internal.ask_approval(change);
END $$;
COMMENT ON FUNCTION ledger_internal.propose_keys() IS 'proposes the keys that this member wants and does not have; null if there is nothing to be proposed';

CREATE FUNCTION ledger.rotate_key() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    fingerprint text;
BEGIN
    PERFORM ledger_internal.check_validator();
    fingerprint := ledger.new_fingerprint();
    UPDATE ledger_internal.key_wanted SET proposes = true;
    PERFORM ledger_internal.propose_keys();
    RETURN fingerprint;
END $$;
COMMENT ON FUNCTION ledger.rotate_key() IS
    'makes another signing key and proposes it by the one of now; the other members'' nodes approve of themselves, and from the next epoch on it signs; returns its fingerprint';

CREATE FUNCTION ledger.set_recovery_key(recovery_key bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before bytea;
    change bytea;
BEGIN
    PERFORM ledger_internal.check_validator();
    IF set_recovery_key.recovery_key IS NULL THEN
        RAISE EXCEPTION 'a recovery key is needed' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'SELECT substring(ledger.public_key(secret) FROM 2) makes it of a secret key, on a machine that is kept offline.';
    END IF;
    SELECT m.recovery_key INTO before FROM ledger_internal.members() AS m JOIN ledger_internal.node USING (member);
    IF before = set_recovery_key.recovery_key THEN
        RAISE EXCEPTION 'this member has that recovery key already' USING ERRCODE = 'duplicate_object',
            HINT = 'SELECT name, recovery_key FROM ledger.member shows it.';
    END IF;
    IF before IS NOT NULL THEN
        RAISE EXCEPTION 'this member has a recovery key, and does not replace it alone'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Whoever has stolen the signing key could do that too.',
                  HINT = 'A quorum of the members gives it another one: ledger.set_key(name, fingerprint, recovery_key).';
    END IF;
    change := ledger_internal.own_keys_motion(NULL, set_recovery_key.recovery_key); -- an error if it is none
    LOCK TABLE ledger_internal.key_wanted IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO ledger_internal.key_wanted (recovery_key) VALUES (set_recovery_key.recovery_key)
        ON CONFLICT ((true)) DO UPDATE SET recovery_key = excluded.recovery_key;
    PERFORM ledger_internal.propose_keys();
END $$;
COMMENT ON FUNCTION ledger.set_recovery_key(bytea) IS
    'registers the public half of a key that is kept offline: who has it can give this member another signing key (ledger.recover_key())';

-- By a quorum, each by its own call: a key that is lost or stolen.
CREATE FUNCTION ledger.set_key(name text, fingerprint text, recovery_key bytea DEFAULT NULL) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now_is record;
    new_leaf bytea;
BEGIN
    PERFORM ledger_internal.check_validator();
    now_is := ledger_internal.member_of_now(set_key.name);
    new_leaf := ledger_internal.make_leaf(now_is.member, set_key.name, now_is.kind, now_is.roles, ledger_internal.key_of(set_key.fingerprint),
                                          coalesce(set_key.recovery_key, now_is.recovery_key));
    IF new_leaf IS NULL THEN
        RAISE EXCEPTION 'a name and a fingerprint are needed' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'SELECT ledger.new_fingerprint() on that member''s database makes a key and prints it.';
    END IF;
    IF EXISTS (SELECT FROM ledger_internal.members() AS m WHERE m.leaf = new_leaf) THEN
        RAISE EXCEPTION 'member "%" has just these keys', set_key.name USING ERRCODE = 'duplicate_object',
            HINT = 'SELECT name, fingerprint, recovery_key FROM ledger.member shows them.';
    END IF;
    RETURN ledger_internal.propose_leaf(new_leaf, format('%s is given another key: %s', set_key.name, set_key.fingerprint));
END $$;
COMMENT ON FUNCTION ledger.set_key(text, text, bytea) IS
    'proposes that a member has another signing key, and another recovery key if one is given, or approves of that proposal; for a key that is lost or stolen';

CREATE FUNCTION ledger.recovery_digest(name text, fingerprint text) RETURNS bytea
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT ledger_internal.recovery_digest(m.member, m.row_key, ledger_internal.key_of($2)) FROM ledger_internal.member_of_now($1) AS m $$;
COMMENT ON FUNCTION ledger.recovery_digest(text, text) IS
    'what the recovery key of that member has to sign (BIP-340) so that the key with that fingerprint is its signing key';

CREATE FUNCTION ledger.recover_key(name text, fingerprint text, signature bytea) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    now_is record;
    next_key bytea;
BEGIN
    PERFORM ledger_internal.check_validator();
    now_is := ledger_internal.member_of_now(recover_key.name);
    IF now_is.recovery_key IS NULL THEN
        RAISE EXCEPTION 'member "%" has registered no recovery key', recover_key.name
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'A quorum of the members can give it another key: ledger.set_key(name, fingerprint).';
    END IF;
    IF NOT coalesce(octet_length(signature) = 64
                    AND ledger.schnorr_verify(ledger.recovery_digest(recover_key.name, recover_key.fingerprint), signature, now_is.recovery_key), false) THEN
        RAISE EXCEPTION 'that is no signature of the recovery key of member "%"', recover_key.name
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('The key is %s.', encode(now_is.recovery_key, 'hex')),
                  HINT = 'It signs what SELECT ledger.recovery_digest(name, fingerprint) returns, for this fingerprint and the member''s key of now.';
    END IF;
    next_key := ledger_internal.key_of(recover_key.fingerprint);
    RETURN ledger_internal.ask_approval(ledger_internal.make_change(
               format(E'%s has another key: %s\nsigned by its recovery key: %s', recover_key.name,
                      ledger_internal.fingerprint_of(next_key), encode(signature, 'hex')),
               '{}', ARRAY[ledger_internal.make_leaf(now_is.member, recover_key.name, now_is.kind, now_is.roles, next_key, now_is.recovery_key)]));
END $$;
COMMENT ON FUNCTION ledger.recover_key(text, text, bytea) IS
    'proposes the signing key with that fingerprint for a member whose recovery key has signed that (ledger.recovery_digest()); any validator can call it, and the other members'' nodes approve of themselves';

CREATE FUNCTION ledger_internal.differs_in_keys(leaf bytea, before bytea) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tl_differs_in_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ledger_internal.differs_in_keys(bytea, bytea) IS
    'two leaves of one member, which differ in keys at most, and those of the first are some? never an error';

-- Of these motions this node approves without being asked: they change nothing but
-- the keys of one member, who is a validator, has proposed it himself in this epoch
-- and leaves a recovery key as it is, or whose recovery key has signed the change.
-- Whoever has stolen the signing key must not use up all keys that a member can have:
-- from the eighth on the rest is for the recovery key and for ledger.set_key().
-- What a motion says somebody else has chosen: nothing here may raise an error for it.
CREATE FUNCTION ledger_internal.own_keys_by(motion bytea, reason text, leaf bytea) RETURNS text
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE
           WHEN l.recovery_key = m.recovery_key
                AND $2 = format(E'%s has another key: %s\nsigned by its recovery key: %s', m.name, ledger_internal.fingerprint_of(l.row_key), encode(s.signature, 'hex'))
                AND ledger.schnorr_verify(ledger_internal.recovery_digest(m.member, m.row_key, l.row_key), s.signature, m.recovery_key)
               THEN 'recovery key'
           WHEN m.kind = 'validator'
                AND EXISTS (SELECT FROM ledger_internal.approval AS a
                             WHERE a.member = m.member AND a.motion = $1 AND a.epoch = ledger_internal.epoch_now())
                AND (m.recovery_key IS NULL OR l.recovery_key IS NOT DISTINCT FROM m.recovery_key)
                AND (l.row_key = m.row_key
                     OR (SELECT count(*) FROM ledger_internal.row_keys() AS k WHERE k.member = m.member) < 8)
               THEN 'member'
       END
  FROM ledger_internal.leaf_parts($3) AS l
  JOIN ledger_internal.members() AS m USING (member)
  LEFT JOIN (SELECT decode(substring($2 FROM E'\nsigned by its recovery key: ([0-9a-f]{128})$'), 'hex')) AS s (signature) ON true
 WHERE m.left_height IS NULL AND ledger_internal.differs_in_keys($3, m.leaf) AND ledger_internal.keeps_parameters($1)
$$;
COMMENT ON FUNCTION ledger_internal.own_keys_by(bytea, text, bytea) IS
    'who has signed a motion that changes only keys of one member: that ''member'' itself, or its ''recovery key''; null if it is not like that';

-- Of a member's approvals the newest four count.  So that nobody makes this one use
-- them up it approves once in an epoch of what a member has proposed for itself, the
-- first in its log, and once of what its recovery key has signed.
CREATE FUNCTION ledger_internal.approve_keys() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    given text[] := '{}';
    signer text;
    item record;
BEGIN
    IF NOT ledger_internal.is_validator() THEN
        RETURN;
    END IF;
    FOR item IN
        SELECT o.motion, o.reason, o.leaves[1] AS leaf, l.member,
               EXISTS (SELECT FROM ledger_internal.approval_asked AS a WHERE a.motion = o.motion)
               OR EXISTS (SELECT FROM ledger_internal.approval AS a JOIN ledger_internal.node USING (member) WHERE a.motion = o.motion) AS mine
          FROM ledger_internal.open_motions() AS o,
               LATERAL ledger_internal.leaf_parts(o.leaves[1]) AS l
         WHERE o.removed = '{}' AND cardinality(o.leaves) = 1
           AND (EXISTS (SELECT FROM ledger_internal.approval_asked AS a WHERE a.motion = o.motion)
                OR EXISTS (SELECT FROM ledger_internal.approval AS a JOIN ledger_internal.members() AS v USING (member)
                            WHERE a.motion = o.motion AND a.epoch = ledger_internal.epoch_now()
                              AND v.kind = 'validator' AND v.left_height IS NULL))
         ORDER BY mine DESC, o.reason ~ E'\nsigned by its recovery key: [0-9a-f]{128}$' DESC,
                  (SELECT min(ARRAY[g.view, g.seq]) FROM ledger_internal.peer_log AS g
                    WHERE g.kind = 9 AND g.member = l.member AND g.epoch = ledger_internal.epoch_now()
                      AND substring(g.message FROM 156 FOR greatest(octet_length(g.message) - 219, 0)) = o.motion)
    LOOP
        BEGIN
            signer := ledger_internal.own_keys_by(item.motion, item.reason, item.leaf);
        EXCEPTION WHEN OTHERS THEN
            signer := NULL; -- a peer's motion must not stop this node
        END;
        CONTINUE WHEN signer IS NULL;
        signer := format('%s, %s', item.member, signer);
        IF NOT item.mine AND signer <> ALL (given) THEN
            INSERT INTO ledger_internal.approval_asked (motion) VALUES (item.motion);
        END IF;
        given := given || signer;
    END LOOP;
END $$;
COMMENT ON FUNCTION ledger_internal.approve_keys() IS 'has this member approve of what other members have signed about their own keys';

-- When an epoch begins: which keys are in force, and what was taken for rows of a
-- member whose key was not known yet.
CREATE FUNCTION ledger_internal.follow_keys() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    began CONSTANT bigint := ledger_internal.epoch_now();
    other record;
BEGIN
    FOR other IN
        SELECT k.member FROM ledger_internal.row_keys() AS k
         WHERE k.epoch = began AND EXISTS (SELECT FROM ledger_internal.row_keys() AS b WHERE b.member = k.member AND b.epoch < began)
    LOOP
        DELETE FROM ledger_internal.peer_log AS l
         USING (SELECT p.nonce, min(p.seq) AS first FROM ledger_internal.peer_log AS p
                 WHERE p.member = other.member AND p.epoch >= began GROUP BY p.nonce) AS taken
         WHERE l.member = other.member AND l.nonce = taken.nonce AND l.seq >= taken.first;
        DELETE FROM ledger_internal.contradiction AS c
         WHERE c.member = other.member AND substring(c.message FROM 63 FOR 8) >= int8send(began);
        DELETE FROM ledger_internal.loose_row AS l
         WHERE l.member = other.member AND substring(l.message FROM 63 FOR 8) >= int8send(began);
    END LOOP;
    UPDATE ledger_internal.node AS n SET public_key = m.row_key
      FROM ledger_internal.members() AS m
     WHERE m.member = n.member AND m.left_height IS NULL AND n.public_key <> m.row_key;
    UPDATE ledger_internal.key_wanted AS k
       SET row_key = CASE WHEN k.row_key <> m.row_key THEN k.row_key END,
           recovery_key = CASE WHEN m.recovery_key IS NULL THEN k.recovery_key END
      FROM ledger_internal.members() AS m JOIN ledger_internal.node AS n USING (member)
     WHERE m.left_height IS NULL;
    DELETE FROM ledger_internal.key_wanted WHERE row_key IS NULL AND recovery_key IS NULL;
    IF ledger_internal.is_validator() THEN
        BEGIN
            PERFORM ledger_internal.propose_keys();
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the keys that this member wants cannot be proposed: %', SQLERRM
                USING HINT = 'Call ledger.rotate_key() or ledger.set_recovery_key() again.';
            DELETE FROM ledger_internal.key_wanted;
        END;
    END IF;
END $$;
COMMENT ON FUNCTION ledger_internal.follow_keys() IS 'what an epoch that begins means for the keys of members, this one''s among them';
