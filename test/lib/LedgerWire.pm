# Several clusters that are members of one test ledger, each with its wire.
#
#	my $wires = LedgerWire->new(3);		# members 1 to 3, linked to each other
#	my $wires = LedgerWire->new(3, link => 0, conf => '...');
#	my $wires = LedgerWire->new(4, ordered => 1);	# they order what is submitted
#	my $wires = LedgerWire->new(4, servers => { 4 => { ... } });	# what new_server() takes
#	my $wires = LedgerWire->new(3, ordered => 1, outside => 1);
#								a fourth founder, whom add_publisher(4) can play
#	my $wires = LedgerWire->new(2, servers_named => 'other_');
#								a second ledger in the same test: its servers' names
#								begin with that
#	$wires->node(2)				the LedgerCluster of member 2
#	$wires->sql(2, $query)		in its ledger database
#	$wires->wire(2, $query)		in its wire database
#	$wires->insert(2, $count)	rows of its ledger table, in batches of one
#	my $number = $wires->add_newcomer	a server more, without a ledger yet
#	$wires->invite(1, $number); $wires->join($number)
#								member 1 invites it, and it joins by that invitation
#	$wires->admit([5, 6], 1, 2, 3)	members 1, 2 and 3 admit newcomers in one change
#	my $liar = $wires->add_publisher(3)
#								a member whose wire is a plain server that does as
#								it is told: $liar->{server}, publish(), row(), batch(),
#								make_empty()
#	$wires->submit(2, $text)	a body that it shall have ordered
#	$wires->submit_apart(2, 10)	ten of them, each in a block of its own at least
#	$wires->same_blocks(1, 2)	one test: these have the same blocks
#	LedgerWire::CUT				a query: how far the last block reaches
#	$wires->wire_pid(2)			the process of its wire, or ''
#	$wires->restart_wire(2)		it is told to go; the next one
#	$wires->rest(1, 2)			waits until these write no rows any more
#	$wires->forget(2, 3)		its database loses the last three rows of its log
#	$wires->agree($test_name)	waits until everybody keeps everybody's log, and
#								compares all of them byte by byte
package LedgerWire;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerCluster;

use constant WIRE => 'postgres_wire';

# How far the last block reaches into each lane, as "member:batch ...".
use constant CUT => q{
SELECT string_agg(('x' || encode(substring(cut FROM at FOR 4), 'hex'))::bit(32)::int || ':'
                  || ('x' || encode(substring(cut FROM at + 6 FOR 8), 'hex'))::bit(64)::bigint, ' ' ORDER BY at)
  FROM (SELECT cut FROM ledger_internal.ordered_block ORDER BY height DESC LIMIT 1) AS b,
       generate_series(octet_length(cut) % 46 + 1, octet_length(cut) - 45, 46) AS at};

# The framework's servers take ten connections, a wire alone seven and more.
my $conf = <<'END';
max_connections = 40
max_slot_wal_keep_size = '1GB'
max_worker_processes = 32
max_logical_replication_workers = 16
max_replication_slots = 24
max_wal_senders = 24
wal_retrieve_retry_interval = '1s'
wal_sender_timeout = '20s'
END

