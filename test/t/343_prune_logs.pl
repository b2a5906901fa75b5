# Old rows of logs leave the wires and the own log, while blocks go on.  A newcomer,
# a member that was away for longer than they are kept, and one that is restored from
# a backup of before all follow the logs across what is gone, and have the same blocks.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $conf = "telco_ledger.keep_messages = 0\ntelco_ledger.retain_blocks = 8\n";
my $wires = LedgerWire->new(4, ordered => 1, conf => $conf);
my @members = (1 .. 4);

# Place of a row in a wire, as in a log.
my $place = q{encode(substring(message FROM 6 FOR 24), 'hex')};
my $old = 'get_byte(message, 61) BETWEEN 2 AND 7';
my $sequence = "('x' || encode(substring(message FROM 22 FOR 8), 'hex'))::bit(64)::bigint";

# All that a member signs is kept aside, to compare with.
foreach my $member (@members)
{
	$wires->sql($member, <<'END');
CREATE TABLE signed_row AS TABLE ledger_internal.own_log;
CREATE FUNCTION keep_signed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.signed_row SELECT NEW.*; RETURN NULL; END $$;
CREATE TRIGGER keep_signed AFTER INSERT ON ledger_internal.own_log FOR EACH ROW EXECUTE FUNCTION keep_signed();
END
}

# Votes and the like that are left of all logs in the wire of a member.
sub left
{
	my ($member) = @_;

	return $wires->wire($member, 'SELECT ' . join ' + ', map { "(SELECT count(*) FROM ledger_wire.log_$_ WHERE $old)" } @members);
}

# Which of those that a member has signed have to stay (src/replication/README.md), from
# that place on all of them.  Bytes 99 to 114 of an ACK are the copy before its own.
sub must_stay
{
	my ($author, $first, $needed, $shown) = @_;

	return $wires->sql($author, <<"END");
SELECT string_agg(quote_literal($place), ',')
  FROM (SELECT *, lead(epoch) OVER incarnation AS next, kind = 2 AND row_number() OVER (PARTITION BY incarnation, kind ORDER BY seq DESC) = 1 AS newest
          FROM (SELECT DISTINCT incarnation, seq, kind, epoch, view, message FROM signed_row WHERE $shown) AS all_rows
        WINDOW incarnation AS (PARTITION BY incarnation ORDER BY seq)) AS r
 WHERE kind NOT BETWEEN 2 AND 7 OR seq = 1 OR (incarnation, seq) >= $first OR (epoch, view) >= ($needed)
    OR next IS DISTINCT FROM epoch OR newest
    OR (kind = 2 AND substring(message FROM 100 FOR 16) <> decode(repeat('00', 16), 'hex'))
END
}

