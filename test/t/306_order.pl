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

done_testing();
