# A member's server is restored from a backup with a row of a shared table that
# was in no batch yet.  Later it was, beside a private row that is lost: the batch
# comes back from the others, cannot be made again, and the row is batched once
# more.  Everybody takes it at its first place and refuses it at
# the second, its member as well, whose state is that of the others.
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
my $id = '00112233-4455-6677-8899-aabbccddeeff';

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

# A row of that member is final on all.
sub offer
{
	my ($member, $number) = @_;
	my $ref = $wires->sql($member, "INSERT INTO offer VALUES ($number, 'of $member') RETURNING ledger_ref");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($wires->sql($_, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "row $number of member $member is final at member $_") foreach (@members);
	return $ref;
}

# What all have of this, each different answer once.
sub answers
{
	my ($query) = @_;
	my %answers = map { $wires->sql($_, $query) => 1 } @members;

	return join "\n", sort keys %answers;
}

offer(4, 1);
ok($wires->poll(4, q{SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE backend_type = 'telco_ledger worker'}), 'its worker is idle');
my $worker = $wires->node(4)->worker_pid;
kill 'STOP', $worker;
my $ref = $wires->sql(4, "INSERT INTO offer VALUES (2, 'in the backup') RETURNING ledger_ref");
$wires->node(4)->backup('older');
is($wires->sql(4, "SELECT ledger.finality('$ref')"), 'committed', 'what is in the backup is in no batch');
$wires->sql(4, 'INSERT INTO cdr VALUES (9)');
kill 'CONT', $worker;
like($wires->sql($_, "SELECT ledger.wait_final('$ref', '170 s')"), qr/^\d+$/, "it is final after the backup at member $_") foreach (@members);
my $height = $wires->sql(4, "SELECT ledger.height('$ref')");

my $offset = -s $wires->node(4)->logfile;
restore($wires, 4, 'older');
ok(wait_for_log($wires, 4, 'consensus alarm: others have rows of this node that it lacks', $offset), 'the others have rows that the backup lacks');
$wires->sql(4, "SELECT ledger.accept_restore('the disk failed')");
rejoined($wires, 4, 1);
foreach my $member (@members)
{
	ok($wires->poll($member, "SELECT count(*) = 1 FROM ledger.rejected WHERE ref = '$ref' AND sqlstate = 'TL003'"), "its second place is refused by member $member")
	  || diag($wires->sql($member, 'SELECT * FROM ledger.status'));
	is($wires->sql($member, "SELECT ledger.finality('$ref'), ledger.height('$ref')"), "final|$height", 'and the row is final in the block that it was in');
	is($wires->sql($member, "SELECT v.valid, v.height, v.member FROM ledger.receipt('offer', '$ref') AS r, ledger.verify_receipt(r) AS v"), "t|$height|member4", 'which its receipt proves');
}
offer($_, 10 + $_) foreach (@members);
is(answers('SELECT relation, digest FROM ledger.state') =~ tr/\n//, 0, 'all have the same set hash');
is(answers('SELECT height, number, leaf FROM ledger_internal.outcome ORDER BY height, number') =~ tr/\n//, 0, 'and the same outcomes');
ok($wires->poll($_, "SELECT max(height) > (SELECT max(height) FROM ledger_internal.outcome) FROM ledger_internal.checkpoint"), "member $_ has a stable checkpoint beyond them")
  foreach (@members);
is(answers('SELECT count(*) FROM ledger_internal.apply_stop'), '0', 'nobody has stopped to apply blocks');
is($wires->sql($_, q{SELECT kind, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@members);
innocent($wires, @members);

done_testing();