# How many of them are not in a wire, after $change.  Which it has is read first, as what has
# to stay grows less.
sub lacks
{
	my ($wire, $author, $change) = @_;
	my $have = $wires->wire($wire, "BEGIN; ALTER TABLE ledger_wire.log_$author DISABLE TRIGGER refuse_change; " . ($change // '')
		. "; SELECT string_agg(quote_literal($place), ',' ORDER BY arrival) FROM ledger_wire.log_$author; ROLLBACK");
	my ($last) = $have =~ /('[^']*')$/;
	my $first = $wire == $author ? 'SELECT first_incarnation, first_seq FROM ledger_internal.own_log_summary'
	  : "SELECT (SELECT count(*) - 1 FROM ledger_internal.peer_log WHERE member = $author AND seq = 1), first_seq FROM ledger_internal.log_summary WHERE member = $author AND summary IS NOT NULL";
	my ($incarnation, $seq) = split /\|/, $wires->sql($wire, $first);
	my $needed = $wires->sql($wire, "SELECT epoch || ', ' || view FROM ledger_internal.needed_view");
	my $rows = must_stay($author, "($incarnation, $seq)", $needed, "(incarnation, seq) <= (SELECT incarnation, seq FROM signed_row WHERE $place = $last LIMIT 1)");

	return $wires->sql($author, "SELECT count(*) FROM (SELECT unnest(ARRAY[$rows]) EXCEPT SELECT unnest(ARRAY[$have])) AS missing");
}

# And in its author's own log, but for the newest ACK, which the summary has.
sub own_lacks
{
	my ($member) = @_;
	my $have = $wires->sql($member, "SELECT string_agg(quote_literal($place), ',' ORDER BY incarnation, seq) FROM ledger_internal.own_log");
	my ($last) = $have =~ /('[^']*')$/;
	my $first = '(' . join(', ', split /\|/, $wires->sql($member, 'SELECT first_incarnation, first_seq FROM ledger_internal.own_log_summary')) . ')';
	my $needed = $wires->sql($member, "SELECT epoch || ', ' || view FROM ledger_internal.needed_view");
	my $rows = must_stay($member, $first, $needed, "($place IN ($have) OR kind <> 2 OR substring(message FROM 100 FOR 16) <> decode(repeat('00', 16), 'hex'))"
		. " AND (incarnation, seq) <= (SELECT incarnation, seq FROM signed_row WHERE $place = $last LIMIT 1)");

	return $wires->sql($member, "SELECT count(*) FROM (SELECT unnest(ARRAY[$rows]) EXCEPT SELECT unnest(ARRAY[$have])) AS missing");
}

$wires->announce($_) foreach (@members);
foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	submit($wires, $member, "first of $member");
}
$wires->submit_apart(3, 5);
all_ordered($wires, 'at first', @members);
$wires->node(3)->backup('older');

