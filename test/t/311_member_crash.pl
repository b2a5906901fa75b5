# Two newcomers join in one change under load, while newcomers and members are
# killed in the middle of it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use LedgerWire;

my $wires = LedgerWire->new(4, ordered => 1);
my @new = ($wires->add_newcomer, $wires->add_newcomer);
my @all = (1 .. 4, @new);

# Bodies come at members 1 and 4, which are not killed, until told otherwise.
my @loads;
foreach my $member (1, 4)
{
	my $node = $wires->node($member);

	$wires->sql($member, 'CREATE TABLE stop (is_on boolean)');
	push @loads, IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', <<"END" ], '>', '/dev/null', '2>&1');
DO \$\$
BEGIN
    FOR i IN 1 .. 2000 LOOP
        PERFORM ledger_internal.submit(convert_to('$member ' || i, 'UTF8'));
        COMMIT;
        EXIT WHEN EXISTS (SELECT FROM stop);
        PERFORM pg_sleep(0.5);
    END LOOP;
END \$\$
END
}

$wires->announce(2);
$wires->invite(2, $_) foreach (@new);
$wires->join($_) foreach (@new);
my $motion = $wires->admit(\@new, 2, 1);

# The one that proposed, a newcomer that follows.
$wires->node(2)->crash_and_restart;
$wires->node($new[0])->crash_and_restart;
$wires->poll(3, "SELECT EXISTS (SELECT FROM ledger.motion WHERE motion = '$motion')");
is($wires->sql(1, 'SELECT ledger_internal.epoch_now()'), '0', 'the change is not decided yet');

# The approval that decides; whoever gave it is killed at once, and again while
# the epoch begins, and so is the other newcomer.
$wires->sql(3, "SELECT ledger.admit(ARRAY['member5', 'member6'], ARRAY['" . join("', '", map { $wires->fingerprint($_) } @new) . "'])");
foreach my $round (1, 2)
{
	$wires->node(3)->crash_and_restart;
	$wires->node($new[1])->crash_and_restart if $round % 2;
	usleep(300_000 * $round);
}
foreach my $member (@all)
{
	ok($wires->poll($member, 'SELECT ledger_internal.epoch_now()', '1'), "the change is decided, says member $member")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.motion') . $wires->sql($member, 'SELECT * FROM ledger.peer'));
	is($wires->sql($member, "SELECT string_agg(member::text, ' ' ORDER BY member) FROM ledger.member WHERE state = 'member'"), '1 2 3 4 5 6', 'and there are six');
}
foreach my $member (@new)
{
	$wires->node($member)->crash_and_restart;
}
$wires->sql($_, 'INSERT INTO stop VALUES (true)') foreach (1, 4);
IPC::Run::finish($_) foreach (@loads);

# All bodies of all members become final at everybody, the newcomers' too.
$wires->sql($_, "SELECT ledger_internal.submit(convert_to('last of $_', 'UTF8'))") foreach (@all);
my @lanes;
foreach my $member (@all)
{
	ok($wires->poll($member, 'SELECT count(*) = 0 FROM ledger_internal.submitted'), "member $member makes its batches");
	push @lanes, "$member:" . $wires->sql($member, 'SELECT count(*) FROM ledger_internal.own_log WHERE kind = 1');
}
my $cut = LedgerWire::CUT;
foreach my $member (@all)
{
	ok($wires->poll($member, $cut, "@lanes"), "all of them (@lanes) are in final blocks at member $member")
	  || diag($wires->sql($member, $cut) . "\n" . $wires->sql($member, 'SELECT * FROM ledger.peer'));
}
my $height = (sort { $a <=> $b } map { $wires->sql($_, 'SELECT max(height) FROM ledger_internal.ordered_block') } @all)[0];
my %chains = map { $wires->sql($_, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger_internal.ordered_block WHERE height <= $height") => 1 } @all;
is(scalar(keys %chains), 1, "the blocks up to $height are the same everywhere");
my %epochs = map { $wires->sql($_, "SELECT epoch, height, encode(motion, 'hex') FROM ledger_internal.epoch") => 1 } @all;
is(scalar(keys %epochs), 1, 'and so is the change');
foreach my $member (@all)
{
	is($wires->sql($member, 'SELECT count(*) FROM ledger.evidence'), '0', "member $member has evidence against nobody");
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'and no alarm was raised');
}

done_testing();
