# A member's server is restored from a base backup that was taken under load: it
# goes on as a new incarnation, also when it is killed in the middle of that.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);
my @load;

# Bodies come one after the other, at that member.
sub load
{
	my ($member, $count) = @_;
	my $node = $wires->node($member);

	push @load, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
		"DO \$\$ BEGIN FOR n IN 1 .. $count LOOP PERFORM ledger_internal.submit(convert_to('load of $member, ' || random(), 'UTF8')); COMMIT; PERFORM pg_sleep(0.02); END LOOP; END \$\$" ],
		'<', \undef, '>', '/dev/null', '2>&1');
	return;
}

# So many blocks more, however many bodies the load puts into one.
sub blocks
{
	my ($count) = @_;

	foreach (1 .. $count)
	{
		my $height = $wires->sql(3, 'SELECT coalesce(max(height), 0) FROM ledger_internal.ordered_block');

		submit($wires, 3, "after block $height");
		$wires->poll(3, "SELECT max(height) > $height FROM ledger_internal.ordered_block") or diag("no block after $height");
	}
	return;
}

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	load($member, 100);
}
blocks(5);
$wires->node(3)->backup('older');
my $then = $wires->sql(3, 'SELECT max(height) FROM ledger_internal.ordered_block');
$_->finish foreach (@load);
blocks(5);
submit($wires, $_, 'before the loss') foreach (@members);
all_ordered($wires, 'before the loss', @members);

my $offset = -s $wires->node(3)->logfile;
my $batches = $wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');

restore($wires, 3, 'older');
cmp_ok($wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1'), '<', $batches, 'the backup is older');
ok(wait_for_log($wires, 3, 'consensus alarm: others have rows of this node that it lacks', $offset), 'the others say so');
submit($wires, $_, 'without 3') foreach (1, 2, 4);
all_ordered($wires, 'without it', 1, 2, 4);

# All others have to reply: with one away the rejoin waits, and outlives a crash.
$wires->node(1)->stop('fast');
$wires->sql(3, "SELECT ledger.accept_restore('the disk failed')");
ok($wires->poll(2, 'SELECT count(*) = 1 FROM ledger_internal.reply_given WHERE member = 3'), 'another one replies');
$wires->node(3)->crash_and_restart;
$wires->node(2)->crash_and_restart;
ok($wires->poll(3, 'SELECT state, reason FROM ledger.rejoin', 'waits for the replies of the other members|the disk failed'), 'the view says what it waits for');
ok($wires->poll(3, 'SELECT state FROM ledger.status', 'rejoining'), 'and so does ledger.status');
is($wires->sql(3, 'SELECT max(incarnation) FROM ledger_internal.own_log'), '0', 'nothing was signed');
$wires->node(1)->start;
rejoined($wires, 3, 1);
submit($wires, $_, 'with 3 again') foreach (@members);
all_ordered($wires, 'all four', @members);
is($wires->sql(3, 'SELECT count(*) FROM ledger_internal.own_log WHERE incarnation = 0 AND kind = 1'), $batches, 'it has its batches back');
ok($wires->poll(3, 'SELECT count(*) FROM ledger_internal.wanted_chunk', '0'), 'and no body is missing');

innocent($wires, @members);
done_testing();
