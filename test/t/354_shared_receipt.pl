# Receipts of rows of a shared table, at members who did not write them: as
# complete as the author's own, and they say whose definition names the columns.
# Whether all members have rejected a row is proved as well.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use PostgreSQL::Test::Utils;
use Test::More;

use LedgerWire;

my $wires = LedgerWire->new(3, ordered => 1);
my @members = (1 .. 3);
my $id = '00112233-4455-6677-8899-aabbccddeeff';
my $ordered = 'a quorum of the members in genesis ordered this row';
my $accepted = "$ordered; all members accepted it";
my $rejected = "$ordered; all members rejected it with SQLSTATE 23514";
my $by_other = "; the columns have their names from another member's definition of this shared table";

foreach my $member (@members)
{
	$wires->wait_streaming($member, $_) foreach (grep { $_ != $member } @members);
	# a rule that a session of a superuser can get around
	$wires->sql($member, q{CREATE FUNCTION price_is_fair(numeric) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$SELECT $1 > 0 OR coalesce(current_setting('test.lenient', true), '') = 'on'$$});
	$wires->sql($member, 'CREATE TABLE offer (id bigint NOT NULL, price numeric(10,2) CONSTRAINT offer_price_check CHECK (price_is_fair(price)), note text) USING ledger');
	$wires->sql($member, "SELECT ledger_internal.share_table('offer', '$id')");
}

# More rows than a tile has, beside a private one, and one that all refuse.
my ($bad) = reverse split /\n/, $wires->sql(2, q{SET test.lenient = 'on'; INSERT INTO cdr VALUES (1);
	BEGIN; INSERT INTO cdr VALUES (2);
	INSERT INTO offer SELECT n, CASE n WHEN 200 THEN -1 ELSE n END, 'of 2' FROM generate_series(1, 300) AS n; COMMIT;
	SELECT ledger_ref FROM offer WHERE id = 200});
my %ref;

foreach my $member (@members)
{
	$ref{$member} = $wires->sql($member, "INSERT INTO offer VALUES (1000 + $member, 1.50, 'of $member') RETURNING ledger_ref");
}
foreach my $member (@members)
{
	$wires->sql($member, "SELECT ledger.wait_final('$ref{$_}', '170 s')") foreach (@members);
	# the definition has its own batch
	ok($wires->poll($member, "SELECT bool_and(ledger.is_final(ledger_ref)) FROM ledger.table_version"), "the definitions of member $member are final");
	ok($wires->poll($member, "SELECT coalesce(max(height), 0) >= (SELECT max(ledger.height(ledger_ref)) FROM offer) FROM ledger_internal.checkpoint"), 'and a quorum has signed what became of the rows');
}

sub verdict
{
	my ($member, $receipt) = @_;

	return $wires->sql($member, "SELECT valid, reason, member, \"row\" ->> 'note' FROM ledger.verify_receipt(\$r\$$receipt\$r\$)");
}

my $verifier = $wires->node(1)->config_data('--bindir') . '/telco_verifier';
my $files = 0;

# What the program without a database says.
sub program
{
	my ($receipt) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/receipt' . ++$files . '.json';
	my ($out, $err);

	PostgreSQL::Test::Utils::append_to_file($file, $receipt);
	IPC::Run::run([ $verifier, $file ], '>', \$out, '2>', \$err);
	return $out;
}

# Each member proves the rows of each to each.
foreach my $member (@members)
{
	foreach my $author (@members)
	{
		my $receipt = $wires->sql($member, "SELECT ledger.receipt('offer', '$ref{$author}')");

		is(verdict($author % 3 + 1, $receipt), "t|$accepted" . ($member == $author ? '' : $by_other) . "|member$author|of $author", "member $member proves a row of member $author");
		SKIP:
		{
			skip "$verifier is not installed", 1 unless -x $verifier;
			my $named = $member == $author ? '' : "columns named by: member$member\n";
			like(program($receipt), qr/^valid: .*\nmember: member$author\n(?:.*\n){3}$named    id = 100$author\n/s, 'and without a database');
		}
	}
	is($wires->sql($member, "SELECT bool_and(ledger.encode_row('offer', '$ref{$_}') = decode(ledger.receipt('offer', '$ref{$_}') #>> '{proof,row,bytes}', 'hex')) FROM generate_series(1, 1)"), 't', "a row of member $_ has the same bytes") foreach (@members);
}

