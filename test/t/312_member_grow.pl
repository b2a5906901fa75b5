# A consortium as its DBAs make it: a founder with rows of its own, three more in
# one change, rows of all of them final at all.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(0);
my $founder = $wires->add_newcomer;
$wires->sql(1, "SELECT ledger.create_node('member1', purpose => 'test', ordered => true)");
$wires->sql(1, 'CREATE TABLE cdr (id bigint) USING ledger');
isnt($wires->sql(1, 'SELECT ledger.fingerprint()'), $wires->fingerprint(1), 'create_node has made a key of its own');
is($wires->sql(1, 'SELECT name, member, kind, state FROM ledger.member'), 'member1|1|validator|member', 'the founder is the only member');

# The founder alone: its quorum is one.
foreach my $id (1 .. 5)
{
	my $ref = $wires->sql(1, "INSERT INTO cdr VALUES ($id) RETURNING ledger_ref");
	like($wires->sql(1, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "row $id of the founder is final");
}
$wires->node(1)->crash_and_restart;
$wires->announce(1);
my @new = map { $wires->add_newcomer } (1 .. 3);
$wires->invite(1, $_) foreach (@new);
$wires->join($_) foreach (@new);

# What a newcomer writes before it is admitted waits, and is not lost.
my $early = $wires->sql(2, 'INSERT INTO cdr VALUES (20) RETURNING ledger_ref');
is($wires->sql(2, "SELECT ledger.finality('$early')"), 'committed', 'a row of a newcomer waits until it is admitted');
$wires->admit(\@new, 1);
like($wires->sql(2, "SELECT ledger.wait_final('$early', '170 s')"), qr/^\d+$/, 'and is final then');
foreach my $member (1, @new)
{
	my $ref = $wires->sql($member, "INSERT INTO cdr VALUES (100 + $member) RETURNING ledger_ref");
	like($wires->sql($member, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "a row of member $member is final")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.peer'));
}
my $height = $wires->sql(1, 'SELECT max(height) FROM ledger.block');
foreach my $member (1, @new)
{
	ok($wires->poll($member, "SELECT max(height) >= $height FROM ledger.block"), "member $member has block $height");
	is($wires->sql($member, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger.block WHERE height <= $height"),
		$wires->sql(1, "SELECT string_agg(encode(hash, 'hex'), ',' ORDER BY height) FROM ledger.block WHERE height <= $height"), 'the same as the founder\'s');
	is($wires->sql($member, 'SELECT count(*) FROM ledger_internal.node AS n, ledger.member AS m WHERE m.left_height IS NULL'), '4', 'and knows four members');
}

# Receipts, of the founder's rows too, lead to a head that all four have signed:
# they show how those follow from the one in genesis.
my $receipt = $wires->sql(2, "SELECT ledger.receipt('cdr', '$early')");
is($wires->sql(3, "SELECT valid FROM ledger.verify_receipt(\$\$$receipt\$\$)"), 't', 'a receipt of a newcomer\'s row is valid');
is($wires->sql(3, "SELECT valid, reason FROM ledger.verify_receipt(\$\$$receipt\$\$::jsonb #- '{proof,head,epochs}')"),
	"f|the head's members are not those of the genesis block", 'not without the change of the members');
is($wires->sql($_, "SELECT bool_and(valid), count(*) > 0 FROM ledger.verify_receipts(ledger.receipts('cdr', ARRAY(SELECT ledger_ref FROM cdr)))"),
	't|t', "receipts of all rows of member $_ are valid") foreach (1, 2);

# The change of the members is part of what is verified.
foreach my $member (1, @new)
{
	$wires->node($member)->wait_final_all;
	$wires->node($member)->verify_clean("verification is clean at member $member");
}
$wires->sql(3, 'CREATE TABLE kept AS SELECT * FROM ledger_internal.epoch; UPDATE ledger_internal.epoch SET motion = set_byte(motion, octet_length(motion) - 3, get_byte(motion, octet_length(motion) - 3) # 1)');
like($wires->sql(3, "SELECT kind, height, detail FROM ledger.verify(mode => 'full')"), qr/bad_certificate\|\d+\|The motion in ledger_internal\.epoch does not make the members that were decided/, 'a changed motion is named');
$wires->sql(3, 'UPDATE ledger_internal.epoch AS e SET motion = k.motion FROM kept AS k');
# The quorum of three stands behind the text, and no hash of the members binds it.
my $quorum = '12 + get_byte(motion, 10) * 256 + get_byte(motion, 11)';
like($wires->sql(3, "UPDATE ledger_internal.epoch SET motion = set_byte(motion, $quorum, 5 - get_byte(motion, $quorum)); SELECT kind, detail FROM ledger.verify(mode => 'full')"),
	qr/bad_certificate\|The motion in ledger_internal\.epoch is not one that was approved/, 'another quorum of three is named');
$wires->sql(3, 'UPDATE ledger_internal.epoch AS e SET motion = k.motion, height = e.height + 1 FROM kept AS k');
like($wires->sql(3, "SELECT kind, detail FROM ledger.verify(mode => 'full')"), qr/bad_certificate\|Column height of ledger_internal\.epoch is not that of the founding block/, 'another height is named');
$wires->sql(3, 'UPDATE ledger_internal.epoch AS e SET height = k.height FROM kept AS k');
$wires->sql(3, 'CREATE TABLE approvals AS SELECT * FROM ledger_internal.peer_log WHERE kind = 9');
like($wires->sql(3, "DELETE FROM ledger_internal.peer_log WHERE kind = 9; SELECT kind, detail FROM ledger.verify(mode => 'full')"),
	qr/bad_certificate\|An approval of a change of the members is in no log here/, 'an approval that is gone is named');
$wires->sql(3, 'INSERT INTO ledger_internal.peer_log SELECT * FROM approvals');
$wires->sql(3, 'DELETE FROM ledger_internal.epoch');
like($wires->sql(3, "SELECT kind, detail FROM ledger.verify(mode => 'full')"), qr/bad_certificate\|.*not signed by a quorum of the members/, 'members that nobody has decided have signed nothing');
$wires->sql(3, 'INSERT INTO ledger_internal.epoch SELECT * FROM kept');
$wires->node(3)->verify_clean('as it was, it is clean again');

done_testing();
