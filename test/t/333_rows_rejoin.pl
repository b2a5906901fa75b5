# A member that has lost rows of its log goes on as a new incarnation: its rows of
# before and after are final, and everybody verifies clean.
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

sub insert
{
	my ($member, $id) = @_;

	return $wires->sql($member, "INSERT INTO cdr VALUES ($id) RETURNING ledger_ref");
}

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->final($member, insert($member, 1), "a row of member $member is final");
}

my $offset = -s $wires->node(4)->logfile;

ok($wires->rest(@members), 'nobody writes any more');
$wires->agree('everybody has all rows');
$wires->forget(4, 6);
my $before = insert(4, 2);
ok(wait_for_log($wires, 4, 'consensus alarm: others have rows of this node that it lacks', $offset), 'member 4 is shown what it lacks');
is($wires->sql(4, "SELECT ledger.finality('$before')"), 'committed', 'and its new row waits');
is($wires->sql(4, "SELECT ledger.accept_restore('rows of the own log were lost')"), '', 'it is let go on');
rejoined($wires, 4, 1);
$wires->final(4, $before, 'the row that waited is final');
my $after = insert(4, 3);
like($after, qr/^4\.1\./, 'a new row bears the new incarnation');
$wires->final(4, $after, 'and is final');
$wires->final($_, insert($_, 4), "a row of member $_ is final again") foreach (1 .. 3);
foreach my $member (@members)
{
	is($wires->sql($member, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $member verifies clean");
}
is($wires->sql(4, 'SELECT count(*) = count(ledger.height(ledger_ref)) FROM cdr'), 't', 'no row was lost');
my $receipt = $wires->sql(4, "SELECT ledger.receipt('cdr', '$before')");
is($wires->sql(1, "SELECT valid FROM ledger.verify_receipt(\$r\$$receipt\$r\$)"), 't', 'a row of the old incarnation is proved to others');
innocent($wires, @members);

done_testing();