# The first tile, the one with the row that was refused, the last one.
my @some = split /\n/, $wires->sql(2, 'SELECT ledger_ref FROM offer WHERE id IN (1, 199, 201, 300) ORDER BY id');
is(verdict(3, $wires->sql(1, "SELECT ledger.receipt('offer', '$_')")), "t|$accepted$by_other|member2|of 2", "a row of a large section, $_") foreach (@some);

# What all have rejected is proved to be that, by its author as well.
foreach my $member (@members)
{
	my $receipt = $wires->sql($member, "SELECT ledger.receipt('offer', '$bad')");

	is(verdict($member % 3 + 1, $receipt), "t|$rejected" . ($member == 2 ? '' : $by_other) . '|member2|of 2', "member $member proves that the row was rejected");
	is($wires->sql($member, "SELECT r ->> 'outcome', r #>> '{row,price}' FROM (SELECT \$r\$$receipt\$r\$::jsonb) AS j (r)"), 'rejected with SQLSTATE 23514|-1.00', 'and the receipt says so to who reads it');
}

# Before a quorum has signed it nobody says what became of the row.
like($wires->sql(1, "BEGIN; DELETE FROM ledger_internal.checkpoint; SELECT v.valid, r ->> 'outcome', v.reason FROM ledger.receipt('offer', '$bad') AS r, ledger.verify_receipt(r) AS v; ROLLBACK"),
	qr/^t\|not yet certified\|\Q$ordered; whether it was rejected is not certified yet\E/m, 'without a checkpoint that is not known');

# Such a row is in no table but its author's: who may not see all rows is told nothing.
$wires->sql(1, 'CREATE ROLE clerk; GRANT SELECT ON offer TO clerk');
my $as_clerk = "SET ROLE clerk; SELECT ledger.receipt('offer', '$bad') ->> 'outcome'";
is($wires->sql(1, $as_clerk), 'rejected with SQLSTATE 23514', 'who may read the table has its receipt');
like(($wires->node(1)->psql('postgres', "BEGIN; ALTER TABLE offer ENABLE ROW LEVEL SECURITY; $as_clerk"))[2], qr/no row of .* has the ledger_ref \Q$bad\E/, 'not with row level security');
like(($wires->node(1)->psql('postgres', "BEGIN; REVOKE SELECT ON offer FROM clerk; $as_clerk"))[2], qr/permission denied for table offer/, 'nor without the right');

