# A member's server is restored from a backup with rows that were in no batch
# yet.  Later they were: batches that come back from the others and hold these rows
# and no others are recognised, the rows of others are batched once more.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @members = (1 .. 4);

# Rows gather while the worker is stopped; a backup is taken of them; then they
# are final, with what $later does, and what comes last after them; and the member
# loses what is not in the backup.
sub lose
{
	my ($member, $rows, $later, $last_of_all) = @_;

	$wires->final($member, $wires->sql($member, 'INSERT INTO cdr VALUES (0) RETURNING ledger_ref'), "a row of member $member is final");
	ok($wires->poll($member, q{SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE backend_type = 'telco_ledger worker'}), 'its worker is idle');
	my $worker = $wires->node($member)->worker_pid;
	kill 'STOP', $worker;
	$wires->sql($member, $_) foreach (@$rows);
	my $last = $wires->sql($member, 'SELECT max(ledger_ref) FROM cdr');
	$wires->node($member)->backup('older');
	$wires->sql($member, $_) foreach (@$later);
	is($wires->sql($member, "SELECT ledger.finality('$last')"), 'committed', "what is in the backup of member $member is in no batch");
	kill 'CONT', $worker;
	$wires->final($member, $wires->sql($member, 'SELECT max(ledger_ref) FROM cdr'), 'it is final after the backup');
	my $heights = heights($member, $last);
	$wires->final($member, $wires->sql($member, "$last_of_all RETURNING ledger_ref"), 'so is what comes then') if defined $last_of_all;
	my $offset = -s $wires->node($member)->logfile;
	restore($wires, $member, 'older');
	ok(wait_for_log($wires, $member, 'consensus alarm: others have rows of this node that it lacks', $offset), 'the others have rows that the backup lacks');
	$wires->sql($member, "SELECT ledger.accept_restore('the disk failed')");
	rejoined($wires, $member, 1);
	$wires->final($member, $last, 'what is in the backup is final again');
	return ($last, $heights);
}

sub heights
{
	my ($member, $last) = @_;

	return $wires->sql($member, "SELECT string_agg(DISTINCT ledger.height(ledger_ref)::text, ',') FROM cdr WHERE ledger_ref <= '$last'");
}

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
}

# One transaction that fills more than one batch, and one that does not; the next
# batch is lost with its row.
my ($last, $heights) = lose(4, [ 'INSERT INTO cdr SELECT g FROM generate_series(1, 100000) g', 'INSERT INTO cdr VALUES (1)' ], [], 'INSERT INTO cdr VALUES (2)');
is(heights(4, $last), $heights, 'they are in the blocks that they were in');
is($wires->sql(4, 'SELECT count(*) FROM ledger_internal.batch WHERE incarnation = 1'), '0', 'and were not batched once more');
is($wires->sql(4, 'SELECT count(*) FROM ledger_internal.foreign_batch WHERE member = 4'), '1', 'the batch of the row that is lost is all that stays unknown');
$wires->final(4, $wires->sql(4, 'INSERT INTO cdr VALUES (3) RETURNING ledger_ref'), 'and a new row follows');

# Rows of others were in the batch, and are lost.
my ($lost) = lose(3, [ 'INSERT INTO cdr VALUES (1)' ], [ 'INSERT INTO cdr VALUES (2)' ]);
is($wires->sql(3, 'SELECT count(*) FROM ledger_internal.foreign_batch WHERE member = 3'), '1', 'a batch with rows that are lost stays unknown');
is($wires->sql(3, 'SELECT count(*) FROM ledger_internal.batch WHERE incarnation = 1'), '1', 'and its other row is batched once more');

foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $member verifies clean");
}
foreach ([ 4, $last ], [ 3, $lost ])
{
	my ($member, $ref) = @$_;
	my $receipt = $wires->sql($member, "SELECT ledger.receipt('cdr', '$ref')");

	is($wires->sql(1, "SELECT valid FROM ledger.verify_receipt(\$r\$$receipt\$r\$)"), 't', "a row of member $member is proved to others");
}
innocent($wires, @members);

done_testing();
