# A ledger that one member began alone: old rows leave the logs but for those of which
# the blocks from that time are made, so somebody who joins much later has these as well.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $conf = "telco_ledger.keep_messages = 0\n";
my $wires = LedgerWire->new(0);
my $founder = $wires->add_newcomer(conf => $conf);
my $second = $wires->add_newcomer(conf => $conf);

$wires->sql(1, "SELECT ledger.create_node('member1', purpose => 'test')");
$wires->sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
$wires->insert(1, 20);
$wires->announce(1);
$wires->invite(1, $second);
$wires->join($second);
$wires->admit([$second], 1);
ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', '1'), "the members change, for $_") foreach (1, $second);

my $alone = $wires->sql(1, 'SELECT alone_sequences[1] FROM ledger_internal.order_mode');
my $sequence = "('x' || encode(substring(message FROM 22 FOR 8), 'hex'))::bit(64)::bigint";
my $old = 'get_byte(message, 61) BETWEEN 2 AND 7';

cmp_ok($alone, '>=', 40, "the founder has written $alone rows alone");
$wires->insert(1, 100);
foreach my $member (1, $second)
{
	ok($wires->poll($member, "SELECT seq > $alone + 50 FROM ledger_wire.forgotten WHERE member = 1", 't', LedgerWire::WIRE), "rows of the founder leave the wire of member $member")
	  || diag($wires->wire($member, 'SELECT member, seq FROM ledger_wire.forgotten'));
	# the link and fetch may have brought a row both
	is($wires->wire($member, "SELECT count(DISTINCT $sequence) FROM ledger_wire.log_1 WHERE $sequence <= $alone"), $alone, 'none from when it was alone');
}
ok($wires->poll(1, "SELECT seq > $alone FROM ledger_internal.sparse_log WHERE member = 1"), 'and its own log');
is($wires->sql(1, "SELECT count(*) FROM ledger_internal.own_log WHERE seq <= $alone"), $alone, 'likewise');

my $new = $wires->add_newcomer(conf => $conf);

$wires->invite(1, $new);
$wires->join($new);
$wires->admit([$new], 1, $second);
ok($wires->poll($_, 'SELECT ledger_internal.epoch_now()', '2'), "the members change again, for $_") foreach (1, $second, $new);
$wires->insert($new, 1);
$wires->same_blocks(1, $second, $new);
is($wires->sql($_, q{SELECT * FROM ledger.verify(mode => 'full')}), '', "member $_ finds nothing wrong") foreach (1, $second, $new);

# What has gathered in the own log while all was kept goes faster than new rows come.
sub keep
{
	$wires->sql(1, "ALTER SYSTEM SET telco_ledger.keep_messages = $_[0]");
	return $wires->sql(1, 'SELECT pg_reload_conf()');
}

keep(-1);
sleep 1;
my $dropped = $wires->sql(1, 'SELECT dropped_seq FROM ledger_internal.own_log_summary');
my $rows = $wires->sql(1, 'SELECT max(seq) FROM ledger_internal.own_log');
while ($rows < $dropped + 1300)
{
	$wires->insert(1, 20);
	$rows = $wires->sql(1, 'SELECT max(seq) FROM ledger_internal.own_log');
}
keep(0);
my $now = $dropped;
for (1 .. 100)
{
	last if $now > $dropped;
	$wires->insert(1, 1);
	$now = $wires->sql(1, 'SELECT dropped_seq FROM ledger_internal.own_log_summary');
}
cmp_ok($now - $dropped, '>', 512, 'more than 512 rows at one time');
done_testing();