# All rows of everybody in one document, own and foreign, of every member the same rows.
foreach my $member (@members)
{
	my $document = $wires->sql($member, "SELECT ledger.receipts('offer', ARRAY(SELECT ledger_ref FROM offer UNION SELECT '$bad'))");
	my $name = sub { $_[0] == $member ? '' : $by_other };

	is($wires->sql($member % 3 + 1, "SELECT member, count(*), bool_and(valid), reason FROM ledger.verify_receipts(\$r\$$document\$r\$) GROUP BY member, reason ORDER BY member, count DESC"),
		join("\n", "member1|1|t|$accepted" . $name->(1), "member2|300|t|$accepted" . $name->(2), "member2|1|t|$rejected" . $name->(2), "member3|1|t|$accepted" . $name->(3)), "member $member proves all rows at once");
	my %without = ('{"outcome": "rejected' => [ '{"outcome": "accepted', 'the outcome shown is not the row\'s' ], ', "outcome": "accepted"' => [ '', 'the outcome shown is not the row\'s' ]);

	foreach my $text (sort keys %without)
	{
		my ($other, $reason) = @{ $without{$text} };
		my $changed = $document;

		$text =~ s/^\{/, /;
		$other =~ s/^\{/, /;
		isnt($changed =~ s/\Q$text\E/$other/r, $changed, "there is $text");
		$changed =~ s/\Q$text\E/$other/;
		is($wires->sql(3, "SELECT DISTINCT reason FROM ledger.verify_receipts(\$r\$$changed\$r\$) WHERE NOT valid"), $reason, 'which cannot be said otherwise, nor left out');
	}
	is($wires->sql(3, "SELECT DISTINCT reason FROM ledger.verify_receipts(\$r\$${\ ($document =~ s/(\"leaves\": \"[0-9a-f]*)([0-9a-f])\"/$1 . ($2 eq '0' ? '1' : '0') . '\"'/er)}\$r\$) WHERE NOT valid"), 'the outcomes are not those that were certified', 'nor its proof be changed');
	SKIP:
	{
		skip "$verifier is not installed", 1 unless -x $verifier;
		like(program($document), qr/^outcome: 1 rows were rejected by all members\ndefinition: the columns of ${\ ($member == 2 ? 2 : 302)} rows have their names from another member's definition.*\nvalid: /m, 'and without a database');
	}
}

# Whoever says something else than what was ordered is not believed.  The head is
# another block than the rows'.
{
	$wires->sql(1, "SELECT ledger.wait_final('${\ $wires->sql(1, 'INSERT INTO cdr VALUES (3) RETURNING ledger_ref')}', '170 s')");
	my $receipt = $wires->sql(1, "SELECT ledger.receipt('offer', '$ref{2}')");
	my $other = $wires->sql(1, "SELECT ledger.receipt('offer', '$ref{1}')");
	my $private = $wires->sql(2, "SELECT ledger.receipt('cdr', min(ledger_ref)) FROM cdr");
	my $reason = sub { (split /\|/, verdict(3, $_[0]))[1] };

	is($reason->($receipt =~ s/of 2/of 3/r), 'a column\'s value shown is not the one in the row', 'not a value');
	is($reason->($receipt =~ s/"member": "member2"/"member": "member1"/r), 'the member shown is not the row\'s', 'not an author');
	is($reason->($wires->sql(3, "SELECT jsonb_set(\$r\$$receipt\$r\$::jsonb, '{proof,row,block,path}', '[]')")), 'the block\'s path does not lead to the head', 'not a block');
	is($reason->($wires->sql(3, "SELECT jsonb_set(\$r\$$receipt\$r\$::jsonb, '{proof,row,batch}', \$r\$$other\$r\$::jsonb #> '{proof,row,batch}')")), 'the batch is another member\'s than the row', 'not a batch');
	is($reason->($wires->sql(3, "SELECT jsonb_set(\$r\$$private\$r\$::jsonb, '{proof,definition}', \$r\$$other\$r\$::jsonb #> '{proof,definition}')")), 'the definition is another member\'s than the row', 'and of a private table no other member\'s definition');
}

# What is changed or missing here is told, not proved.
sub refuses
{
	my ($change, $expected, $name) = @_;
	my (undef, undef, $error) = $wires->node(1)->psql('postgres', "BEGIN; $change; SELECT ledger.receipt('offer', '$some[0]')");

	return like($error, $expected, $name);
}

my $in_section = "WHERE (member, incarnation, batch, section) = (SELECT 2, incarnation, batch, section FROM ledger_internal.foreign_rows WHERE '$some[0]' BETWEEN first_ref AND last_ref)";

{
	my $receipt = $wires->sql(1, "SELECT ledger.receipt('offer', '$bad')");
	my $reason = sub { (split /\|/, verdict(3, $_[0]))[1] };

	is($reason->($receipt =~ s/"rejected with SQLSTATE 23514"/"accepted"/r), 'the outcome shown is not the row\'s', 'not what became of it');
	is($reason->($wires->sql(3, "SELECT \$r\$$receipt\$r\$::jsonb #- '{proof,outcome}'")), 'the outcome shown is not the row\'s', 'not without the proof');
	is($reason->($wires->sql(3, "SELECT jsonb_set(\$r\$$receipt\$r\$::jsonb, '{proof,outcome,leaves}', '\"\"')")), 'the outcome shown is not the row\'s', 'nor by leaving it out of the proof');
}

refuses("DELETE FROM ledger_internal.outcome", qr/what was rejected here is not what a quorum has certified/, 'an outcome that is gone');
refuses("DELETE FROM ledger_internal.refused_row", qr/row \Q$bad\E of ledger table "offer" is missing after it became final/, 'a refused row that is gone');
refuses("UPDATE ledger_internal.refused_row SET bytes = set_byte(bytes, 60, get_byte(bytes, 60) # 1)", qr/row \Q$bad\E of ledger table "offer" was changed after it became final/, 'a refused row that was changed');
refuses("DELETE FROM ledger_internal.foreign_section $in_section", qr/the section of a row is missing/, 'a section that is gone');
refuses("UPDATE ledger_internal.foreign_section SET root = sha256(root) $in_section", qr/does not prove the row.*\n.*the row's path does not lead to its section/, 'a section that was changed');
refuses("DELETE FROM ledger_internal.foreign_batch WHERE member = 2", qr/the batch of a row is missing/, 'a batch that is gone');

done_testing();
