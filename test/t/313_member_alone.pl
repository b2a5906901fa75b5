# An ordinary ledger of one member, with a history and a restore in it, becomes
# one of four: consensus goes on behind the last block that its member made alone,
# and those who join make the blocks before it once more from the member's log.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerRejoin;
use LedgerWire;

my $wires = LedgerWire->new(0);
my $founder = $wires->add_newcomer;
my $blocks = "SELECT string_agg(encode(hash, 'hex') || ' ' || time, ',' ORDER BY height) FROM ledger.block";

sub final_row
{
	my ($member, $id) = @_;
	my $ref = $wires->sql($member, "INSERT INTO cdr VALUES ($id) RETURNING ledger_ref");

	return ($ref, $wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"));
}

# What is no ledger yet, or has nobody to decide with, says so.
like($wires->error_of(1, "SELECT ledger.invite('FRAF1', '" . $wires->fingerprint(1) . "')"), qr/not a node of a ledger.*HINT/s, 'no ledger, no invitation');
$wires->sql(1, "SELECT ledger.create_node('member1')");
$wires->sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
like($wires->error_of(1, "SELECT ledger.leave()"), qr/makes its blocks alone.*HINT:.*ledger\.invite/s, 'one member alone decides nothing');

# A history: blocks, a database that forgets, an incarnation more.
my ($first) = final_row(1, 1);
final_row(1, $_) foreach (2 .. 20);
is($wires->sql(1, "SELECT ledger.accept_restore('a drill') > 0"), 't', 'a restore is in the history');
final_row(1, $_) foreach (21 .. 40);
my @new = map { $wires->add_newcomer } (1 .. 3);
my $invite = "SELECT ledger.invite('member2', '" . $wires->fingerprint(2) . "')";
like($wires->error_of(1, $invite), qr/cannot reach this member yet.*HINT/s, 'an invitation needs an address');
is($wires->sql(1, 'SELECT count(*) FROM ledger_internal.order_mode'), '0', 'and nothing has changed');

# A stored history that others could not follow is not handed on.
$wires->announce(1);
$wires->sql(1, 'CREATE TABLE kept AS SELECT * FROM ledger_internal.block; UPDATE ledger_internal.block SET time = time + interval \'1 us\' WHERE height = 7');
like($wires->error_of(1, $invite), qr/block 7 does not follow from the own log.*HINT/s, 'a block that is not what was signed ends it');
$wires->sql(1, 'UPDATE ledger_internal.block AS b SET time = k.time FROM kept AS k WHERE k.height = b.height');

# Undone, it leaves nothing; a crash in the middle is that.
$wires->sql(1, "BEGIN; $invite; ROLLBACK");
is($wires->sql(1, 'SELECT (SELECT count(*) FROM ledger_internal.order_mode) + (SELECT count(*) FROM ledger_internal.block_order) + (SELECT count(*) FROM ledger_internal.submitted)'), '0', 'an invitation that is rolled back leaves nothing');
my (undef, $alone) = final_row(1, 41);
$wires->node(1)->backup('alone');
my $before = $wires->sql(1, $blocks);

$wires->invite(1, $_) foreach (@new);
is($wires->sql(1, 'SELECT alone_height, cardinality(alone_nonces) FROM ledger_internal.order_mode'), "$alone|2", 'consensus begins behind the last block');
is($wires->sql(1, "SELECT count(*) FROM ledger_internal.block_order WHERE height <= $alone"), $alone, 'each block has what others need of it');
$wires->node(1)->crash_and_restart;
my ($between) = final_row(1, 42);
is($wires->sql(1, "$blocks WHERE height <= $alone"), $before, 'blocks from before are what they were');
like($wires->sql(1, 'SELECT kind FROM ledger.message ORDER BY incarnation DESC, seq DESC LIMIT 20'), qr/PROPOSE/, 'later ones are proposed');
$wires->node(1)->wait_final_all;
$wires->node(1)->verify_clean('verification of both parts is clean at the founder');
is($wires->sql(1, "SELECT valid FROM ledger.verify_receipt(ledger.receipt('cdr', '$first'))"), 't', 'a receipt of an old row is valid');

# Those who join.
$wires->join($_) foreach (@new);
$wires->admit(\@new, 1);
foreach my $member (1, @new)
{
	my ($ref, $height) = final_row($member, 100 + $member);

	like($height, qr/^\d+$/, "a row of member $member is final")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
}
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger.block');
foreach my $member (1, @new)
{
	ok($wires->poll($member, "SELECT max(height) >= $height FROM ledger.block"), "member $member has block $height");
	is($wires->sql($member, "$blocks WHERE height <= $height"), $wires->sql(1, "$blocks WHERE height <= $height"), 'and the same ones as the founder');
	$wires->node($member)->wait_final_all;
	$wires->node($member)->verify_clean("verification is clean at member $member");
	ok(!$wires->node($member)->log_contains('consensus alarm'), 'no alarm was raised');
}
is($wires->sql(3, "SELECT valid FROM ledger.verify_receipt(\$\$" . $wires->sql(1, "SELECT ledger.receipt('cdr', '$first')") . "\$\$)"), 't', 'a receipt of an old row leads to a head that all have signed');
is($wires->sql(3, "SELECT count(*) FROM ledger_internal.foreign_batch WHERE height <= $alone") > 30, 1, 'batches from before are known to those who joined');

# A start, at the founder and at one who joined: neither reads the old log again.
$wires->node($_)->crash_and_restart foreach (1, 2);
foreach my $member (1, 2)
{
	my (undef, $at) = final_row($member, 200 + $member);

	cmp_ok($at, '>', $height, "after a crash member $member goes on");
}

# A block from before that is changed at one who joined is named there.
$wires->sql(3, 'UPDATE ledger_internal.block SET header = set_byte(header, 130, get_byte(header, 130) # 1) WHERE height = 5');
like($wires->sql(3, "SELECT kind, height FROM ledger.verify(mode => 'full')"), qr/block_changed\|5/, 'a changed block from before is named');

# The founder's database from before the first invitation makes no blocks alone.
restore($wires, 1, 'alone');
ok($wires->poll(1, 'SELECT state FROM ledger.status', 'rolled back'), 'a backup from before others were invited is known as such');
like($wires->error_of(1, 'INSERT INTO cdr VALUES (300)'), qr/restored to an older point/, 'takes no rows');
like($wires->error_of(1, "SELECT ledger.accept_restore('of no use')"), qr/from before consensus made the blocks.*HINT:.*after the first invitation/s, 'and cannot go on');

done_testing();
