# Four members order batches over their wires: the same blocks everywhere,
# whatever one of them suffers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}

my $cut = LedgerWire::CUT;

# Everything submitted is in a batch, and every batch in a final block, everywhere.
sub all_ordered
{
	my ($name, @who) = @_;
	my @lanes;

	@who = @members if !@who;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	foreach my $member (@members)
	{
		my $batches = '0';

		if (grep { $_ == $member } @who)
		{
			$wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted') or diag("member $member makes no batch");
			$batches = $wires->sql($member, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
		}
		else
		{
			$batches = $wires->sql($who[0], "SELECT count(*) FROM ledger_internal.peer_log WHERE kind = 1 AND member = $member");
		}
		push @lanes, "$member:$batches" if $batches > 0;
	}
	my $expected = join ' ', @lanes;
	my @late = grep { !$wires->poll($_, $cut, $expected) } @who;

	is("@late", '', "$name: every batch is in a final block at everybody ($expected)")
	  || diag(map { $wires->sql($_, 'SELECT seq, kind, view FROM ledger.message WHERE verdict = \'own\' ORDER BY seq DESC LIMIT 8') . "\n--\n" } @who);

	$wires->same_blocks(@who);
	return;
}

$wires->submit($_, "first of $_") foreach (@members);
all_ordered('one of each');
foreach my $round (1 .. 5) { $wires->submit($_, "$round of $_") foreach (@members) }
all_ordered('several of each');

# Bodies are where they shall be; a block is final before everybody has them.
ok($wires->poll($_, 'SELECT count(*) FROM ledger_internal.peer_body', '18'), "member $_ has the bodies of the others") foreach (@members);

# How long it takes, one at a time, on the machine as it is: no promise, a note.
my @took;
foreach my $round (1 .. 10)
{
	my $heights = $wires->sql(2, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
	my $begin = time;

	$wires->submit(1, "timed $round");
	$wires->node(1)->safe_psql('postgres', 'DO $$ BEGIN WHILE EXISTS (SELECT FROM ledger_internal.submitted) OR (SELECT max(height) FROM ledger_internal.own_log WHERE kind = 1) >= (SELECT max(height) FROM ledger_internal.ordered_block) LOOP PERFORM pg_sleep(0.001); COMMIT; END LOOP; END $$');
	push @took, time - $begin;
}
@took = sort { $a <=> $b } @took;
note(sprintf 'from submit to final at its member: median %d ms, worst %d ms', 1000 * $took[5], 1000 * $took[-1]);
all_ordered('one at a time');

# Nothing is written while nothing happens.
ok($wires->rest(@members), 'an idle consortium writes no rows');

# One member away.
$wires->node(4)->stop('immediate');
$wires->submit($_, "without 4, of $_") foreach (1 .. 3);
all_ordered('three of four', 1 .. 3);
$wires->node(4)->start;
$wires->submit(4, 'back again');
all_ordered('the fourth is back');

# Processes and servers die while bodies come.
foreach my $member (@members)
{
	$wires->submit($_, "before the crash of $member, of $_") foreach (@members);
	if ($member % 2) { $wires->sql($member, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire'") }
	else { $wires->node($member)->crash_and_restart }
	$wires->submit($_, "after the crash of $member, of $_") foreach (@members);
}
all_ordered('after crashes');

foreach my $member (@members)
{
	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.contradiction') . $wires->sql($member, 'SELECT count(*) FROM ledger_internal.quarantine'),
		'00', "member $member was shown no contradiction and nothing to refuse");
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'and no alarm was raised');
}
$wires->agree('the logs are the same everywhere');

# A start reads few rows of long logs, and the member goes on where it was.
long_log('a long log', 120);
all_ordered('a long log');
foreach my $member (@members)
{
	my ($read, $stored) = rows_read($member);

	cmp_ok($read, '<', $stored / 3, "of $stored rows a start of member $member reads $read");
}

# Votes of all three that are left are needed, so each goes on voting.
$wires->node(4)->stop('immediate');
$wires->submit($_, "after a short start, of $_") foreach (1 .. 3);
all_ordered('those who have read little vote', 1 .. 3);
$wires->node(4)->start;
all_ordered('and the fourth, whose server has');
foreach my $member (@members)
{
	ok(!$wires->node($member)->log_contains('consensus alarm'), "member $member still has no alarm");
	is($wires->sql($member, "SELECT count(*) FROM (SELECT FROM ledger_internal.own_log WHERE kind BETWEEN 3 AND 6 GROUP BY epoch, view, CASE kind WHEN 5 THEN 6 ELSE kind END HAVING count(*) > 1) AS twice"),
		'0', 'and has cast no vote twice');
}

# What a summary is of is compared: if it is not stored so, the whole log is read.
my $all = $wires->sql(1, 'SELECT count(*) FROM ledger_internal.peer_log WHERE member = 2');
$wires->sql(1, 'UPDATE ledger_internal.log_summary SET digest = sha256(digest) WHERE member = 2');
my ($most) = rows_read(1);
cmp_ok($most, '>=', $all, "with a summary of another row $most rows are read, all $all of member 2 among them");
$all = $wires->sql(1, 'SELECT count(*) FROM ledger_internal.own_log');
$wires->sql(1, 'UPDATE ledger_internal.own_log_summary SET digest = sha256(digest)');
my ($more) = rows_read(1);
cmp_ok($more, '>=', $most + $all / 2, "and $more, if so is that of the own log, which has $all");
$wires->submit(1, 'after that');
all_ordered('after a start that reads all');

# A member whose database has gone back is told so by the others.
ok($wires->rest(@members), 'nobody writes any more');
$wires->agree('and all have all rows');
$wires->forget(4, 2);
ok($wires->poll(4, "SELECT reason LIKE '%which its own log lacks' FROM ledger.peer WHERE member = 4"), 'the own wire shows a row that the own log lacks');
ok($wires->node(4)->wait_for_log('consensus alarm: others have rows of this node that it lacks'), 'and so do the others');
my $rows = $wires->sql(4, 'SELECT count(*) FROM ledger_internal.own_log');
$wires->submit($_, 'after the loss') foreach (@members);
all_ordered('without the one that has lost its memory', 1 .. 3);
is($wires->sql(4, 'SELECT count(*) FROM ledger_internal.own_log'), $rows, 'which signs nothing more');

# Rows of others that no start needs leave the ledger's database, if that is wanted; the wires keep
# them, as the fourth is behind (P19).
$wires->sql(2, q{UPDATE ledger_internal.peer_log SET stored_at = 'infinity' WHERE member = 4 AND seq = 20});
$wires->sql(2, 'ALTER SYSTEM SET telco_ledger.keep_messages = 0');
$wires->sql(2, 'SELECT pg_reload_conf()');
long_log('once more', 80);
my $dropped = 'SELECT count(*) FROM ledger_internal.log_summary WHERE member IN (1, 3) AND dropped_seq > 0';
ok($wires->poll(2, $dropped, '2'), 'rows of members 1 and 3 are dropped at member 2');
is($wires->sql(2, 'SELECT dropped_seq, first_seq > 21 FROM ledger_internal.log_summary WHERE member = 4'), '19|t', 'those of member 4 up to one that is young');
is($wires->sql(1, 'SELECT coalesce(sum(dropped_seq), 0) FROM ledger_internal.log_summary'), '0', 'and none at member 1, which keeps them for longer');
my $left = 'FROM ledger_internal.peer_log AS l JOIN ledger_internal.log_summary AS s USING (member, nonce) WHERE l.seq <= s.dropped_seq';
is($wires->sql(2, "SELECT count(*) $left AND l.seq > 1 AND l.kind BETWEEN 2 AND 7"), '0', 'no votes and no ACKs are left of those');
is($wires->sql(2, "SELECT string_agg(member::text, ' ' ORDER BY member) $left AND l.seq = 1 AND l.member IN (1, 3)"), '1 3', 'but the first row of each log');
cmp_ok($wires->sql(2, "SELECT count(*) $left AND l.kind = 1 AND l.member = 1"), '>', 50, 'and BATCH rows');
foreach my $author (1, 3)
{
	my $newest = $wires->sql(2, "SELECT max(seq) FROM ledger_internal.peer_log WHERE member = $author");

	cmp_ok($wires->wire(2, "SELECT count(*) FROM ledger_wire.log_$author"), '>=', $newest, "the wire has all $newest rows of member $author");
}

# From a wire that is read from its start they come once more.
my $refused = $wires->sql(2, 'SELECT count(*) FROM ledger_internal.quarantine');
my $read_to = $wires->sql(2, 'SELECT min(arrival) FROM ledger_internal.peer_position WHERE member IN (1, 3)');
$wires->sql(2, <<'SQL');
BEGIN;
LOCK TABLE ledger_internal.peer_position;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'telco_ledger wire';
UPDATE ledger_internal.peer_position SET arrival = 0;
COMMIT
SQL
$wires->submit($_, "after rows were dropped, of $_") foreach (1 .. 3);
all_ordered('member 2 votes without them', 1 .. 3);
ok($wires->poll(2, "SELECT min(arrival) >= $read_to FROM ledger_internal.peer_position WHERE member IN (1, 3)"), 'its wire is read again');
is($wires->sql(2, 'SELECT count(*) FROM ledger_internal.quarantine') - $refused . $wires->sql(2, 'SELECT count(*) FROM ledger_internal.contradiction'), '00', 'and nothing of it is refused');
my ($few, $of) = rows_read(2);
cmp_ok($few, '<', $of, "a start of member 2 reads $few rows of $of");
$wires->submit(2, 'the last one');
all_ordered('and it goes on', 1 .. 3);

done_testing();

# So many blocks more, one after the other.
sub long_log
{
	my ($name, $count) = @_;

	$wires->node(1)->safe_psql('postgres', <<"SQL");
DO \$\$ BEGIN
	FOR i IN 1 .. $count LOOP
		PERFORM ledger_internal.submit(convert_to('$name ' || i, 'UTF8'));
		COMMIT;
		WHILE EXISTS (SELECT FROM ledger_internal.submitted) OR (SELECT max(height) FROM ledger_internal.own_log WHERE kind = 1) >= (SELECT max(height) FROM ledger_internal.ordered_block) LOOP
			PERFORM pg_sleep(0.001);
			COMMIT;
		END LOOP;
	END LOOP;
END \$\$
SQL
	return;
}

# How many rows of the logs the next process of its wire reads, and how many there are.
sub rows_read
{
	my ($member) = @_;
	my $node = $wires->node($member);
	my $offset = -s $node->logfile;

	$wires->restart_wire($member);
	$node->wait_for_log(qr/DETAIL:  \d+ stored rows of the logs were read/, $offset);
	my ($read) = slurp_file($node->logfile, $offset) =~ /DETAIL:  (\d+) stored rows of the logs were read/;

	return ($read, $wires->sql($member, 'SELECT (SELECT count(*) FROM ledger_internal.own_log) + (SELECT count(*) FROM ledger_internal.peer_log)'));
}
