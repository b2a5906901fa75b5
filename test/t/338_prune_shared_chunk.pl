# A member names a chunk of somebody else's batch in one of its own, behind a batch
# whose body it holds back.  Meanwhile the older batch is pruned everywhere; then the
# two become final.  All members apply them all the same.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(3, ordered => 1, outside => 1, conf => "telco_ledger.keep_bodies = -1\n");
my $liar = $wires->add_publisher(4);
my @members = (1 .. 3);
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } 1 .. 4);
	$wires->sql($member, 'CREATE TABLE offer (id bigint) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

# Two batches of member 1, of a chunk each.
foreach my $row (1, 2)
{
	my $ref = $wires->sql(1, "INSERT INTO offer VALUES ($row) RETURNING ledger_ref");

	ok($wires->poll($_, "SELECT count(*) = $row FROM offer"), "row $row at member $_") foreach (@members);
	$wires->sql(1, "SELECT ledger.wait_final('$ref', '170 s')");
}
my ($shared, $other) = split /\n/, $wires->sql(1, 'SELECT chunk FROM ledger_internal.own_body ORDER BY position');

# Batch 2 names the first of them, which the others hold; member 1 takes it from the
# liar's wire.  Batch 1 names what nobody can have.
my $held_back = '\\x' . 'ab' x 40;
my $first = $liar->batch(1, '\\x' . '00' x 32, $held_back);
my $first_digest = $wires->sql(1, "SELECT sha256('\\x00'::bytea || '$first')");

$liar->publish(kind => 1, payload => $first);
$liar->publish(kind => 1, payload => $liar->batch(2, $first_digest, $shared));
$liar->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$shared'), ('$other')");
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT count(*) = 2 FROM ledger_internal.peer_log WHERE member = 4 AND kind = 1"), "member $member has both");
	ok($wires->poll($member, "SELECT array_agg(batch) = '{1}' FROM ledger_internal.wanted_chunk"), 'and lacks the body of the first');
	ok($wires->poll($member, "SELECT EXISTS (SELECT FROM ledger_wire.body_4 WHERE chunk = '$other')", 't', LedgerWire::WIRE), 'its wire has what the liar has shown');
}
$liar->sql('DELETE FROM ledger_wire.body_4');

# The batches of member 1 are pruned: what no other batch names goes.
foreach my $member (@members)
{
	$wires->sql($member, 'ALTER SYSTEM SET telco_ledger.keep_bodies = 0');
	$wires->sql($member, 'SELECT pg_reload_conf()');
}
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT body_height >= (SELECT max(ledger.height(ledger_ref)) FROM offer) FROM ledger_internal.pruned"), "member $member prunes the batches of member 1");
	is($wires->sql($member, "SELECT EXISTS (SELECT FROM ledger_internal.own_body WHERE chunk = '$other') OR EXISTS (SELECT FROM ledger_internal.peer_body WHERE chunk = '$other')"), 'f', 'the chunk that one batch names is gone');
	is($wires->sql($member, "SELECT EXISTS (SELECT FROM ledger_internal.peer_body WHERE chunk = '$shared')"), 't', 'the one that two name is not');
	ok($wires->poll($member, "SELECT NOT EXISTS (SELECT FROM ledger_wire.body_$_ WHERE chunk = '$other')", 't', LedgerWire::WIRE), "the wire alike: chunks of $_") foreach (1, 4);
}

# The body comes, and both batches become final.
$liar->sql("INSERT INTO ledger_wire.body_4 (chunk) VALUES ('$held_back')");
foreach my $member (@members)
{
	ok($wires->poll($member, 'SELECT (SELECT height FROM ledger_internal.applied) >= (SELECT height FROM ledger_internal.foreign_batch WHERE member = 4 AND batch = 2)'), "member $member has applied both")
	  || diag($wires->sql($member, 'SELECT * FROM ledger_internal.applied; SELECT height, member, batch FROM ledger_internal.foreign_batch; SELECT * FROM ledger_internal.wanted_chunk'));
}
my $ref = $wires->sql(2, 'INSERT INTO offer VALUES (3) RETURNING ledger_ref');

ok($wires->poll($_, "SELECT EXISTS (SELECT FROM offer WHERE ledger_ref = '$ref')"), "and member $_ goes on") foreach (@members);
is($wires->sql($_, 'SELECT stopped_at FROM ledger.status'), '', "nor has member $_ stopped") foreach (@members);

done_testing();