# Blocks go on, and the wires and logs do not grow with them.  A block has a dozen votes and
# the like; those of the 64 newest may stay, behind the last checkpoint that all have.
$wires->submit_apart($_ % 4 + 1, 20) foreach (1 .. 4);
ok($wires->poll($_, "SELECT (SELECT count(*) FROM ledger_wire.forgotten) = 4", 't', LedgerWire::WIRE), "rows of all logs leave the wire of member $_") foreach (@members);
my %before = map { $_ => left($_) } @members;
$wires->submit_apart($_ % 4 + 1, 20) foreach (1 .. 6);
all_ordered($wires, 'while rows leave', @members);
foreach my $member (@members)
{
	my $signed = $wires->sql($member, "SELECT count(*) FROM signed_row WHERE kind BETWEEN 2 AND 7");

	ok($wires->poll($member, "SELECT (SELECT sum(c) FROM (VALUES " . join(', ', map { "((SELECT count(*) FROM ledger_wire.log_$_ WHERE $old))" } @members) . ") AS v (c)) < $before{$member} + 900", 't', LedgerWire::WIRE), "the wire of member $member does not grow with the blocks")
	  || diag("$before{$member} before, " . left($member) . ' now');
	cmp_ok($wires->sql($member, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind BETWEEN 2 AND 7'), '<', $signed / 2, "nor does its own log, of $signed such rows");
	is(own_lacks($member), '0', 'which has all that it needs');
	foreach my $author (@members)
	{
		is(lacks($member, $author), '0', "and nothing that is needed of log $author has left the wire");
	}
}
is(lacks(1, 2, "DELETE FROM ledger_wire.log_2 WHERE message = (SELECT message FROM ledger_wire.log_2 WHERE get_byte(message, 61) = 1 ORDER BY arrival LIMIT 1)"), '1', 'which would be seen of a BATCH row');
is(lacks(1, 2, "DELETE FROM ledger_wire.log_2 WHERE message = (SELECT message FROM ledger_wire.log_2 WHERE $old ORDER BY arrival DESC OFFSET 3 LIMIT 1)"), '1', 'and of a vote that a start may need');
like(($wires->node(1)->psql(LedgerWire::WIRE, 'DELETE FROM ledger_wire.log_1'))[2], qr/is refused: a wire only grows/, 'nobody has a wire forget by chance');
like(($wires->node(1)->psql(LedgerWire::WIRE, 'SET ROLE ' . $wires->sql(1, 'SELECT ledger_internal.wire_role(2)') . '; SELECT ledger_wire.forget_rows(1, ARRAY[1])'))[2], qr/permission denied/, 'least of all a peer');

# A member is away, and what its slots hold for it is lost.
$wires->node(2)->stop('fast');
my %seen = map { my $author = $_; $author => $wires->sql($author, 'SELECT max(seq) FROM ledger_internal.own_log') } (1, 3, 4);
$wires->submit_apart($_, 30) foreach (1, 3, 4);
foreach my $wire (1, 3, 4)
{
	ok($wires->poll($wire, "SELECT count(*) = 3 FROM ledger_wire.forgotten WHERE (member, seq) IN (SELECT member, max(seq) FROM ledger_wire.forgotten GROUP BY member)"
		. ' AND (' . join(' OR ', map { "member = $_ AND seq > $seen{$_} + 20" } (1, 3, 4)) . ')', 't', LedgerWire::WIRE), "rows that it lacks leave the wire of member $wire");
	$wires->wire($wire, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE '%\\_2\\_log' AND NOT active");
}

# The one that was away comes back.
$wires->node(2)->start;
submit($wires, $_, 'with 2 again') foreach (@members);
all_ordered($wires, 'with the one that was away', @members);
foreach my $author (1, 3, 4)
{
	my $last = $wires->sql($author, 'SELECT max(seq) FROM ledger_internal.own_log');

	ok($wires->poll(2, "SELECT max(seq) >= $last FROM ledger_internal.peer_log WHERE member = $author"), "which follows the log of member $author")
	  || diag($wires->sql(2, 'SELECT * FROM ledger.peer') . "\n" . $wires->sql(2, 'SELECT member, seq FROM ledger_internal.sparse_log'));
	cmp_ok($wires->sql(2, "SELECT coalesce(max(seq), 0) FROM ledger_internal.sparse_log WHERE member = $author"), '>', $seen{$author}, 'across rows that are gone');
}

# Another one joins, while a member is away: until it is one itself it waits for all of them.
my $new = $wires->add_newcomer(conf => $conf);
$wires->invite($_, $new) foreach (3, 4, 1);
$wires->node(4)->stop('fast');
# No table yet: a batch shall not be the first row of its log.
$wires->sql($new, "SELECT ledger.join('$wires->{invitations}[$new]', 'member$new', '" . $wires->address($new) . "')");
$wires->admit([$new], 1, 2, 3);
ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', '1'), "the members change, for $_") foreach (1, 2, 3, $new);
$wires->node(4)->start;
ok($wires->poll(4, 'SELECT ledger_internal.epoch_now()', '1'), 'and for the one that was away');
submit($wires, $_, "with $new") foreach (@members);
all_ordered($wires, 'with the newcomer', @members);
ok($wires->poll($new, 'SELECT count(*) > 0 FROM ledger_internal.own_log'), 'which says so');
submit($wires, $new, 'of the newcomer');
all_ordered($wires, 'its own, too', @members, $new);
foreach my $author (@members)
{
	my $last = $wires->sql($author, 'SELECT max(seq) FROM ledger_internal.own_log');

	ok($wires->poll($new, "SELECT max(seq) >= $last FROM ledger_internal.peer_log WHERE member = $author"), "which follows the log of member $author")
	  || diag($wires->sql($new, 'SELECT * FROM ledger.peer') . "\n" . $wires->sql($new, 'SELECT member, seq FROM ledger_internal.sparse_log'));
}
is($wires->sql($new, 'SELECT count(DISTINCT member) FROM ledger_internal.sparse_log WHERE member <= 4'), '4', 'across rows that are gone');

# Its vote counts, and it counts those of others: one of the five may be away.
$wires->node(4)->stop('fast');
$wires->submit_apart(2, 5);
all_ordered($wires, 'with its vote', 1, 2, 3, $new);
$wires->node(4)->start;

# A member is restored from before rows left: its own come back, as far as there are any.
my $batches = $wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
my $offset = -s $wires->node(3)->logfile;
my $since = $wires->sql(3, 'SELECT seq - 1 FROM ledger_internal.own_log WHERE kind = 1 ORDER BY seq DESC LIMIT 1 OFFSET 9');

# The newer ones of its batches only one wire has, and that does not answer at first; another
# one says that it has dropped all.
$wires->node(4)->stop('fast');
foreach my $wire (1, 2, $new)
{
	$wires->wire($wire, "SET ledger_wire.forgets = on; CREATE TABLE aside AS SELECT message FROM ledger_wire.log_3 WHERE get_byte(message, 61) = 1 AND $sequence > $since;"
		. " DELETE FROM ledger_wire.log_3 WHERE get_byte(message, 61) = 1 AND $sequence > $since");
}
$wires->wire(1, "UPDATE ledger_wire.forgotten SET seq = 9223372036854775807 WHERE member = 3");
cmp_ok($wires->wire(1, 'SELECT count(*) FROM aside'), '>', 0, 'batches are in one wire alone');
restore($wires, 3, 'older');
ok(wait_for_log($wires, 3, 'consensus alarm: others have rows of this node that it lacks', $offset), 'one that was restored is told so');
my $older = $wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
$wires->sql(3, "SELECT ledger.accept_restore('the disk failed')");
sleep 5;
is($wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1'), $older, 'it goes across no gap while a wire may have the rows');
$wires->node(4)->start;
rejoined($wires, 3, 1);
is($wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE incarnation = 0 AND kind = 1'), $batches, 'it has its batches back');
cmp_ok($wires->sql(3, 'SELECT coalesce(max(seq), 0) FROM ledger_internal.sparse_log WHERE member = 3'), '>', 0, 'across rows that are gone');
$wires->wire($_, 'INSERT INTO ledger_wire.log_3 (message) SELECT message FROM aside') foreach (1, 2, $new);
submit($wires, $_, 'with 3 again') foreach (@members, $new);
all_ordered($wires, 'all five', @members, $new);

# Epochs and incarnations have ended, copies of members have come and gone.  One row is held to
# be contradicted by another one.
my ($nonce, $contradicted) = split /\|/, $wires->sql(1, 'SELECT nonce, seq FROM ledger_internal.peer_log WHERE member = 2 AND kind IN (4, 5) ORDER BY stored_at DESC LIMIT 1');

$wires->sql(1, "INSERT INTO ledger_internal.contradiction (member, digest, nonce, seq, message) SELECT member, digest, nonce, seq, message FROM ledger_internal.peer_log WHERE member = 2 AND nonce = '$nonce' AND seq = $contradicted");
$wires->wire(1, q{INSERT INTO ledger_wire.log_3 (message) SELECT set_byte(decode(repeat('00', 16777362), 'hex'), 61, 2) FROM generate_series(1, 5)});
my $before = $wires->wire(1, 'SELECT seq FROM ledger_wire.forgotten WHERE member = 4 ORDER BY seq DESC LIMIT 1');
$wires->submit_apart($_, 30) foreach (4, 2);
ok($wires->poll(1, "SELECT seq > $before FROM ledger_wire.forgotten WHERE member = 4 ORDER BY seq DESC LIMIT 1", 't', LedgerWire::WIRE), 'large rows of one member hold up the logs of no other');
my %place = map { $_ => "SELECT seq >= $contradicted FROM ledger_wire.forgotten WHERE member = 2 AND nonce = '$nonce'" } (1, 4);
foreach my $member (1, 4)
{
	ok($wires->poll($member, $place{$member}, 't', LedgerWire::WIRE), "rows of the time since leave the wire of member $member");
	is($wires->wire($member, "SELECT count(DISTINCT message) FROM ledger_wire.log_2 WHERE substring(message FROM 6 FOR 24) = '$nonce'::bytea || int8send($contradicted)"), $member == 1 ? '1' : '0', $member == 1 ? 'but not one that another contradicts' : 'all of them');
}
$wires->sql(1, 'DELETE FROM ledger_internal.contradiction');
foreach my $member (@members)
{
	is(own_lacks($member), '0', "the own log of member $member has all that it needs");
	foreach my $author (@members)
	{
		my $missing;

		# rows may be on their way to it, behind one that was fetched and put there
		foreach (1 .. 60)
		{
			$missing = lacks($member, $author);
			last if $missing eq '0';
			sleep 1;
		}
		is($missing, '0', "and its wire, of member $author");
	}
}
foreach my $member (@members, $new)
{
	is($wires->sql($member, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $member finds nothing wrong");
	ok(!$wires->node($member)->log_contains('consensus alarm: two live copies'), 'and takes nobody for two');
}

# A row that is missing behind those that were dropped is missed.
my $newer = "SELECT max(seq) - 1 FROM ledger_internal.own_log";
cmp_ok($wires->sql(1, $newer), '>', $wires->sql(1, 'SELECT seq FROM ledger_internal.sparse_log WHERE member = 1'), 'newer rows are all here');
is($wires->sql(1, "SET telco_ledger.verify_workers = 0; BEGIN; DELETE FROM ledger_internal.own_log WHERE seq = ($newer); SELECT kind, detail FROM ledger.verify(mode => 'full'); ROLLBACK"),
	'bad_signature|Rows of the own log are missing.', 'and one that is not is named');

# So is the first batch of an incarnation, though it stands among those.
my $first = 'SELECT min(seq) FROM ledger_internal.own_log WHERE incarnation = 0 AND kind = 1';
ok($wires->poll($new, "SELECT ($first) BETWEEN 2 AND (SELECT min(seq) FROM ledger_internal.sparse_log WHERE member = $new)"), 'the newcomer has begun with another row');
is($wires->sql($new, "SET telco_ledger.verify_workers = 0; BEGIN; DELETE FROM ledger_internal.own_log WHERE incarnation = 0 AND seq = ($first); SELECT kind, detail FROM ledger.verify(mode => 'full'); ROLLBACK"),
	'bad_signature|Rows of the own log are missing.', 'and its first batch is missed');

# The newest rows of a wire are such as the own log has dropped: what is behind those is sent.
$wires->wire(4, "INSERT INTO ledger_wire.log_4 (message) VALUES " . join ', ', map { "('$_')" } split /\n/,
	$wires->sql(4, 'SELECT message FROM signed_row AS r WHERE NOT EXISTS (SELECT FROM ledger_internal.own_log AS l WHERE (l.incarnation, l.seq) = (r.incarnation, r.seq)) ORDER BY seq DESC LIMIT 16'));
$wires->restart_wire(4);
submit($wires, 4, 'behind them');
all_ordered($wires, 'with such a wire', @members, $new);
is($wires->wire(4, "SELECT count(*) FROM ledger_wire.log_4 WHERE $sequence = 1"), '1', 'not all from the first one on');

# A wire that is made anew says which rows it will never have.
$wires->sql(1, 'ALTER SYSTEM SET telco_ledger.keep_messages = -1');
$wires->sql(1, 'SELECT pg_reload_conf()');
my $wire = $wires->sql(1, 'SELECT wire FROM ledger_internal.peer_position LIMIT 1');
$wires->sql(1, "ALTER DATABASE postgres_wire ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'postgres_wire'");
$wires->sql(1, 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
$wires->sql(1, 'SET allow_system_table_mods = on; DELETE FROM pg_subscription; DROP DATABASE postgres_wire WITH (FORCE)');
ok($wires->poll(1, "SELECT bool_and(wire <> '$wire') FROM ledger_internal.peer_position"), 'a wire is made anew');
my $sparse = $wires->sql(1, 'SELECT seq FROM ledger_internal.sparse_log WHERE member = 1');
ok($wires->poll(1, "SELECT seq >= $sparse FROM ledger_wire.forgotten WHERE member = 1", 't', LedgerWire::WIRE), 'and says which own rows are gone');
submit($wires, $_, 'at last') foreach (@members, $new);
all_ordered($wires, 'at last', @members, $new);
innocent($wires, @members, $new);
$wires->same_blocks(@members, $new);
done_testing();
