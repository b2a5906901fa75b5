# A member's server is restored from a backup that lacks rows of a shared table which
# all have.  They are put back, under their refs, and the batches that they were in
# are the member's again, unless something else of them is lost.
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
	$wires->sql($member, q{CREATE FUNCTION is_fair(bigint) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 > 0 OR coalesce(current_setting('test.lenient', true), '') = 'on'$$});
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL CONSTRAINT offer_id_check CHECK (is_fair(id)), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

sub final
{
	my ($name, @refs) = @_;

	foreach my $ref (@refs)
	{
		is($wires->sql($_, "SELECT ledger.wait_final('$ref', '170 s') > 0"), 't', "$name is final at member $_") foreach (@members);
	}
	return;
}

# Rows of member 4, in one transaction and so in one batch; their refs.
sub insert
{
	my ($query) = @_;

	return split /\n/, $wires->sql(4, "SET test.lenient = 'on'; BEGIN; $query; COMMIT");
}

# What all have of this, each different answer once.
sub answers
{
	my ($query) = @_;
	my %answers = map { $wires->sql($_, $query) => 1 } @members;

	return join "\n", sort keys %answers;
}

final('what is in the backup', insert("INSERT INTO offer VALUES (1, 'in the backup') RETURNING ledger_ref"));
$wires->node(4)->backup('older');

# A batch of shared rows alone, one of them with a private row, one with a row that all reject.
my @whole = insert("INSERT INTO offer SELECT n, repeat('lost', 100) FROM generate_series(100, 399) AS n RETURNING ledger_ref");
final('a batch of shared rows', $whole[299]);
my @mixed = insert("INSERT INTO cdr VALUES (7); INSERT INTO offer VALUES (500, 'beside a private row') RETURNING ledger_ref");
final('one beside a private row', $mixed[0]);
my ($good, $bad) = insert("INSERT INTO offer VALUES (600, 'good'), (-1, 'bad') RETURNING ledger_ref");
final('one beside a row that all reject', $good);
my $everything = $wires->sql(1, "SELECT id, note, ledger_ref, ledger.height(ledger_ref) FROM offer ORDER BY id");

my $offset = -s $wires->node(4)->logfile;
restore($wires, 4, 'older');
ok(wait_for_log($wires, 4, 'consensus alarm: others have rows of this node that it lacks', $offset), 'the others have rows that the backup lacks');
$wires->sql(4, "SELECT ledger.accept_restore('the disk failed')");
rejoined($wires, 4, 1);

# What was lost is there again, as the others have it.
ok($wires->poll(4, 'SELECT count(*) FROM offer WHERE id > 0', '303'), 'the rows are back') || diag($wires->sql(4, 'SELECT count(*), min(id), max(id) FROM offer'));
is($wires->sql(4, "SELECT id, note, ledger_ref, ledger.height(ledger_ref) FROM offer WHERE id > 0 ORDER BY id"), $everything, 'with their refs, and in their blocks');
final('what comes later', insert("INSERT INTO offer VALUES (700, 'later') RETURNING ledger_ref"));
is($wires->sql(4, "SELECT count(DISTINCT ledger.finality(ledger_ref)), min(ledger.finality(ledger_ref)) FROM offer WHERE id > 0"), '1|final', 'all of them are final');
is($wires->sql(4, "SELECT ledger.finality('$bad'), (SELECT count(*) FROM offer WHERE id < 0)"), 'rejected|0', 'what was rejected stays so');

# No row is batched twice if its batch is whole.
foreach my $member (@members)
{
	is($wires->sql($member, "SELECT count(*) FROM ledger.rejected WHERE ref IN ('$whole[0]', '$whole[299]')"), '0', "member $member has seen no second place of rows whose batch is whole");
}
is($wires->sql(4, "SELECT count(*) FROM ledger_internal.foreign_rows WHERE '$whole[0]' BETWEEN first_ref AND last_ref"), '0', 'which is one of its own again');
is($wires->sql(4, "SELECT v.valid, v.member, v.height = ledger.height('$_') FROM ledger.receipt('offer', '$_') AS r, ledger.verify_receipt(r) AS v"), 't|member4|t', "a receipt of $_ is valid") foreach ($whole[0], $whole[299], $mixed[0], $good);
is(answers('SELECT relation, digest FROM ledger.state') =~ tr/\n//, 0, 'all have the same set hash');
is($wires->sql($_, q{SELECT kind, relation, ref, height, detail FROM ledger.verify(mode => 'full')}), '', "member $_ verifies clean") foreach (@members);
innocent($wires, @members);

done_testing();