sub new
{
	my ($class, $count, %param) = @_;
	my $self = bless { count => $count, nodes => [], servers_named => $param{servers_named} // '', ordered => $param{ordered} ? 'true' : 'false' }, $class;
	my @keys;

	foreach my $member (1 .. $count)
	{
		my $node = LedgerCluster->new_server("$self->{servers_named}member$member",
			extension => 1, allows_streaming => 'logical', conf => $conf . ($param{conf} // ''), %{ $param{servers}{$member} // {} });

		push @{ $self->{nodes} }, $node;
		push @keys, $node->safe_psql('postgres', 'SELECT ledger_internal.make_key()');
	}
	foreach my $member ($count + 1 .. $count + ($param{outside} // 0))
	{
		push @keys, $self->public_key(secret($member));
	}
	$self->{keys} = \@keys;
	$self->found($_) foreach (1 .. $count);
	if ($param{link} // 1)
	{
		foreach my $member (1 .. $count)
		{
			$self->introduce($member, $_) foreach (grep { $_ != $member } 1 .. $count);
		}
	}
	return $self;
}

# Make its database a node of the common chain.
sub found
{
	my ($self, $member) = @_;
	my $names = CORE::join ',', map { "'member$_'" } 1 .. @{ $self->{keys} };
	my $keys = CORE::join ',', map { "'$_'::bytea" } @{ $self->{keys} };

	$self->sql($member, "SELECT ledger_internal.create_member(ARRAY[$names], ARRAY[$keys], $member, '2026-01-01 00:00:00+00', $self->{ordered})");
	$self->sql($member, 'CREATE TABLE cdr (id bigint) USING ledger');
	return;
}

# Tell a member of another one.
sub introduce
{
	my ($self, $member, $peer, $address) = @_;
	my $key = $self->{keys}[ $peer - 1 ];

	$address //= $self->address($peer);
	$self->sql($member, "SELECT ledger_internal.set_peer($peer, '$key', '$address')");
	return;
}

sub address
{
	my ($self, $member) = @_;
	my $node = $self->node($member);

	return sprintf 'host=%s port=%d dbname=%s', $node->host, $node->port, WIRE;
}

sub count { return $_[0]{count} }
sub node { my ($self, $member) = @_; return $self->{nodes}[ $member - 1 ] }

sub sql
{
	my ($self, $member, $query) = @_;

	return $self->node($member)->safe_psql('postgres', $query);
}

sub wire
{
	my ($self, $member, $query) = @_;

	return $self->node($member)->safe_psql(WIRE, $query);
}

sub poll
{
	my ($self, $member, $query, $expected, $database) = @_;

	return $self->node($member)->poll_query_until($database // 'postgres', $query, $expected // 't');
}

sub insert
{
	my ($self, $member, $count) = @_;

	foreach (1 .. $count)
	{
		my $ref = $self->sql($member, "INSERT INTO cdr VALUES ($_) RETURNING ledger_ref");

		$self->sql($member, "SELECT ledger.wait_final('$ref', '170 s')");
	}
	return;
}

sub submit
{
	my ($self, $member, $text) = @_;

	return $self->sql($member, "SELECT ledger_internal.submit(convert_to('$text', 'UTF8'))");
}

# So many of them, one after the other, each in a block of its own at least.
sub submit_apart
{
	my ($self, $member, $count) = @_;

	return $self->sql($member, <<"END");
DO \$\$
DECLARE
    before bigint;
BEGIN
    FOR n IN 1 .. $count LOOP
        SELECT coalesce(max(height), 0) INTO before FROM ledger_internal.ordered_block;
        PERFORM ledger_internal.submit(convert_to('of $member, ' || random(), 'UTF8'));
        COMMIT;
        FOR i IN 1 .. 6000 LOOP
            EXIT WHEN (SELECT max(height) FROM ledger_internal.ordered_block) > before;
            PERFORM pg_sleep(0.01);
            COMMIT;
        END LOOP;
    END LOOP;
END \$\$
END
}

# One test: that row is final, as its member says.
sub final
{
	my ($self, $member, $ref, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return like($self->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, $name)
	  || diag($self->sql($member, "SELECT ledger.explain_wait('$ref')") . "\n" . $self->sql($member, 'SELECT * FROM ledger.rejoin'));
}

# What the server says to a query that it refuses.
sub error_of
{
	my ($self, $member, $query) = @_;
	my (undef, undef, $error) = $self->node($member)->psql('postgres', $query);

	return $error;
}

# As far as the one that has the fewest.
sub same_blocks
{
	my ($self, @who) = @_;
	my $height = (sort { $a <=> $b } map { $self->sql($_, 'SELECT max(height) FROM ledger_internal.ordered_block') } @who)[0];
	my %chains = map { $self->sql($_, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height") => 1 } @who;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(scalar(keys %chains), 1, "and the blocks up to $height are the same");
}

# The process of its wire is told to go: the next one's number.
sub restart_wire
{
	my ($self, $member) = @_;
	my $before = $self->wire_pid($member);

	$self->sql($member, "SELECT pg_terminate_backend($before)") if $before ne '';
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $pid = $self->wire_pid($member);

		return $pid if $pid ne '' && $pid ne $before;
		usleep(100_000);
	}
	die "member $member: no other process of the wire came\n";
}

sub wire_pid
{
	my ($self, $member) = @_;

	return $self->sql($member, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'");
}

# Of the members that are played here.
sub secret { my ($member) = @_; return '\\x' . sprintf '%064x', 1000 + $member }

sub public_key
{
	my ($self, $secret) = @_;

	return $self->sql(1, "SELECT substring(ledger.public_key('$secret') FROM 2)");
}

# Have these members come to rest?  Time enough for the timers of consensus.
sub rest
{
	my ($self, @members) = @_;
	my $counts = sub { CORE::join ' ', map { $self->sql($_, 'SELECT count(*) FROM ledger_internal.own_log') } @members };

	# a stalled machine looks at rest once, not twice
	my $quiet = 0;

	for (1 .. 60)
	{
		my $before = $counts->();

		usleep(2_000_000);
		$quiet = $counts->() eq $before ? $quiet + 1 : 0;
		return 1 if $quiet == 2;
	}
	return 0;
}

# The database of a member goes back.  Its process cannot write meanwhile, and
# the next one begins with what is left.
sub forget
{
	my ($self, $member, $count) = @_;

	$self->sql($member, <<"END");
BEGIN;
LOCK TABLE ledger_internal.own_log;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire';
DELETE FROM ledger_internal.own_log WHERE seq > (SELECT max(seq) - $count FROM ledger_internal.own_log);
COMMIT;
END
	return;
}

# Both links of a member to a peer stream.
sub wait_streaming
{
	my ($self, $member, $peer) = @_;

	$self->poll($member, "SELECT log_link = 'streaming' AND body_link = 'streaming' FROM ledger.peer WHERE member = $peer")
	  or diag($self->sql($member, 'SELECT * FROM ledger.peer'));
	return;
}

# A server that is to become the next member.
sub add_newcomer
{
	my ($self, %param) = @_;
	my $number = ++$self->{count};
	my $node = LedgerCluster->new_server("$self->{servers_named}member$number",
		extension => 1, allows_streaming => 'logical', conf => $conf . ($param{conf} // ''));

	push @{ $self->{nodes} }, $node;
	$self->{fingerprints}[$number] = $self->sql($number, 'SELECT ledger.fingerprint()');
	return $number;
}

sub fingerprint { my ($self, $number) = @_; return $self->{fingerprints}[$number] }

sub announce
{
	my ($self, $member) = @_;

	$self->sql($member, "SELECT ledger.announce('" . $self->address($member) . "')");
	return;
}

sub invite
{
	my ($self, $member, $number) = @_;

	$self->{invitations}[$number] = $self->sql($member, "SELECT ledger.invite('member$number', '$self->{fingerprints}[$number]')");
	return $self->{invitations}[$number];
}

sub join
{
	my ($self, $number) = @_;

	$self->sql($number, "SELECT ledger.join('$self->{invitations}[$number]', 'member$number', '" . $self->address($number) . "')");
	$self->sql($number, 'CREATE TABLE cdr (id bigint) USING ledger');
	return;
}

# The first of the members proposes, the others approve when they have heard.
sub admit
{
	my ($self, $newcomers, @members) = @_;
	my ($names, $fingerprints, $addresses) = map { 'ARRAY[' . CORE::join(',', @$_) . ']' }
	  ([ map { "'member$_'" } @$newcomers ], [ map { "'$self->{fingerprints}[$_]'" } @$newcomers ], [ map { "'" . $self->address($_) . "'" } @$newcomers ]);
	my $motion;

	foreach my $member (@members)
	{
		if (!defined $motion)
		{
			$motion = $self->sql($member, "SELECT ledger.admit($names, $fingerprints, $addresses)");
			next;
		}
		$self->poll($member, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
		$self->sql($member, "SELECT ledger.admit($names, $fingerprints)");
	}
	return $motion;
}

# A member whose wire the test fills by hand, known to all others.  Its rows are
# signed here, so it can lie as it likes.
sub add_publisher
{
	my ($self, $member, %param) = @_;
	my $secret = secret($member);
	my $prefix = $self->sql(1, 'SELECT ledger_internal.wire_prefix()');
	my $chain = $self->sql(1, 'SELECT chain_id FROM ledger_internal.node');
	my $server = LedgerCluster->new_server("$self->{servers_named}publisher$member", preload => 0,
		allows_streaming => 'logical', conf => "max_slot_wal_keep_size = '1GB'\nwal_sender_timeout = '20s'\n");
	my $liar = bless {
		wires => $self, member => $member, secret => $secret, chain => $chain, prefix => $prefix,
		server => $server, seq => 0, digest => '\\x' . '00' x 32
	}, 'LedgerWire::Publisher';

	$self->{keys}[ $member - 1 ] = $self->public_key($secret);
	$server->safe_psql('postgres', 'CREATE DATABASE ' . WIRE);
	$server->safe_psql(WIRE, <<"END");
CREATE SCHEMA ledger_wire;
CREATE TABLE ledger_wire.log_$member (arrival bigserial, message bytea);
CREATE TABLE ledger_wire.body_$member (arrival bigserial, chunk bytea, audience bigint[]);
CREATE TABLE ledger_wire.forgotten (member bigint, nonce bytea, seq bigint);
CREATE FUNCTION ledger_wire.row_key(message bytea) RETURNS bytea IMMUTABLE RETURN substring(message FROM 6 FOR 24);
CREATE VIEW ledger_wire.head AS SELECT ${member}::bigint AS member,
    (SELECT ledger_wire.row_key(message) FROM ledger_wire.log_$member ORDER BY arrival DESC LIMIT 1) AS key;
CREATE PUBLICATION ledger_log FOR TABLE ledger_wire.log_$member (message) WITH (publish = 'insert');
END
	foreach my $peer (1 .. $self->count)
	{
		$server->safe_psql(WIRE, <<"END");
CREATE ROLE ${prefix}_$peer LOGIN REPLICATION;
GRANT USAGE ON SCHEMA ledger_wire TO ${prefix}_$peer;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger_wire TO ${prefix}_$peer;
CREATE PUBLICATION ledger_body_$peer FOR TABLE ledger_wire.body_$member (chunk, audience) WITH (publish = 'insert');
END
		$liar->make_slots($peer);
	}
	$self->sql(1, <<'END');
CREATE OR REPLACE FUNCTION signed_row(chain bytea, member int, seq bigint, previous bytea, kind int, epoch bigint, payload bytea, secret bytea)
    RETURNS TABLE (message bytea, digest bytea) LANGUAGE sql AS $$
SELECT '\x01'::bytea || fixed || int4send(octet_length(payload)) || payload || ledger.schnorr_sign(d, secret), d
  FROM (SELECT int4send(member) || '\x00000000000000000000000000000000'::bytea || int8send(seq) || previous
               || set_byte('\x00', 0, kind) || int8send(epoch) || int8send(seq) AS fixed) AS f,
       LATERAL (SELECT sha256('telco_ledger/1/row'::bytea || chain || fixed
                              || sha256('telco_ledger/1/'::bytea || set_byte('\x00', 0, kind) || payload)) AS d) AS g
$$
END
	foreach my $peer (1 .. $self->count)
	{
		$self->introduce($peer, $member, sprintf 'host=%s port=%d dbname=%s', $server->host, $server->port, WIRE);
	}
	return $liar;
}

sub own_log
{
	my ($self, $member, $last) = @_;

	return $self->sql($member, "SELECT seq, encode(message, 'hex') FROM ledger_internal.own_log WHERE seq <= $last ORDER BY incarnation, seq");
}

# One test.  Members in @only, if given, are compared only.
sub agree
{
	my ($self, $name, @only) = @_;
	my @members = @only ? @only : (1 .. $self->count);
	my @wrong;

	foreach my $author (@members)
	{
		my $last = $self->sql($author, 'SELECT max(seq) FROM ledger_internal.own_log');
		my $log = $self->own_log($author, $last);

		foreach my $member (grep { $_ != $author } @members)
		{
			if (!$self->poll($member, "SELECT max(seq) >= $last FROM ledger_internal.peer_log WHERE member = $author"))
			{
				push @wrong, "member $member lacks rows of $author";
				next;
			}
			push @wrong, "member $member keeps other rows of $author"
			  if $self->sql($member, "SELECT seq, encode(message, 'hex') FROM ledger_internal.peer_log WHERE member = $author AND seq <= $last ORDER BY nonce = repeat('\\000', 16)::bytea DESC, seq") ne $log;
		}
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(CORE::join('; ', @wrong), '', $name)
	  || diag(map { $self->sql($_, 'SELECT * FROM ledger.peer') . "\n" } @members);
}

package LedgerWire::Publisher;

use strict;
use warnings;

sub sql { my ($self, $query) = @_; return $self->{server}->safe_psql(LedgerWire::WIRE, $query) }

sub poll
{
	my ($self, $query) = @_;

	return $self->{server}->poll_query_until(LedgerWire::WIRE, $query);
}

sub make_slots
{
	my ($self, $peer) = @_;

	foreach my $kind ('log', 'body')
	{
		$self->sql("SELECT pg_create_logical_replication_slot('$self->{prefix}_$self->{member}_${peer}_$kind', 'pgoutput')");
	}
	return;
}

# A subscriber that lost its sender may be there again before the slot is dropped.
sub drop_slots
{
	my ($self, $peer) = @_;

	$self->sql(<<"END");
DO \$\$
DECLARE
    slot record;
BEGIN
    FOR try IN 1 .. 100 LOOP
        FOR slot IN SELECT slot_name, active_pid FROM pg_replication_slots WHERE slot_name LIKE '%\\_${peer}\\_%' LOOP
            BEGIN
                PERFORM pg_terminate_backend(slot.active_pid, 5000);
                PERFORM pg_drop_replication_slot(slot.slot_name);
            EXCEPTION WHEN object_in_use THEN
                NULL;
            END;
        END LOOP;
        IF NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name LIKE '%\\_${peer}\\_%') THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE 'a slot of member $peer stays in use';
END \$\$
END
	return;
}

# A signed row for that place, as hex; (message, digest).
sub row
{
	my ($self, %param) = @_;
	my $payload = $param{payload} // '\\x00';
	my $kind = $param{kind} // 2;
	my $epoch = $param{epoch} // 0;
	my $seq = $param{seq} // $self->{seq} + 1;
	my $previous = $param{previous} // $self->{digest};

	return split /\|/, $self->{wires}->sql(1,
		"SELECT * FROM signed_row('$self->{chain}', $self->{member}, $seq, '$previous', $kind, $epoch, '$payload', '$self->{secret}')");
}

# The next row of its log, sent or (hidden => 1) only made.
sub publish
{
	my ($self, %param) = @_;
	my ($message, $digest) = $self->row(%param);

	$self->{seq}++;
	$self->{digest} = $digest;
	$self->send($message) if !$param{hidden};
	return $message;
}

# So many next rows, of kind NULLIFY and empty, only made.
sub make_empty
{
	my ($self, $count) = @_;
	my @made = map { [ split /\|/ ] } split /\n/, $self->{wires}->sql(1, <<"END");
WITH RECURSIVE made AS (
    SELECT 0 AS n, NULL::bytea AS message, '$self->{digest}'::bytea AS digest
    UNION ALL
    SELECT n + 1, r.message, r.digest
      FROM made AS m, signed_row('$self->{chain}', $self->{member}, $self->{seq} + n + 1, m.digest, 6, 0, '\\x', '$self->{secret}') AS r
     WHERE n < $count)
SELECT message, digest FROM made WHERE n > 0 ORDER BY n
END

	$self->{seq} += $count;
	$self->{digest} = $made[-1][1];
	return map { $_->[0] } @made;
}

sub send
{
	my ($self, $message) = @_;

	$self->sql("INSERT INTO ledger_wire.log_$self->{member} (message) VALUES ('$message')");
	return;
}

# Payload of a BATCH that names these chunks (hex; [hex, size] for another size
# than the chunk has).
sub batch
{
	my ($self, $number, $previous, @chunks) = @_;
	my $payload = "'\\x0301'::bytea || '$self->{chain}' || int4send($self->{member}) || int2send(0::int2) || int8send($number) || int4send(0)"
	  . " || '$previous' || int8send(0) || int4send(0) || int2send(1::int2) || sha256('') || int4send(" . scalar(@chunks) . ')';

	foreach my $named (@chunks)
	{
		my ($chunk, $size) = ref $named ? @$named : ($named, "octet_length('$named'::bytea)");

		$payload .= " || int2send(0::int2) || int4send($size) || sha256('$chunk'::bytea)";
	}
	return $self->sql("SELECT $payload");
}

1;
